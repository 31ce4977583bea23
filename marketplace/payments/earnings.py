"""An expert's hours and deposits, and what became of each: for their own pages. Scoped."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts import queries as work
from marketplace.contracts import rounding
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import TimeKind, TimesheetState
from marketplace.gigs.find import there
from marketplace.money import Money
from marketplace.payments import batches, promises, words
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    ConnectedPayoutTransfer,
    PayoutItem,
    PayoutItemApproval,
    Transfer,
)
from marketplace.payments.queries import IN_A_RUN, carrying
from marketplace.payments.states import ItemState


@dataclass(frozen=True)
class EarnedWeek:
    """A week of one contract with the one state its hours are in, and when their pay is expected."""

    sheet: Timesheet
    minutes: int
    pay: Money
    state: str
    says: str
    expected: date | None
    deposit: uuid.UUID | None

    @property
    def arrived(self) -> bool:
        """Is the money in the bank, so that the day is no promise any more?"""
        return self.state in (ItemState.PAID, ItemState.SETTLED)


@dataclass(frozen=True)
class Deposit:
    """One payout to an expert's bank, explained down to each line; `rest` is what no line explains."""

    payout: ConnectedPayout
    lines: Sequence[work.PaidLine]
    pay: Money
    fee: Money
    rest: Money

    @property
    def rounding(self) -> str:
        """What rounding each line did to the pay, if it did anything."""
        priced = ((line.minutes, line.rate, line.expert_amount) for line in self.lines)
        return rounding.said(priced, self.payout.currency)


def account_of(session: Session, actor: Actor) -> ConnectedAccount | None:
    """The expert's own account at Stripe."""
    return session.scalars(
        sa.select(ConnectedAccount).filter_by(person_id=actor.id, ended_at=None)
    ).one_or_none()


def weeks_of(actor: Actor) -> sa.Select[Timesheet]:
    """The expert's weeks in which something was worked."""
    return (
        sa.select(Timesheet)
        .join(Timesheet.contract)
        .where(Contract.person_id == actor.id, Timesheet.worked())
        .options(
            contains_eager(Timesheet.contract).options(
                joinedload(Contract.gig), joinedload(Contract.organization), selectinload(Contract.rates)
            ),
            selectinload(Timesheet.all_entries),
            selectinload(Timesheet.approvals),
        )
    )


def earned(session: Session, sheets: Iterable[Timesheet]) -> list[EarnedWeek]:
    """Each week with its one state. Two queries, however many weeks."""
    sheets = list(sheets)
    items = _items_paying(session, [sheet.approval.id for sheet in sheets if sheet.approval])
    payouts = _payouts_of(session, {item.id for item in items.values()})
    return [_earned(sheet, items, payouts) for sheet in sheets]


def sums_of(session: Session, actor: Actor, currency: str) -> dict[str, Money]:
    """The expert's money by where it is: `submitted`, `approved`, `run`, `way`, `paid`."""
    submitted = session.scalars(weeks_of(actor).where(Timesheet.state == TimesheetState.SUBMITTED)).unique()
    approved = session.execute(batches.unpaid(currency).where(Contract.person_id == actor.id))
    rows = session.execute(
        sa.select(PayoutItem.state, sa.func.sum(PayoutItem.amount))
        .where(PayoutItem.person_id == actor.id)
        .group_by(PayoutItem.state)
    )
    by_state = {state: int(amount) for state, amount in rows}
    amounts = {
        "submitted": sum(work.amounts(sheet)[0].amount for sheet in submitted),
        "approved": sum(approval.expert_amount for approval, _person in approved),
        "run": sum(by_state.get(state, 0) for state in IN_A_RUN),
        "way": by_state.get(ItemState.SENT, 0) + by_state.get(ItemState.RETURNED, 0),
        "paid": by_state.get(ItemState.PAID, 0) + by_state.get(ItemState.SETTLED, 0),
    }
    return {name: Money(int(amount), currency) for name, amount in amounts.items()}


def deposits_of(actor: Actor) -> sa.Select[ConnectedPayout]:
    """Payouts to the expert's bank."""
    return (
        sa.select(ConnectedPayout).join(ConnectedPayout.account).where(ConnectedAccount.person_id == actor.id)
    )


def deposit(session: Session, actor: Actor, public_id: uuid.UUID) -> Deposit:
    """One of the expert's payouts, explained. Raises NotFound."""
    payout = there(
        session.scalars(deposits_of(actor).where(ConnectedPayout.public_id == public_id)).one_or_none()
    )
    paid = session.scalars(
        sa.select(PayoutItemApproval.approval_id)
        .join(Transfer, Transfer.payout_item_id == PayoutItemApproval.payout_item_id)
        .join(ConnectedPayoutTransfer, ConnectedPayoutTransfer.transfer_id == Transfer.id)
        .where(ConnectedPayoutTransfer.payout_id == payout.id)
    ).all()
    lines = work.lines_for_payable(session, paid)
    pay, fee = sum(line.expert_amount for line in lines), sum(line.fee_amount for line in lines)
    in_currency = [Money(amount, payout.currency) for amount in (pay, fee, payout.amount - pay)]
    return Deposit(payout, lines, *in_currency)


def _items_paying(session: Session, approval_ids: Sequence[int]) -> dict[int, PayoutItem]:
    rows = session.execute(
        sa.select(PayoutItemApproval.approval_id, PayoutItem)
        .join(PayoutItemApproval.item)
        .where(PayoutItemApproval.approval_id.in_(approval_ids), PayoutItemApproval.ended_at.is_(None))
    )
    return dict(rows.all())


def _payouts_of(session: Session, item_ids: Iterable[int]) -> dict[int, ConnectedPayout]:
    """The latest payout that carries each item."""
    return dict(carrying(session, item_ids))


def _earned(
    sheet: Timesheet, items: Mapping[int, PayoutItem], payouts: Mapping[int, ConnectedPayout]
) -> EarnedWeek:
    minutes = sum(entry.minutes for entry in sheet.entries if entry.kind is TimeKind.PAID)
    pay = work.amounts(sheet)[0]
    item = items.get(sheet.approval.id) if sheet.approval else None
    if item is None:
        state, expected = _before_a_run(sheet)
        return EarnedWeek(sheet, minutes, pay, state, words.hours(state), expected, None)
    payout = payouts.get(item.id)
    state = "batch" if item.state in IN_A_RUN else item.state.value
    return EarnedWeek(
        sheet,
        minutes,
        pay,
        state,
        words.hours(state),
        _expected(item, payout),
        payout.public_id if payout else None,
    )


def _before_a_run(sheet: Timesheet) -> tuple[str, date | None]:
    if sheet.approval is not None:
        due = max(sheet.approval.at, clock.now())
        return "approved", promises.arrives(promises.pay_day(due))
    if sheet.state == TimesheetState.SUBMITTED and sheet.approve_by is not None:
        return "submitted", promises.arrives(promises.pay_day(sheet.approve_by))
    return ("sent_back" if sheet.state == TimesheetState.RETURNED else "worked"), None


def _expected(item: PayoutItem, payout: ConnectedPayout | None) -> date | None:
    if item.state == ItemState.RETURNED:
        return None
    if payout is not None:
        return payout.arrival_date
    return promises.arrives(max(item.changed_at, clock.now()).date())
