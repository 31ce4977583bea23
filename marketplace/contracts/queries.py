"""Reading contracts, weeks and money for pages, within what a person may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from babel.dates import format_date
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts import limits, reservations
from marketplace.contracts.approving.models import FirstApproval
from marketplace.contracts.lines import lines_of
from marketplace.contracts.models import (
    Approval,
    ApprovedLine,
    Contract,
    Offer,
    Reservation,
    TimeEntry,
    Timesheet,
)
from marketplace.contracts.states import ContractState, OfferState, ReservationState, TimeKind, TimesheetState
from marketplace.contracts.weeks import WEEK, Week
from marketplace.gigs.models import Gig, GigRequirement, Project
from marketplace.i18n import current_locale
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.money import Money
from marketplace.reasons.models import Statement

FEWEST_BARS = 8


@dataclass(frozen=True)
class Day:
    """A day of a week and the entries that begin on it, in the contract's zone."""

    date: date
    entries: list[TimeEntry]

    @property
    def minutes(self) -> int:
        """Paid minutes of the day."""
        return sum(entry.minutes for entry in self.entries if entry.kind is TimeKind.PAID)


@dataclass(frozen=True)
class WeekView:
    """A contract's week as its page shows it. Minutes are of paid time; `left` can still be worked."""

    contract: Contract
    week: Week
    sheet: Timesheet | None
    days: list[Day]
    reserved: int
    used: int
    left: int
    running: TimeEntry | None
    stops_at: datetime | None
    pay: Money

    @property
    def before(self) -> date:
        """The Monday of the week before."""
        return self.week.monday - WEEK

    @property
    def writable(self) -> bool:
        """May the expert still enter time?"""
        return self.sheet is None or self.sheet.state in (TimesheetState.OPEN, TimesheetState.RETURNED)


@dataclass(frozen=True)
class BurnDown:
    """Where a project's money is, in its currency: what was paid in is the sum of the other four."""

    funded: Money
    spent: Money
    disputed: Money
    reserved: Money
    free: Money
    by_week: list[tuple[date, Money]]

    @property
    def points(self) -> list[dict[str, object]]:
        """The weeks as a chart draws them: eight at least, those without spending included."""
        spent = dict(self.by_week)
        last = max(spent, default=None)
        first = min(spent, default=None)
        if last is None or first is None:
            return []
        shown = max((last - first) // WEEK + 1, FEWEST_BARS)
        mondays = [last - WEEK * n for n in reversed(range(shown))]
        none = Money(0, self.free.currency)
        return [_point(monday, spent.get(monday, none)) for monday in mondays]


@dataclass(frozen=True)
class PaidLine:
    """An approved line with the names that explain it: minutes at a rate an hour, pay in minor units."""

    approval_id: int
    contract: Contract
    gig_title: str
    project_name: str
    client: str
    started_at: datetime
    minutes: int
    rate: int
    expert_amount: int
    fee_amount: int
    approved_at: datetime


def offers_for(actor: Actor, *, waiting: bool) -> sa.Select[Offer]:
    """The offers to this expert: those that wait for an answer, or those that do not any more."""
    here = Offer.state == OfferState.MADE
    return (
        sa.select(Offer)
        .where(Offer.person_id == actor.id, here if waiting else ~here)
        .options(joinedload(Offer.gig), joinedload(Offer.organization), joinedload(Offer.test))
    )


def offers_of(actor: Actor, gig: Gig) -> sa.Select[Offer]:
    """The offers made for a gig."""
    query = sa.select(Offer).where(Offer.gig_id == gig.id, Offer.visible_to(actor))
    return query.options(joinedload(Offer.person), joinedload(Offer.test))


def contract_of(session: Session, offer: Offer) -> Contract | None:
    """The contract that came of an offer, if it was signed."""
    return session.scalars(sa.select(Contract).filter_by(offer_id=offer.id)).one_or_none()


def contracts_for(actor: Actor) -> sa.Select[Contract]:
    """Contracts of both sides that this person may see."""
    return (
        sa.select(Contract)
        .where(Contract.visible_to(actor))
        .options(
            joinedload(Contract.gig).selectinload(Gig.requirements),
            joinedload(Contract.project),
            joinedload(Contract.organization),
            joinedload(Contract.person),
            joinedload(Contract.test),
            selectinload(Contract.rates),
            selectinload(Contract.fees),
            selectinload(Contract.taxes),
        )
    )


def lapsed(session: Session, actor: Actor, *where: sa.ColumnElement[bool]) -> list[tuple[Contract, str]]:
    """The contracts of one's company on which paid time has stopped, each with the credential that lacks."""
    ours = Contract.organization_id.in_(actor.organizations(*CLIENT))
    asking = Contract.gig_id.in_(sa.select(GigRequirement.gig_id))
    query = contracts_for(actor).where(ours, asking, Contract.state == ContractState.ACTIVE, *where)
    found = session.scalars(query.order_by(Contract.id)).all()
    gaps = limits.credential_gaps(session, found)
    return [(each, gaps[each.id]) for each in found if each.id in gaps]


def active_contracts(session: Session, person_id: int) -> Sequence[Contract]:
    """An expert's contracts on which work can go on."""
    query = (
        sa.select(Contract)
        .filter_by(person_id=person_id, state=ContractState.ACTIVE, test_id=None)
        .options(joinedload(Contract.gig), joinedload(Contract.organization))
        .order_by(Contract.id)
    )
    return session.scalars(query).all()


def timesheets_for(actor: Actor, *states: TimesheetState) -> sa.Select[Timesheet]:
    """Timesheets this person may see, in any of `states` (all when none are named)."""
    query = sa.select(Timesheet).where(Timesheet.visible_to(actor)).options(*_SHEET)
    return query.where(Timesheet.state.in_(states)) if states else query


def waiting_for_approval(actor: Actor) -> sa.Select[Timesheet]:
    """Submitted weeks that this client's person may decide, without those that wait for a second person
    after them."""
    return _submitted_to(actor).where(~_first_given_by(actor))


def waiting_for_second(actor: Actor) -> sa.Select[Timesheet]:
    """Submitted weeks of which this person gave the first of two approvals."""
    return _submitted_to(actor).where(_first_given_by(actor))


def _submitted_to(actor: Actor) -> sa.Select[Timesheet]:
    mine = actor.organizations(Role.CLIENT_ADMIN, Role.CLIENT_APPROVER)
    return timesheets_for(actor, TimesheetState.SUBMITTED).where(
        Timesheet.contract_id.in_(
            sa.select(Contract.id).where(Contract.organization_id.in_(mine), Contract.person_id != actor.id)
        )
    )


def _first_given_by(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        FirstApproval.timesheet_id == Timesheet.id,
        FirstApproval.ended_as.is_(None),
        FirstApproval.version == Timesheet.version,
        FirstApproval.person_id == actor.id,
    )


def returned_at() -> sa.ScalarSelect[datetime]:
    """When a timesheet of the query around it was last returned: the moment of its latest statement."""
    about_it = (Statement.subject_kind == "timesheet", Statement.subject_id == Timesheet.public_id)
    return sa.select(sa.func.max(Statement.decided_at)).where(*about_it).scalar_subquery()


def returned(
    session: Session, actor: Actor, *where: sa.ColumnElement[bool]
) -> Sequence[tuple[Timesheet, datetime]]:
    """Weeks that wait for their expert to correct them, and since when, the longest first."""
    query = (
        sa.select(Timesheet, returned_at())
        .join(Timesheet.contract)
        .where(Timesheet.visible_to(actor), Timesheet.state == TimesheetState.RETURNED, *where)
        .order_by(returned_at(), Timesheet.id)
    )
    return [(sheet, since) for sheet, since in session.execute(query)]


def week_view(session: Session, contract: Contract, week: Week) -> WeekView:
    """One week of a contract."""
    sheet = session.scalars(
        sa.select(Timesheet)
        .filter_by(contract_id=contract.id, week_start_at=week.start)
        .options(selectinload(Timesheet.all_entries))
    ).one_or_none()
    entries = sheet.entries if sheet else []
    reservation = reservations.of_week(session, contract, week)
    held = reservation is not None and reservation.state is ReservationState.HELD
    used = sum(entry.minutes for entry in entries if entry.kind is TimeKind.PAID)
    reserved = reservation.minutes if reservation else 0
    running = next((entry for entry in entries if entry.ended_at is None), None)
    return WeekView(
        contract=contract,
        week=week,
        sheet=sheet,
        days=[Day(day, _on(day, entries, contract)) for day in week.days],
        reserved=reserved,
        used=used,
        left=max(0, reserved - used) if held else 0,
        running=running,
        stops_at=_stops_at(session, contract, running),
        pay=amounts(sheet)[0] if sheet else Money(0, contract.currency),
    )


def amounts(sheet: Timesheet) -> tuple[Money, Money]:
    """Pay and fee of a week: as approved until now, or as they would be."""
    if sheet.approvals:
        pay = sum(each.expert_amount for each in sheet.approvals)
        fee = sum(each.fee_amount for each in sheet.approvals)
    else:
        lines = lines_of(sheet)
        pay, fee = sum(line.pay for line in lines), sum(line.fee for line in lines)
    return Money(pay, sheet.contract.currency), Money(fee, sheet.contract.currency)


def tax_of(sheet: Timesheet) -> Money:
    """The tax on the fee of a week: as approved until now, or as it would be."""
    if sheet.approvals:
        tax = sum(each.tax_amount for each in sheet.approvals)
    else:
        tax = sum(line.tax for line in lines_of(sheet))
    return Money(tax, sheet.contract.currency)


def burn_down(session: Session, project: Project) -> BurnDown:
    """Where the project's money is, from the ledger itself."""
    funds, reserved = chart.project_funds(project.public_id), chart.project_reserved(project.public_id)
    free = -_sum(session, funds.key, project.currency)
    held = -_sum(session, reserved.key, project.currency)
    apart = -_sum(session, chart.disputed(project.public_id).key, project.currency)
    taken = _sum(session, reserved.key, project.currency, JournalEntry.source.startswith("approval:"))
    back = -_sum(session, funds.key, project.currency, JournalEntry.source.startswith("time_dispute:"))
    besides = _sum(session, funds.key, project.currency, JournalEntry.source.startswith("adjustment:"))
    spent = taken - back - apart + besides
    return BurnDown(
        funded=Money(free + held + apart + spent, project.currency),
        spent=Money(spent, project.currency),
        disputed=Money(apart, project.currency),
        reserved=Money(held, project.currency),
        free=Money(free, project.currency),
        by_week=_spent_by_week(session, project),
    )


def lines_for_payable(session: Session, approval_ids: Sequence[int]) -> list[PaidLine]:
    """The lines of these approvals, by the time worked: what a payout item pays for."""
    rows = session.execute(
        sa.select(ApprovedLine, TimeEntry.started_at, Contract, Approval.at)
        .join(Approval, Approval.id == ApprovedLine.approval_id)
        .join(TimeEntry, TimeEntry.id == ApprovedLine.time_entry_id)
        .join(Contract, Contract.id == TimeEntry.contract_id)
        .where(ApprovedLine.approval_id.in_(approval_ids))
        .options(joinedload(Contract.gig), joinedload(Contract.project), joinedload(Contract.organization))
        .order_by(TimeEntry.started_at)
    )
    return [_paid_line(line, started_at, contract, at) for line, started_at, contract, at in rows]


def _point(monday: date, spent: Money) -> dict[str, object]:
    return {
        "label": format_date(monday, "d MMM", current_locale()),
        "value": spent.amount,
        "text": str(spent),
    }


def _paid_line(line: ApprovedLine, started_at: datetime, contract: Contract, at: datetime) -> PaidLine:
    return PaidLine(
        approval_id=line.approval_id,
        contract=contract,
        gig_title=_("Paid test for %(gig)s", gig=contract.gig.title)
        if contract.test_id
        else contract.gig.title,
        project_name=contract.project.name,
        client=contract.organization.name,
        started_at=started_at,
        minutes=line.minutes,
        rate=line.rate,
        expert_amount=line.expert_amount,
        fee_amount=line.fee_amount,
        approved_at=at,
    )


def sheets_of(contract: Contract) -> sa.Select[Timesheet]:
    """A contract's weeks."""
    return sa.select(Timesheet).filter_by(contract_id=contract.id).options(*_SHEET)


def paid_by(session: Session, contract: Contract) -> Money | None:
    """The pay of all its weeks; None when there is none yet."""
    sheets = session.scalars(sa.select(Timesheet).filter_by(contract_id=contract.id)).all()
    return Money(sum(amounts(each)[0].amount for each in sheets), contract.currency) if sheets else None


def newest_sheet(session: Session, contract: Contract) -> Timesheet | None:
    """The latest week of a contract in which anything was entered."""
    return session.scalars(sheets_of(contract).order_by(Timesheet.week_start_at.desc()).limit(1)).first()


def held_weeks(session: Session, contract: Contract) -> Sequence[Reservation]:
    """The weeks behind which money stands, oldest first."""
    held = sa.select(Reservation).filter_by(contract_id=contract.id, state=ReservationState.HELD)
    return session.scalars(held.order_by(Reservation.week_start_at)).all()


_SHEET = (
    joinedload(Timesheet.contract).joinedload(Contract.gig),
    joinedload(Timesheet.contract).joinedload(Contract.person),
    joinedload(Timesheet.contract).joinedload(Contract.organization),
    joinedload(Timesheet.contract).selectinload(Contract.rates),
    joinedload(Timesheet.contract).options(selectinload(Contract.fees), selectinload(Contract.taxes)),
    selectinload(Timesheet.approvals),
    selectinload(Timesheet.all_entries),
)


def _on(day: date, entries: Sequence[TimeEntry], contract: Contract) -> list[TimeEntry]:
    return [entry for entry in entries if entry.started_at.astimezone(contract.zone).date() == day]


def _stops_at(session: Session, contract: Contract, running: TimeEntry | None) -> datetime | None:
    if running is None or running.kind is not TimeKind.PAID:
        return None
    return limits.timer_end(session, running)[0]


def _sum(session: Session, key: str, currency: str, *where: sa.ColumnElement[bool]) -> int:
    query = (
        sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0))
        .join(Posting.account)
        .join(Posting.entry)
        .where(LedgerAccount.key == key, LedgerAccount.currency == currency, *where)
    )
    return int(session.scalar(query) or 0)


def _spent_by_week(session: Session, project: Project) -> list[tuple[date, Money]]:
    """Approved pay and fee by the Monday of the week worked, oldest first, the last twelve weeks."""
    monday = sa.cast(sa.func.timezone(Timesheet.zone, Timesheet.week_start_at), sa.Date)
    rows = session.execute(
        sa.select(monday, sa.func.sum(Approval.expert_amount + Approval.fee_amount + Approval.tax_amount))
        .select_from(Approval)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .where(Contract.project_id == project.id)
        .group_by(monday)
        .order_by(monday.desc())
        .limit(12)
    ).all()
    return [(day, Money(int(amount), project.currency)) for day, amount in reversed(rows)]
