"""What must hold of contracts, time and the money behind them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.consents.proofs import silence_is_no_consent
from marketplace.contracts.credit import cover as credit
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.settling import withheld
from marketplace.contracts.fees.proofs import fees_are_locked
from marketplace.contracts.models import (
    Approval,
    ApprovedLine,
    Contract,
    ContractRate,
    Reservation,
    TimeEntry,
    Timesheet,
)
from marketplace.contracts.states import DisputeState, OfferState, ReservationState
from marketplace.contracts.taxes.proofs import TAX_PROOFS
from marketplace.contracts.weeks import week_of
from marketplace.gigs.models import Project
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.proof import Drift, Proof


def reserved_is_held(session: Session) -> Iterator[Drift]:
    """A project's reserved account holds exactly what its open reservations say."""
    held: dict[uuid.UUID, int] = defaultdict(int)
    rows = session.execute(
        sa.select(Project.public_id, sa.func.sum(Reservation.amount))
        .join(Contract, Contract.project_id == Project.id)
        .join(Reservation, Reservation.contract_id == Contract.id)
        .where(Reservation.state == ReservationState.HELD)
        .group_by(Project.public_id)
    )
    held.update({project: int(amount) for project, amount in rows})
    for project in session.scalars(sa.select(Project.public_id)):
        found = -_balance(session, chart.project_reserved(project).key)
        if found != held[project]:
            yield Drift(f"project {project} reserved", str(held[project]), str(found))


def never_more_than_funded(session: Session) -> Iterator[Drift]:
    """What a project has spent and reserved never exceeds what its client paid in and was lent."""
    lent = {key: amount for (key, _currency), amount in credit.may_owe(session).items()}
    for project in session.scalars(sa.select(Project.public_id)):
        funded = -_balance(session, chart.project_funds(project).key, Posting.entry_id.not_in(_RESERVING))
        reserved = -_balance(session, chart.project_reserved(project).key)
        spent = _balance(session, chart.project_reserved(project).key, Posting.entry_id.in_(_APPROVING))
        spent += _balance(session, chart.project_funds(project).key, Posting.entry_id.in_(_GIVING_BACK))
        spent += _balance(session, chart.project_funds(project).key, Posting.entry_id.in_(_ADJUSTING))
        if spent < 0:
            yield Drift(f"project {project} spent", "at least 0", str(spent))
        funded += lent.get(chart.project_funds(project).key, 0)
        if spent + reserved > funded:
            yield Drift(f"project {project} spent and reserved", f"at most {funded}", str(spent + reserved))


def approvals_tie(session: Session) -> Iterator[Drift]:
    """An approval is the sum of its lines, and what its journal entry says."""
    sums = (
        sa.select(
            ApprovedLine.approval_id,
            sa.func.sum(ApprovedLine.expert_amount).label("pay"),
            sa.func.sum(ApprovedLine.fee_amount).label("fee"),
            sa.func.sum(ApprovedLine.tax_amount).label("tax"),
        )
        .group_by(ApprovedLine.approval_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(Approval, *(sums.c[name] for name in ("pay", "fee", "tax"))).outerjoin(
            sums, sums.c.approval_id == Approval.id
        )
    )
    for approval, *amounts in rows:
        expected = (approval.expert_amount, approval.fee_amount, approval.tax_amount)
        if expected != (found := tuple(int(each or 0) for each in amounts)):
            yield Drift(f"approval {approval.public_id} lines", str(expected), str(found))
        booked = _booked(session, f"approval:{approval.public_id}")
        if expected != booked:
            yield Drift(f"approval {approval.public_id} entry", str(expected), str(booked))


def adjustments_tie(session: Session) -> Iterator[Drift]:
    """A bonus or correction that was given or signed is what its journal entry says; no other has one."""
    for adjustment in session.scalars(sa.select(Adjustment)):
        granted = adjustment.state is OfferState.ACCEPTED
        amounts = (adjustment.amount, adjustment.fee_amount, adjustment.tax_amount)
        expected = amounts if granted else (0, 0, 0)
        booked = _booked(session, f"adjustment:{adjustment.public_id}")
        if expected != booked:
            yield Drift(f"adjustment {adjustment.public_id} entry", str(expected), str(booked))


def nobody_is_twice(session: Session) -> Iterator[Drift]:
    """No person works on two things at the same moment."""
    other = aliased(TimeEntry)
    rows = session.execute(
        sa.select(TimeEntry.public_id, other.public_id)
        .join(other, sa.and_(other.person_id == TimeEntry.person_id, other.id > TimeEntry.id))
        .where(TimeEntry.removed_at.is_(None), other.removed_at.is_(None))
        .where(sa.func.tstzrange(TimeEntry.started_at, TimeEntry.ended_at).op("&&")(
            sa.func.tstzrange(other.started_at, other.ended_at)
        ))
    )  # fmt: skip
    for one, two in rows:
        yield Drift(f"time entry {one}", "alone", f"overlaps {two}")


def weeks_are_right(session: Session) -> Iterator[Drift]:
    """A week begins on Monday in its contract's zone, and its entries lie in it."""
    for reservation in session.scalars(sa.select(Reservation).options(joinedload(Reservation.contract))):
        week = week_of(reservation.week_start_at, reservation.contract.time_zone)
        if (week.start, week.end) != (reservation.week_start_at, reservation.week_end_at):
            yield Drift(f"reservation {reservation.id}", str(week.start), str(reservation.week_start_at))
    for sheet in session.scalars(sa.select(Timesheet)):
        week = week_of(sheet.week_start_at, sheet.zone)
        if (week.start, week.end) != (sheet.week_start_at, sheet.week_end_at):
            yield Drift(f"timesheet {sheet.public_id}", str(week.start), str(sheet.week_start_at))
    outside = sa.or_(
        TimeEntry.started_at < Timesheet.week_start_at, TimeEntry.ended_at > Timesheet.week_end_at
    )
    for public_id in session.scalars(sa.select(TimeEntry.public_id).join(TimeEntry.timesheet).where(outside)):
        yield Drift(f"time entry {public_id}", "within its week", "outside")


def disputed_is_held(session: Session) -> Iterator[Drift]:
    """A project's account of disputed time holds what its disputes have awarded to nobody yet."""
    held: dict[uuid.UUID, int] = defaultdict(int)
    unsettled = sa.select(TimeDispute).where(TimeDispute.state != DisputeState.SETTLED)
    for dispute in session.scalars(unsettled.options(joinedload(TimeDispute.contract))):
        held[dispute.contract.project.public_id] += withheld(dispute)
    for project in session.scalars(sa.select(Project.public_id)):
        found = -_balance(session, chart.disputed(project).key)
        if found != held[project]:
            yield Drift(f"project {project} disputed", str(held[project]), str(found))


def disputes_add_up(session: Session) -> Iterator[Drift]:
    """What was awarded of a line is what was approved of it, and never more than was entered."""
    approved = (
        sa.select(ApprovedLine.time_entry_id, sa.func.sum(ApprovedLine.minutes).label("minutes"))
        .group_by(ApprovedLine.time_entry_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(TimeDispute.public_id, TimeDispute.awarded_minutes, approved.c.minutes).outerjoin(
            approved, approved.c.time_entry_id == TimeDispute.time_entry_id
        )
    )
    for public_id, awarded, minutes in rows:
        if (awarded or 0) != (minutes or 0):
            yield Drift(f"dispute {public_id} minutes", str(awarded or 0), str(minutes or 0))


def rates_are_locked(session: Session) -> Iterator[Drift]:
    """An approved hour has the rate that was in force when it began, whatever was agreed since."""
    in_force = (
        sa.select(ContractRate.rate)
        .where(
            ContractRate.contract_id == TimeEntry.contract_id, ContractRate.from_at <= TimeEntry.started_at
        )
        .order_by(ContractRate.from_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        sa.select(TimeEntry.public_id, ApprovedLine.rate, in_force)
        .join(TimeEntry, TimeEntry.id == ApprovedLine.time_entry_id)
        .where(ApprovedLine.rate != in_force)
    )
    for public_id, paid, agreed in rows:
        yield Drift(f"time entry {public_id} rate", str(agreed), str(paid))


def only_roundings_are_ours(session: Session) -> Iterator[Drift]:
    """What an approval puts on 5080 is at most a minor unit for the pay, one for the fee and one for its tax
    of each line."""
    lines = (
        sa.select(sa.func.count()).select_from(ApprovedLine).where(ApprovedLine.approval_id == Approval.id)
    )
    asked = sa.select(sa.func.count()).select_from(TimeDispute)
    asked = asked.where(TimeDispute.timesheet_id == Approval.timesheet_id)
    rows = session.execute(
        sa.select(Approval.public_id, Posting.amount, 3 * (lines.scalar_subquery() + asked.scalar_subquery()))
        .join(JournalEntry, JournalEntry.source == sa.func.concat("approval:", Approval.public_id))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(Posting.account)
        .where(LedgerAccount.key == chart.rounding().key)
    )
    for approval, amount, most in rows:
        if amount > most:
            yield Drift(f"approval {approval} rounding", f"at most {most}", str(amount))


# What a dispute gives back is money of before, and not paid in anew.
_RESERVING = sa.select(JournalEntry.id).where(
    sa.or_(
        JournalEntry.source.startswith("reservation:"),
        JournalEntry.source.startswith("time_dispute:"),
        JournalEntry.source.startswith("adjustment:"),
    )
)
_GIVING_BACK = sa.select(JournalEntry.id).where(JournalEntry.source.startswith("time_dispute:"))
_ADJUSTING = sa.select(JournalEntry.id).where(JournalEntry.source.startswith("adjustment:"))
_APPROVING = sa.select(JournalEntry.id).where(JournalEntry.source.startswith("approval:"))


def _balance(session: Session, key: str, *where: sa.ColumnElement[bool]) -> int:
    """Summed from the postings themselves, debit positive."""
    query = sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0)).join(Posting.account)
    return int(session.scalar(query.where(LedgerAccount.key == key, *where)) or 0)


def _booked(session: Session, source: str) -> tuple[int, ...]:
    """Pay, fee and tax by the books."""
    codes = (EXPERT_PAYABLE, chart.client_fees().code, chart.tax_payable().code)
    rows = session.execute(
        sa.select(LedgerAccount.code, sa.func.sum(-Posting.amount))
        .join(Posting.account)
        .join(Posting.entry)
        .where(JournalEntry.source == source)
        .where(LedgerAccount.code.in_(codes))
        .group_by(LedgerAccount.code)
    )
    sums = {code: int(amount) for code, amount in rows}
    return tuple(sums.get(code, 0) for code in codes)


EXPERT_PAYABLE = chart.expert_payable(uuid.UUID(int=0)).code

PROOFS = [
    Proof("C1", "Reserved money is what reservations hold", reserved_is_held),
    Proof("C2", "Nothing is spent or reserved that was not funded", never_more_than_funded),
    Proof("C3", "Approvals are their lines and their journal entries", approvals_tie),
    Proof("C20", "Bonuses and corrections are their journal entries", adjustments_tie),
    Proof("C4", "Nobody works on two things at once", nobody_is_twice),
    Proof("C5", "Weeks begin on Monday where the expert lives", weeks_are_right),
    Proof("C6", "Disputed money is what open disputes hold", disputed_is_held),
    Proof("C7", "Of a questioned line is approved what was awarded", disputes_add_up),
    Proof("C9", "The site bears no more than roundings", only_roundings_are_ours),
    Proof("C8", "An approved hour keeps the rate of its day", rates_are_locked),
    Proof("C21", "An approved hour keeps the fee of its day", fees_are_locked),
    *TAX_PROOFS,
    Proof("C10", "No time counts for a use of it that was not answered in time", silence_is_no_consent),
]
