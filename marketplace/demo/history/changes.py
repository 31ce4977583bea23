"""What Lumen Labs changes while people work for it: rates, the use of the work, and what its tool counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from uuid import uuid5

import sqlalchemy as sa

from marketplace.accounts.legal import change_legal
from marketplace.accounts.models import Organization
from marketplace.actor import Actor, Role
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.consents import answering, queries
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.rates.proposing import RateDraft, earliest, propose_rate
from marketplace.contracts.states import ContractState, TimesheetState
from marketplace.contracts.usage.importing import bring_usage, take_usage
from marketplace.contracts.usage.models import UsageImport
from marketplace.demo.history.stage import WEEKS, Stage, trying
from marketplace.demo.world import BEN, CARLA, LUMEN_PROJECT
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.states import Kept
from marketplace.payments.invoices.issuing import issue_due

LAST = WEEKS - 1
RAISED_IN = 8
DOLLAR = 100
THANKS = "Your critiques are the ones that the team quotes. Thank you."
QUOTED = "Your critique of the subletting clause was quoted in the release notes of the model."
LEGAL = "Lumen Labs, Inc.", "48 Example Avenue\nNew York, NY 10011\nUnited States", "00-0000001"
SIMPLER = "From the second phase on the clauses come sorted, so that a page takes half the time."


def rise(stage: Stage) -> None:
    """Whoever works for Lumen then gets more, which holds at once."""
    with stage.at(RAISED_IN, 2, 15):
        for contract in _at_work(stage):
            if not _proposed(stage, contract):
                rate = contract.rate + 10 * DOLLAR
                draft = RateDraft(rate, earliest(contract), THANKS)
                trying(
                    stage.session,
                    partial(propose_rate, stage.session, _carla(stage), contract.public_id, draft),
                )


def named_by_law(stage: Stage) -> None:
    """Lumen says who it is by law, so that a month has an invoice once it is over."""
    with stage.at(0, 1, 15):
        carla = _carla(stage)
        for organization_id in carla.organizations(Role.CLIENT_ADMIN):
            organization = stage.session.get_one(Organization, organization_id)
            change_legal(stage.session, carla, organization.public_id, *LEGAL)


def invoice(stage: Stage) -> None:
    """The months that are over."""
    issue_due(stage.session)


def praise(stage: Stage) -> None:
    """A bonus for the one who has worked for Lumen the longest."""
    with stage.at(RAISED_IN, 2, 16):
        for contract in _at_work(stage)[:1]:
            key = uuid5(contract.public_id, "bonus")
            draft = Draft(Kind.BONUS, 75 * DOLLAR, "outstanding", QUOTED, key)
            trying(stage.session, partial(adjust, stage.session, _carla(stage), contract.public_id, draft))


def play(stage: Stage) -> None:
    """In the last week: a file of the tool, another use of the work, and a lower rate that waits."""
    _counted(stage)
    _kept_longer(stage)
    _lower(stage)


def _lower(stage: Stage) -> None:
    with stage.at(LAST, 6, 15):
        for contract in _at_work(stage)[-1:]:
            if _proposed(stage, contract) < 2:
                draft = RateDraft(contract.rate - 5 * DOLLAR, earliest(contract), SIMPLER)
                trying(
                    stage.session,
                    partial(propose_rate, stage.session, _carla(stage), contract.public_id, draft),
                )


def _kept_longer(stage: Stage) -> None:
    """Whoever has worked the longest agrees; the others have not answered yet."""
    contracts = _at_work(stage)
    gigs = {contract.gig_id: contract.gig for contract in contracts}
    with stage.at(LAST, 6, 14):
        for gig in gigs.values():
            _keep_longer(stage, gig)
    with stage.at(LAST, 6, 16):
        for contract in contracts[:1]:
            asked, expert = queries.waiting(stage.session, contract), stage.actor(contract.person_id)
            if asked is not None:
                trying(
                    stage.session,
                    partial(answering.agree, stage.session, expert, asked.public_id, expert.name),
                )


def _keep_longer(stage: Stage, gig: Gig) -> None:
    if gig.kept_for is not Kept.YEARS_5:
        draft = replace(draft_of(gig), kept_for=Kept.YEARS_5)
        edit_gig(stage.session, _carla(stage), gig.public_id, draft)


def _counted(stage: Stage) -> None:
    """What the tool counted in the weeks that wait: the same minutes, but for one day."""
    with stage.at(LAST, 6, 13):
        rows = list(_rows(stage))
        if not rows or stage.session.scalar(sa.select(UsageImport.id).limit(1)) is not None:
            return
        text = "\n".join(["contract,date,minutes,items", *rows])
        brought = bring_usage(stage.session, _carla(stage), "lumen-tool.csv", text.encode())
        take_usage(stage.session, _carla(stage), brought.public_id)


def _rows(stage: Stage) -> Iterator[str]:
    waiting = (
        sa.select(TimeEntry)
        .join(TimeEntry.timesheet)
        .where(Timesheet.state == TimesheetState.SUBMITTED, TimeEntry.removed_at.is_(None))
        .where(
            TimeEntry.contract_id.in_([each.id for each in _at_work(stage)]), TimeEntry.ended_at.is_not(None)
        )
        .order_by(TimeEntry.contract_id, TimeEntry.started_at)
    )
    minutes: dict[tuple[str, str], int] = {}
    for entry in stage.session.scalars(waiting):
        key = (str(entry.contract.public_id), str(entry.started_at.astimezone(entry.contract.zone).date()))
        minutes[key] = minutes.get(key, 0) + entry.minutes
    for place, ((contract, day), counted) in enumerate(minutes.items()):
        yield f"{contract},{day},{counted // 2 if place == 1 else counted},{max(1, counted // 7)}"


def _at_work(stage: Stage) -> Sequence[Contract]:
    """Who works for Lumen now and can go on, the first signed first. Ben's licence has run out."""
    query = (
        sa.select(Contract)
        .join(Contract.project)
        .where(Project.name == LUMEN_PROJECT, Contract.state == ContractState.ACTIVE)
        .where(Contract.test_id.is_(None), Contract.person_id != stage.by_email(BEN).id)
    )
    return stage.session.scalars(query.order_by(Contract.id)).all()


def _carla(stage: Stage) -> Actor:
    return stage.by_email(CARLA)


def _proposed(stage: Stage, contract: Contract) -> int:
    """How many rates were proposed for it so far."""
    query = sa.select(sa.func.count()).select_from(RateProposal).filter_by(contract_id=contract.id)
    return stage.session.scalar(query) or 0
