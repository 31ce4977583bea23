"""Approving all weeks that agree with the tool in one go, and leaving the others to be looked at."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.actor import Actor
from marketplace.contracts import find, queries
from marketplace.contracts.approving.models import FirstApproval
from marketplace.contracts.approving.steps import approve_week
from marketplace.contracts.models import Approval, Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.usage import comparing
from marketplace.contracts.usage.models import UsageDay
from marketplace.contracts.weeks import week_on
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.i18n import day
from marketplace.i18n import gettext as _


@dataclass(frozen=True)
class Waiting:
    """The weeks that wait for a client's person, by what the tool says of them: internal ids of those that
    differ and of those that agree, and a query for those of which no file says anything."""

    differing: list[int]
    agreeing: list[int]
    without: sa.Select[Timesheet]


@dataclass(frozen=True)
class Outcome:
    """How many were approved, how many of those that need two people got only the first, and a sentence for
    each week that was left."""

    approved: int
    first: int
    left: list[str]


def waiting(session: Session, actor: Actor) -> Waiting:
    """What waits for `actor`, who may decide it, by what the tool says."""
    every = queries.waiting_for_approval(actor)
    known = session.scalars(every.where(_has_usage())).unique().all()
    compared = comparing.of_sheets(session, known)
    return Waiting(
        [sheet_id for sheet_id, week in compared.items() if not week.agrees],
        [sheet_id for sheet_id, week in compared.items() if week.agrees],
        every.where(~_has_usage()),
    )


def approve_agreeing(session: Session, actor: Actor, seen: Sequence[tuple[uuid.UUID, int]]) -> Outcome:
    """Approve these weeks, each by the version that was seen and in a transaction of its own.

    A week that changed meanwhile, or that agrees no more, is left and named. Raises NotFound, before any is
    approved, when one of them is not the actor's to see.
    """
    names = {public_id: _name(find.timesheet(session, actor, public_id)) for public_id, _version in seen}
    done: list[Approval | FirstApproval] = []
    left = []
    for public_id, version in seen:
        try:
            done.append(_approve(session, actor, public_id, version))
        except Refused as refusal:
            left.append(f"{names[public_id]}: {refusal.sentence}")
    first = sum(isinstance(each, FirstApproval) for each in done)
    return Outcome(len(done) - first, first, left)


@use_case
def _approve(session: Session, actor: Actor, public_id: uuid.UUID, version: int) -> Approval | FirstApproval:
    sheet = find.timesheet(session, actor, public_id, lock=True)
    compared = comparing.of_week(session, sheet.contract, week_on(sheet.starts_on, sheet.zone))
    if sheet.state is TimesheetState.SUBMITTED and (compared is None or not compared.agrees):
        raise Refused(_("It does not agree with the tool any more, so it is left for you to look at."))
    return approve_week(session, actor, public_id, version)


def _name(sheet: Timesheet) -> str:
    return _(
        "%(expert)s, week from %(monday)s",
        expert=sheet.contract.person.full_name,
        monday=day(sheet.starts_on),
    )


def _has_usage() -> sa.ColumnElement[bool]:
    begins, ends = (
        sa.cast(sa.func.timezone(Timesheet.zone, moment), sa.Date)
        for moment in (Timesheet.week_start_at, Timesheet.week_end_at)
    )
    return sa.exists().where(
        UsageDay.contract_id == Timesheet.contract_id,
        UsageDay.replaced_at.is_(None),
        UsageDay.day >= begins,
        UsageDay.day < ends,
    )
