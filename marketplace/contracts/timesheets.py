"""Submitting a week, and returning it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.accounts.delegations import stand_ins
from marketplace.accounts.models import Delegation
from marketplace.actor import CLIENT, SITE, Actor
from marketplace.contracts import find, queries, timer
from marketplace.contracts.approving import same_person
from marketplace.contracts.approving.models import EndedAs
from marketplace.contracts.approving.rules import deciders, needs_two
from marketplace.contracts.approving.standing import end_open
from marketplace.contracts.models import TimeEntry, Timesheet
from marketplace.contracts.states import TIMESHEET_MOVES, TimeKind, TimesheetState, move
from marketplace.contracts.terms import APPROVAL_DAYS
from marketplace.db import use_case
from marketplace.errors import NotAllowed, Refused
from marketplace.gigs.members import tell
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision
from marketplace.reasons.statements import state as state_reasons

APPROVE_WITHIN = timedelta(days=APPROVAL_DAYS)
# A week that its expert leaves open for so long after its end, or cannot confirm for so long after it was
# returned, is submitted as it is.
SUBMITTED_AFTER = timedelta(days=7)


@use_case
def submit_timesheet(
    session: Session,
    actor: Actor,
    timesheet_public_id: uuid.UUID,
    seen_version: int,
    answer: same_person.Answer | None = None,
) -> Timesheet:
    """Hand a week to the client as it is, with the passkey's `answer` where the contract asks for one.

    Raises Refused when it changed, is empty, or a timer runs in it; as `same_person.verify` for the answer.
    """
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    if sheet.contract.person_id != actor.person_id:
        raise NotAllowed(_("Only the expert submits a week."))
    require_seen(sheet, seen_version)
    require_stopped(sheet)
    if not any(entry.kind is TimeKind.PAID for entry in sheet.entries):
        raise Refused(_("There is no paid time in this week yet, so there is nothing to submit."))
    confirmation = same_person.verify(session, actor, sheet, seen_version, answer)
    _submit(session, actor, sheet)
    if confirmation:
        same_person.keep(session, actor, sheet, confirmation)
    _tell_client(session, sheet)
    return sheet


def submit_forgotten(session: Session) -> int:
    """Submit, by the site, the weeks with paid time that their experts left open; how many.

    Also those that were returned and wait for a passkey, which may be gone. Otherwise pay that was earned is
    never asked for, and the client's money stays set aside for ever.
    """
    long_ago = clock.now() - SUBMITTED_AFTER
    left_open = sa.and_(Timesheet.state == TimesheetState.OPEN, Timesheet.week_end_at <= long_ago)
    forgotten = sa.select(Timesheet.id).where(
        left_open | sa.and_(same_person.returned(), queries.returned_at() <= long_ago),
        Timesheet.all_entries.any(sa.and_(TimeEntry.removed_at.is_(None), TimeEntry.kind == TimeKind.PAID)),
    )
    return jobs.one_by_one(session, _submit_forgotten, session.scalars(forgotten).all())


def by_itself(session: Session, sheet: Timesheet) -> datetime | None:
    """When the site submits a week that nobody submits before; None when it never does."""
    if sheet.state is TimesheetState.OPEN:
        return sheet.week_end_at + SUBMITTED_AFTER
    when = sa.select(queries.returned_at()).select_from(Timesheet)
    since = session.scalar(when.where(Timesheet.id == sheet.id, same_person.returned()))
    return since + SUBMITTED_AFTER if since else None


@use_case
def return_timesheet(
    session: Session,
    actor: Actor,
    timesheet_public_id: uuid.UUID,
    seen_version: int,
    reason_code: str,
    explanation: str,
) -> Timesheet:
    """Give a week back to be corrected, with a statement of reasons. Raises Refused when it changed since."""
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    require_approver(actor, sheet)
    require_seen(sheet, seen_version)
    move(sheet, TimesheetState.RETURNED, TIMESHEET_MOVES)
    end_open(session, actor, sheet, EndedAs.RETURNED)
    sheet.version += 1
    session.flush()
    state_reasons(
        session,
        actor,
        person_id=sheet.contract.person_id,
        subject_kind="timesheet",
        subject_id=sheet.public_id,
        decision=Decision.RETURNED,
        reason_code=reason_code,
        explanation=explanation,
        evidence={"timesheet": f"/timesheets/{sheet.public_id}"},
    )
    audit.record(session, actor, "timesheet.returned", "timesheet", sheet.public_id, version=sheet.version)
    return sheet


def require_approver(actor: Actor, sheet: Timesheet) -> None:
    """Raise NotAllowed unless `actor` approves for this client and is not the expert."""
    actor.require(*CLIENT, organization_id=sheet.contract.organization_id)
    if actor.person_id == sheet.contract.person_id:
        raise NotAllowed(_("Somebody else has to approve your own time."))


def require_seen(sheet: Timesheet, seen_version: int) -> None:
    """Raise Refused when the week is not the one that was looked at."""
    if sheet.state is TimesheetState.APPROVED:
        raise Refused(_("This week is already approved."))
    if sheet.version != seen_version:
        raise Refused(_("This week was changed since you opened it. Look at it again, then decide."))


def require_stopped(sheet: Timesheet) -> None:
    """Raise Refused while a timer runs in the week."""
    if any(entry.ended_at is None for entry in sheet.entries):
        raise Refused(_("A timer is still running in this week. It has to be stopped first."))


def resubmit(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """An appeal against returning a week was upheld: it is submitted again as it is.

    A timer that runs in it is stopped, so that what was worked is submitted too.
    """
    sheet = find.timesheet_of_appeal(session, public_id)
    if sheet.state is not TimesheetState.RETURNED:
        return
    if any(entry.ended_at is None for entry in sheet.entries):
        timer.stop_at(session, actor, sheet.contract_id, clock.now())
    _submit(session, actor, sheet)


@use_case
def _submit_forgotten(session: Session, timesheet_id: int) -> bool:
    sheet = session.get_one(Timesheet, timesheet_id)
    find.hold(session, sheet.contract_id)
    session.refresh(sheet, with_for_update={"of": Timesheet})
    due, was_returned = by_itself(session, sheet), sheet.state is TimesheetState.RETURNED
    if due is None or due > clock.now():
        return False
    require_stopped(sheet)
    _submit(session, SITE, sheet)
    _tell_client(session, sheet)
    tell(
        session,
        sheet.contract.person_id,
        "timesheet.submitted",
        f"/timesheets/{sheet.public_id}",
        lambda: (
            _("Your week was submitted for you"),
            _("It was returned a week ago and not submitted, and what you worked should be paid.")
            if was_returned
            else _("It was over for a week and not submitted, and what you worked should be paid."),
        ),
    )
    return True


def submit_measured(session: Session, sheet: Timesheet) -> None:
    """Submit a week that the site itself measured. Needs the contract's lock."""
    require_stopped(sheet)
    _submit(session, SITE, sheet)


def _submit(session: Session, actor: Actor, sheet: Timesheet) -> None:
    move(sheet, TimesheetState.SUBMITTED, TIMESHEET_MOVES)
    sheet.submitted_at = clock.now()
    sheet.approve_by = clock.now() + APPROVE_WITHIN
    # A week that needed two people once needs them still, whoever returned it and changed the rule since.
    sheet.two_people = sheet.two_people or needs_two(session, sheet)
    sheet.version += 1
    session.flush()
    audit.record(session, actor, "timesheet.submitted", "timesheet", sheet.public_id, version=sheet.version)


def _tell_client(session: Session, sheet: Timesheet) -> None:
    contract = sheet.contract
    lent = stand_ins(session, contract.organization_id)
    for person_id in deciders(session, contract):
        away = lent.get(person_id, [])

        def say(away: Sequence[Delegation] = away) -> tuple[str, str]:
            said = _(
                "%(gig)s, week from %(monday)s. Approve it or return it with a reason within five days.",
                gig=contract.gig.title,
                monday=day(sheet.starts_on),
            )
            return (
                _("%(expert)s submitted a week", expert=contract.person.full_name),
                " ".join([said, *map(_away, away)]),
            )

        tell(session, person_id, "timesheet.submitted", f"/timesheets/{sheet.public_id}", say)


def _away(each: Delegation) -> str:
    return _("For %(who)s, away until %(day)s.", who=each.person.full_name, day=day(each.last_day))
