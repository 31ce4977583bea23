"""Reading money for pages: client's lots, an expert's hours and deposits, finance's batches. Scoped."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from marketplace import clock
from marketplace.actor import CLIENT, FINANCE, Actor, Role
from marketplace.contracts import queries as work
from marketplace.contracts import rounding
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import TimeKind, TimesheetState
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments import batches, promises, words
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    ConnectedPayoutTransfer,
    Funding,
    PayoutBatch,
    PayoutItem,
    PayoutItemApproval,
    Sweep,
    Transfer,
)
from marketplace.payments.outcomes import GatewayError
from marketplace.payments.states import ItemState

IN_A_RUN = (ItemState.PREPARED, ItemState.RELEASED, ItemState.SENDING, ItemState.UNKNOWN)
T = TypeVar("T")
LEFT_OUT = (ItemState.BLOCKED, ItemState.CANCELLED)
TROUBLE = (ItemState.UNKNOWN, ItemState.FAILED, ItemState.RETURNED)


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


@dataclass(frozen=True)
class Cover:
    """Does what Stripe has available, by source type, cover `needed`?"""

    needed: Money
    spendable: Mapping[str, Money]

    @property
    def available(self) -> Money:
        """All source types together."""
        return Money(sum(each.amount for each in self.spendable.values()), self.needed.currency)

    @property
    def short(self) -> Money | None:
        """What is missing, if anything is."""
        missing = self.needed.amount - self.available.amount
        return Money(missing, self.needed.currency) if missing > 0 else None


def fundings_of(actor: Actor, project_id: int) -> sa.Select[Funding]:
    """A project's lots, for its client's people and for finance."""
    return sa.select(Funding).where(Funding.project_id == project_id, _client_side(actor))


def funding(session: Session, actor: Actor, public_id: uuid.UUID) -> Funding:
    """One lot. Raises NotFound."""
    found = session.scalars(
        sa.select(Funding)
        .where(Funding.public_id == public_id, _client_side(actor))
        .options(joinedload(Funding.project))
    ).one_or_none()
    return _there(found)


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
        .where(Contract.person_id == actor.id, Timesheet.all_entries.any())
        .options(
            contains_eager(Timesheet.contract).options(
                joinedload(Contract.gig), joinedload(Contract.organization), selectinload(Contract.rates)
            ),
            selectinload(Timesheet.all_entries),
            joinedload(Timesheet.approval),
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
    payout = _there(
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


def batches_for(actor: Actor) -> sa.Select[PayoutBatch]:
    """All batches, for finance."""
    actor.require(*FINANCE)
    return sa.select(PayoutBatch).options(joinedload(PayoutBatch.preparer), joinedload(PayoutBatch.releaser))


def sizes(session: Session, ids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """How many experts each batch pays, and how much in all (minor units)."""
    rows = session.execute(
        sa.select(PayoutItem.batch_id, sa.func.count(), sa.func.sum(PayoutItem.amount))
        .where(
            PayoutItem.batch_id.in_(list(ids)),
            PayoutItem.state.not_in(LEFT_OUT),
        )
        .group_by(PayoutItem.batch_id)
    )
    return {batch: (count, int(amount)) for batch, count, amount in rows}


def batch(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutBatch:
    """One batch. Raises NotFound."""
    return _there(session.scalars(batches_for(actor).where(PayoutBatch.public_id == public_id)).one_or_none())


def paid_by(batch: PayoutBatch) -> sa.Select[PayoutItem]:
    """The items that the batch pays, with who they are for."""
    return _items_of(batch).where(PayoutItem.state.not_in(LEFT_OUT))


def left_out_of(batch: PayoutBatch) -> sa.Select[PayoutItem]:
    """The items that are only listed, with who they are for."""
    return _items_of(batch).where(PayoutItem.state.in_(LEFT_OUT))


def by_state(session: Session, batch: PayoutBatch) -> dict[ItemState, tuple[int, Money]]:
    """How many of a batch's items are in each state, and how much they are."""
    rows = session.execute(
        sa.select(PayoutItem.state, sa.func.count(), sa.func.sum(PayoutItem.amount))
        .where(PayoutItem.batch_id == batch.id)
        .group_by(PayoutItem.state)
    )
    return {state: (count, Money(int(amount), batch.currency)) for state, count, amount in rows}


def trouble(session: Session, actor: Actor, limit: int = 50) -> Sequence[PayoutItem]:
    """Items that somebody should know of, newest first: unknown, failed, returned, or short of money."""
    actor.require(*FINANCE)
    recent = clock.now() - timedelta(days=30)
    return session.scalars(
        sa.select(PayoutItem)
        .where(
            sa.or_(
                sa.and_(PayoutItem.state.in_(TROUBLE), PayoutItem.changed_at >= recent),
                sa.and_(PayoutItem.state == ItemState.RELEASED, PayoutItem.blocker.is_not(None)),
            )
        )
        .options(joinedload(PayoutItem.person), joinedload(PayoutItem.batch))
        .order_by(PayoutItem.changed_at.desc())
        .limit(limit)
    ).all()


def item(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutItem:
    """One payment with its tries and what it pays. Raises NotFound."""
    actor.require(*FINANCE)
    return _there(
        session.scalars(
            sa.select(PayoutItem)
            .filter_by(public_id=public_id)
            .options(
                joinedload(PayoutItem.person),
                joinedload(PayoutItem.batch),
                selectinload(PayoutItem.transfers),
                selectinload(PayoutItem.approvals),
            )
        ).one_or_none()
    )


def owed(session: Session, currency: str) -> tuple[int, Money]:
    """How many experts are owed approved pay that is in no batch, and how much."""
    rows = session.execute(batches.unpaid(currency)).all()
    amount = sum(approval.expert_amount for approval, _person in rows)
    return len({person for _approval, person in rows}), Money(amount, currency)


def cover(gateway: Gateway, needed: Money) -> Cover | None:
    """What Stripe has available for it; None when Stripe does not say."""
    try:
        spendable = gateway.balance().spendable(needed.currency)
    except GatewayError:
        return None
    return Cover(needed, {kind: Money(amount, needed.currency) for kind, amount in spendable.items()})


def sweeps_for(actor: Actor) -> sa.Select[Sweep]:
    """All sweeps, for finance."""
    actor.require(*FINANCE)
    return sa.select(Sweep).options(joinedload(Sweep.preparer), joinedload(Sweep.releaser))


def sweep(session: Session, actor: Actor, public_id: uuid.UUID) -> Sweep:
    """One sweep. Raises NotFound."""
    return _there(session.scalars(sweeps_for(actor).where(Sweep.public_id == public_id)).one_or_none())


def payouts_of(session: Session, item: PayoutItem) -> Sequence[ConnectedPayout]:
    """The payouts to the expert's bank that carry the item, the latest last: it may have come back."""
    return [payout for _item_id, payout in _carrying(session, [item.id])]


def payouts_status(session: Session) -> list[dict[str, object]]:
    """For the command line: batches that are not settled, with the number and sum of items by state."""
    rows = session.execute(
        sa.select(
            PayoutBatch.public_id,
            PayoutBatch.state,
            PayoutBatch.currency,
            PayoutItem.state,
            sa.func.count(),
            sa.func.sum(PayoutItem.amount),
        )
        .join(PayoutBatch.items)
        .where(PayoutBatch.state.not_in(("settled", "cancelled")))
        .group_by(PayoutBatch.id, PayoutItem.state)
        .order_by(PayoutBatch.id, PayoutItem.state)
    )
    return [
        {
            "batch": str(batch),
            "batch_state": batch_state.value,
            "item_state": item_state.value,
            "items": count,
            "amount": int(amount),
            "currency": currency,
        }
        for batch, batch_state, currency, item_state, count, amount in rows
    ]


def _items_of(batch: PayoutBatch) -> sa.Select[PayoutItem]:
    return (
        sa.select(PayoutItem)
        .where(PayoutItem.batch_id == batch.id)
        .options(joinedload(PayoutItem.person), joinedload(PayoutItem.account))
    )


def _client_side(actor: Actor) -> sa.ColumnElement[bool]:
    if actor.has(Role.OPERATOR, *FINANCE):
        return sa.true()
    return Funding.organization_id.in_(actor.organizations(*CLIENT))


def _items_paying(session: Session, approval_ids: Sequence[int]) -> dict[int, PayoutItem]:
    rows = session.execute(
        sa.select(PayoutItemApproval.approval_id, PayoutItem)
        .join(PayoutItemApproval.item)
        .where(PayoutItemApproval.approval_id.in_(approval_ids), PayoutItemApproval.ended_at.is_(None))
    )
    return dict(rows.all())


def _payouts_of(session: Session, item_ids: Iterable[int]) -> dict[int, ConnectedPayout]:
    """The latest payout that carries each item."""
    return dict(_carrying(session, item_ids))


def _carrying(session: Session, item_ids: Iterable[int]) -> Sequence[sa.Row[int, ConnectedPayout]]:
    return session.execute(
        sa.select(Transfer.payout_item_id, ConnectedPayout)
        .join(ConnectedPayoutTransfer, ConnectedPayoutTransfer.transfer_id == Transfer.id)
        .join(ConnectedPayout, ConnectedPayout.id == ConnectedPayoutTransfer.payout_id)
        .where(Transfer.payout_item_id.in_(list(item_ids)))
        .order_by(ConnectedPayout.created_at, ConnectedPayout.id)
    ).all()


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


def _there(found: T | None) -> T:
    if found is None:
        raise NotFound(_("There is no such page, or it is not yours to see."))
    return found
