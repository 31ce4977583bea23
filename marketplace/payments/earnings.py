"""An expert's hours and deposits, and what became of each: for their own pages. Scoped."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts import queries as work
from marketplace.contracts import rounding
from marketplace.contracts.adjustments import queries as adjustments
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.disputes import queries as disputes
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.settling import part_of
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.contracts.states import DisputeState, TimeKind, TimesheetState
from marketplace.gigs.find import there
from marketplace.money import Money
from marketplace.payments import adjusted, batches, promises, unpaid, words
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    ConnectedPayoutTransfer,
    PayoutBatch,
    PayoutItem,
    PayoutItemAdjustment,
    PayoutItemApproval,
    Transfer,
)
from marketplace.payments.queries import IN_A_RUN, carrying
from marketplace.payments.states import CAME_BACK, ItemState
from marketplace.payments.tax.states import Why

# What is left of these lies in the expert's Stripe account, or between it and the bank.
ON_THE_WAY = (ItemState.SENT, ItemState.RETURNED, ItemState.REVERSED_IN_PART)


@dataclass(frozen=True)
class EarnedWeek:
    """Hours of a week of one contract that are in one state, and when their pay is expected.

    A week has several where lines of it were questioned; `dispute` is that about the line.
    """

    sheet: Timesheet
    minutes: int
    pay: Money
    state: str
    says: str
    expected: date | None
    deposit: uuid.UUID | None
    dispute: TimeDispute | None = None

    @property
    def arrived(self) -> bool:
        """Is the money in the bank, so that the day is no promise any more?"""
        return self.state in (ItemState.PAID, ItemState.SETTLED)


@dataclass(frozen=True)
class EarnedBesides:
    """A bonus or a correction, where its money is, and when it is expected."""

    adjustment: Adjustment
    state: str
    expected: date | None
    deposit: uuid.UUID | None

    @property
    def arrived(self) -> bool:
        """Is it in the bank?"""
        return self.state in (ItemState.PAID, ItemState.SETTLED)


@dataclass(frozen=True)
class Deposit:
    """One payout to an expert's bank, explained down to each line, and bonuses and corrections besides, less
    what was `withheld` for the tax office; `rest` is what none of them explains."""

    payout: ConnectedPayout
    lines: Sequence[work.PaidLine]
    besides: Sequence[Adjustment]
    pay: Money
    fee: Money
    rest: Money
    withheld: Sequence[tuple[Why, Money]] = ()

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
                joinedload(Contract.gig),
                joinedload(Contract.organization),
                selectinload(Contract.rates),
                selectinload(Contract.fees),
                selectinload(Contract.taxes),
            ),
            selectinload(Timesheet.all_entries),
            selectinload(Timesheet.approvals).selectinload(Approval.lines),
        )
    )


def earned(session: Session, sheets: Iterable[Timesheet]) -> list[EarnedWeek]:
    """The hours of each week by the state they are in. Three queries, however many weeks."""
    sheets = list(sheets)
    items = _items_paying(session, [each.id for sheet in sheets for each in sheet.approvals])
    payouts = _payouts_of(session, {item.id for item in items.values()})
    questioned = disputes.of_sheets(session, sheets)
    return [
        row
        for sheet in sheets
        for row in (
            *_earned(sheet, items, payouts, questioned.get(sheet.id, ())),
            *_questioned(sheet, questioned.get(sheet.id, ())),
        )
    ]


def earned_besides(session: Session, actor: Actor) -> list[EarnedBesides]:
    """The expert's bonuses and corrections, the newest first."""
    found = session.scalars(adjustments.granted_to(actor).order_by(Adjustment.id.desc())).all()
    rows = session.execute(
        sa.select(PayoutItemAdjustment.adjustment_id, PayoutItem)
        .join(PayoutItemAdjustment.item)
        .where(PayoutItemAdjustment.ended_at.is_(None))
        .where(PayoutItemAdjustment.adjustment_id.in_([each.id for each in found]))
    )
    items = dict(rows.all())
    payouts = _payouts_of(session, {item.id for item in items.values()})
    return [
        EarnedBesides(each, *_approved(each.decided_at or each.made_at, items.get(each.id), payouts))
        for each in found
    ]


def sums_of(session: Session, actor: Actor, currency: str) -> dict[str, Money]:
    """The expert's money by where it is: `submitted`, `disputed`, `approved`, `run`, `way`, `paid`."""
    waits = Timesheet.state == TimesheetState.SUBMITTED, Contract.currency == currency
    submitted = session.scalars(weeks_of(actor).where(*waits)).unique()
    approved = session.execute(batches.unpaid(currency).where(Contract.person_id == actor.id))
    besides = session.scalars(adjusted.waiting(currency).where(Contract.person_id == actor.id))
    again = session.scalars(unpaid.reopened(currency).where(PayoutItem.person_id == actor.id))
    rows = session.execute(
        sa.select(PayoutItem.state, sa.func.sum(PayoutItem.amount - PayoutItem.amount_reversed))
        .join(PayoutItem.batch)
        .where(PayoutItem.person_id == actor.id, PayoutBatch.currency == currency)
        .group_by(PayoutItem.state)
    )
    by_state = {state: int(amount) for state, amount in rows}
    amounts = {
        "submitted": sum(work.amounts(sheet)[0].amount for sheet in submitted),
        "disputed": disputes.apart_from(session, actor, currency),
        "approved": sum(approval.expert_amount for approval, _person in approved)
        + sum(each.amount for each in (*besides, *again)),
        "run": sum(by_state.get(state, 0) for state in IN_A_RUN),
        "way": sum(by_state.get(state, 0) for state in ON_THE_WAY),
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
    lines, besides = work.lines_for_payable(session, paid), _besides(session, payout)
    pay, fee = sum(line.expert_amount for line in lines), sum(line.fee_amount for line in lines)
    kept = _withheld(session, payout)
    rest = (
        payout.amount - pay - sum(each.amount for each in besides) + sum(each.amount for _why, each in kept)
    )
    money = [Money(amount, payout.currency) for amount in (pay, fee, rest)]
    return Deposit(payout, lines, besides, money[0], money[1], money[2], kept)


def _withheld(session: Session, payout: ConnectedPayout) -> list[tuple[Why, Money]]:
    """Why tax was withheld of what a payout carries, and how much."""
    rows = session.execute(
        sa.select(PayoutItem.withheld_why, sa.func.sum(PayoutItem.withheld))
        .join(Transfer, Transfer.payout_item_id == PayoutItem.id)
        .join(ConnectedPayoutTransfer, ConnectedPayoutTransfer.transfer_id == Transfer.id)
        .where(ConnectedPayoutTransfer.payout_id == payout.id, PayoutItem.withheld > 0)
        .group_by(PayoutItem.withheld_why)
        .order_by(PayoutItem.withheld_why)
    )
    return [(why, Money(int(amount), payout.currency)) for why, amount in rows if why]


def _besides(session: Session, payout: ConnectedPayout) -> Sequence[Adjustment]:
    """The bonuses and corrections in a payout."""
    ids = session.scalars(
        sa.select(PayoutItemAdjustment.adjustment_id)
        .join(Transfer, Transfer.payout_item_id == PayoutItemAdjustment.payout_item_id)
        .join(ConnectedPayoutTransfer, ConnectedPayoutTransfer.transfer_id == Transfer.id)
        .where(ConnectedPayoutTransfer.payout_id == payout.id)
    )
    return adjustments.with_ids(session, ids)


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
    sheet: Timesheet,
    items: Mapping[int, PayoutItem],
    payouts: Mapping[int, ConnectedPayout],
    lines: Iterable[TimeDispute],
) -> Iterator[EarnedWeek]:
    about = {each.id: each for each in lines}
    if not sheet.approvals:
        minutes = sum(entry.minutes for entry in sheet.entries if entry.kind is TimeKind.PAID)
        yield _week(sheet, minutes, work.amounts(sheet)[0], *_before_approval(sheet))
    for approval in sheet.approvals:
        minutes = sum(line.minutes for line in approval.lines)
        if minutes:
            pay = Money(approval.expert_amount, sheet.contract.currency)
            row = _week(sheet, minutes, pay, *_approved(approval.at, items.get(approval.id), payouts))
            yield replace(row, dispute=about.get(approval.dispute_id or 0))


def _week(
    sheet: Timesheet, minutes: int, pay: Money, state: str, expected: date | None,
    deposit: uuid.UUID | None = None,
) -> EarnedWeek:  # fmt: skip
    return EarnedWeek(sheet, minutes, pay, state, words.hours(state), expected, deposit)


def _questioned(sheet: Timesheet, lines: Iterable[TimeDispute]) -> Iterator[EarnedWeek]:
    """What of its questioned lines nobody has approved: it waits, or is not paid in the end."""
    for dispute in lines:
        had = part_of(dispute, dispute.awarded_minutes or 0)
        minutes, pay = dispute.minutes - had.minutes, dispute.expert_amount - had.pay
        if minutes:
            state = "not_paid" if dispute.state is DisputeState.SETTLED else "disputed"
            row = _week(sheet, minutes, Money(pay, sheet.contract.currency), state, None)
            yield replace(row, dispute=dispute)


def _approved(
    at: datetime, item: PayoutItem | None, payouts: Mapping[int, ConnectedPayout]
) -> tuple[str, date | None, uuid.UUID | None]:
    if item is None:
        due = max(at, clock.now())
        return "approved", promises.arrives(promises.pay_day(due)), None
    payout = payouts.get(item.id)
    state = "batch" if item.state in IN_A_RUN else item.state.value
    return state, _expected(item, payout), payout.public_id if payout else None


def _before_approval(sheet: Timesheet) -> tuple[str, date | None]:
    if sheet.state == TimesheetState.SUBMITTED and sheet.approve_by is not None:
        return "submitted", promises.arrives(promises.pay_day(sheet.approve_by))
    return ("sent_back" if sheet.state == TimesheetState.RETURNED else "worked"), None


def _expected(item: PayoutItem, payout: ConnectedPayout | None) -> date | None:
    if item.state in (ItemState.RETURNED, *CAME_BACK):
        return None
    if payout is not None:
        return payout.arrival_date
    return promises.arrives(max(item.changed_at, clock.now()).date())
