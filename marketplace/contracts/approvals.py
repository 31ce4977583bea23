"""Approving a week: its lines become money that is owed to the expert."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs, ledger, money
from marketplace.actor import SITE, Actor
from marketplace.contracts import find, limits, reservations, timesheets
from marketplace.contracts.models import Approval, ApprovedLine, Contract, Reservation, TimeEntry, Timesheet
from marketplace.contracts.states import TIMESHEET_MOVES, TimeKind, TimesheetState, move
from marketplace.contracts.weeks import week_of
from marketplace.credentials.gate import Checked, checks_of, judge
from marketplace.db import new_id, use_case
from marketplace.errors import Refused
from marketplace.gigs.find import there
from marketplace.gigs.members import tell
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.money import Money


@dataclass(frozen=True)
class Line:
    """An entry priced: whole minutes at a rate an hour, pay and fee each rounded once (minor units)."""

    entry: TimeEntry
    minutes: int
    rate: int
    pay: int
    fee: int


@use_case
def approve_timesheet(
    session: Session, actor: Actor, timesheet_public_id: uuid.UUID, seen_version: int
) -> Approval:
    """Approve the week that was seen. Its pay and fee leave the reserved money; what is left of it returns.

    Raises Refused when the week changed since, or is already approved; NotAllowed for the expert's own.
    """
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    timesheets.require_approver(actor, sheet)
    timesheets.require_seen(sheet, seen_version)
    return _approve(session, actor, sheet)


def approve_overdue(session: Session) -> int:
    """Approve, by the site, every week whose deadline has passed without an answer; how many."""
    overdue = sa.select(Timesheet.id).where(
        Timesheet.state == TimesheetState.SUBMITTED, Timesheet.approve_by <= clock.now()
    )
    ids = session.scalars(overdue).all()
    return jobs.one_by_one(session, _approve_if_overdue, ids)


def settle(session: Session, sheet: Timesheet) -> None:
    """Submit and approve, by the site, what it measured itself and what was agreed before. Needs the lock."""
    if any(line.pay for line in lines_of(sheet)):
        timesheets.submit_measured(session, sheet)
        _approve(session, SITE, sheet)


def lines_of(sheet: Timesheet) -> list[Line]:
    """The paid entries of a week, priced by the contract's rate at their start and its rounding rule."""
    contract = sheet.contract
    return [
        _line(contract, entry) for entry in sheet.entries if entry.kind is TimeKind.PAID and entry.minutes
    ]


def _line(contract: Contract, entry: TimeEntry) -> Line:
    rate = contract.rate_at(entry.started_at)
    pay = money.for_minutes(rate, entry.minutes)
    return Line(entry, entry.minutes, rate, pay, money.share(pay, contract.fee_bps))


@use_case
def _approve_if_overdue(session: Session, timesheet_id: int) -> bool:
    sheet = session.get_one(Timesheet, timesheet_id)
    find.hold(session, sheet.contract_id)
    session.refresh(sheet, with_for_update=True)
    late = sheet.approve_by is not None and sheet.approve_by <= clock.now()
    if sheet.state is not TimesheetState.SUBMITTED or not late:
        return False
    _approve(session, SITE, sheet)
    return True


def _approve(session: Session, actor: Actor, sheet: Timesheet) -> Approval:
    timesheets.require_stopped(sheet)
    move(sheet, TimesheetState.APPROVED, TIMESHEET_MOVES)
    sheet.version += 1
    approval = _frozen(session, actor, sheet)
    session.add(approval)
    _post(session, actor, approval, _reservation(session, sheet))
    session.flush()
    audit.record(
        session, actor, "timesheet.approved", "timesheet", sheet.public_id,
        approval=approval.public_id, pay=approval.expert_amount, fee=approval.fee_amount,
    )  # fmt: skip
    _tell(session, sheet, approval)
    return approval


def _frozen(session: Session, actor: Actor, sheet: Timesheet) -> Approval:
    checks = checks_of(session, [sheet.contract.person_id]).get(sheet.contract.person_id, [])
    lines = [
        ApprovedLine(
            time_entry_id=line.entry.id,
            minutes=line.minutes,
            rate=line.rate,
            expert_amount=line.pay,
            fee_amount=line.fee,
            credential_attestation_ids=_attested(sheet.contract, line.entry, checks),
        )
        for line in lines_of(sheet)
    ]
    return Approval(
        public_id=new_id(),
        timesheet=sheet,
        person_id=actor.person_id,
        at=clock.now(),
        lines_sha256=fingerprint(lines, {entry.id: entry for entry in sheet.entries}),
        expert_amount=sum(line.expert_amount for line in lines),
        fee_amount=sum(line.fee_amount for line in lines),
        lines=lines,
    )


def _attested(contract: Contract, entry: TimeEntry, checks: list[Checked]) -> list[int]:
    """The checks on which this hour rests: for each requirement the one that counted when it began."""
    held = [
        judge(checks, (), each, entry.started_at).attestation for each in limits.requirements(contract.gig)
    ]
    return [attestation.id for attestation in held if attestation is not None]


def fingerprint(lines: list[ApprovedLine], entries: dict[int, TimeEntry]) -> bytes:
    """SHA-256 over the lines as they were approved: what, when, how long, at what rate, for how much."""
    rows = [
        [
            str(entries[line.time_entry_id].public_id),
            entries[line.time_entry_id].started_at.isoformat(),
            line.minutes,
            line.rate,
            line.expert_amount,
            line.fee_amount,
            line.credential_attestation_ids,
        ]
        for line in lines
    ]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).digest()


def _reservation(session: Session, sheet: Timesheet) -> Reservation:
    week = week_of(sheet.week_start_at, sheet.zone)
    return there(reservations.of_week(session, sheet.contract, week))


def _post(session: Session, actor: Actor, approval: Approval, reservation: Reservation) -> None:
    """Take pay and fee out of what was reserved, and give back the rest.

    Lines are rounded one by one, so together they may exceed what the week reserved by a part of a cent
    each. The client never pays more than was reserved: that remainder is ours, on 5080.
    """
    contract = reservation.contract
    spent = approval.expert_amount + approval.fee_amount
    if spent == 0:
        raise Refused(_("These entries come to nothing, so there is nothing to approve."))
    taken = min(spent, reservation.amount)
    entry = NewEntry(
        source=f"approval:{approval.public_id}",
        event="approved",
        currency=contract.currency,
        lines=[
            (chart.project_reserved(contract.project.public_id), taken),
            (chart.rounding(), spent - taken),
            (chart.expert_payable(contract.person.public_id), -approval.expert_amount),
            (chart.client_fees(), -approval.fee_amount),
        ],
        occurred_at=approval.at,
        memo=_("A paid test approved") if contract.test_id else _("A week's work approved"),
    )
    ledger.post_many(session, actor, [entry, *reservations.close(reservation, taken)])


def _tell(session: Session, sheet: Timesheet, approval: Approval) -> None:
    contract = sheet.contract
    tell(
        session,
        contract.person_id,
        "timesheet.approved",
        f"/timesheets/{sheet.public_id}",
        lambda: (
            _("%(pay)s approved", pay=Money(approval.expert_amount, contract.currency)),
            _("%(gig)s, week from %(monday)s.", gig=contract.gig.title, monday=day(sheet.starts_on)),
        ),
    )
