"""Payout batches: one person prepares, another releases. What is released is what was shown, to the cent."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import alarms, audit, clock, jobs, ledger
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.alarms.stops import Stops
from marketplace.contracts.adjustments import hooks
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.money import Money
from marketplace.payments import adjusted, covered, words
from marketplace.payments.models import (
    LIVE_ITEM,
    ConnectedAccount,
    PayoutBatch,
    PayoutItem,
    PayoutItemAdjustment,
    PayoutItemApproval,
    item_key,
)
from marketplace.payments.runs import confirming
from marketplace.payments.setup import holding, wishes
from marketplace.payments.setup.stops import stop
from marketplace.payments.states import BatchState, Blocker, ItemState, move
from marketplace.settings import current

# Drifts that stop sending: entries out of balance, a client's or an expert's account below zero.
GUARDS = ("P1", "P4", "P5")


@use_case
def prepare_batch(session: Session, actor: Actor, cut_off_at: datetime, currency: str = "USD") -> PayoutBatch:
    """Gather what was approved up to `cut_off_at` (UTC) and nobody was paid for, one item for each expert.

    Experts who cannot be paid now are listed with the reason, and stay owed. Raises NotAllowed, Invalid or
    Refused.
    """
    actor.require(Role.FINANCE_PREPARER)
    now = clock.now()
    if cut_off_at > now:
        raise Invalid(_("Choose a moment that has passed."), field="cut_off")
    covered.take_turns(session)
    pay = _unpaid(session, cut_off_at, currency)
    if not pay:
        raise Refused(_("Nothing that was approved by then is waiting to be paid."))
    batch = PayoutBatch(currency=currency, cut_off_at=cut_off_at, prepared_by=actor.id, prepared_at=now)
    batch.state = BatchState.PREPARED
    session.add(batch)
    _add_items(session, batch, pay)
    session.flush()
    wishes.take_up(session, batch.id, wishes.asking(session) & {item.person_id for item in going(batch)})
    audit.record(
        session, actor, "prepare", "payout_batch", batch.public_id,
        cut_off_at=cut_off_at, items=len(going(batch)), amount=total(going(batch)), currency=currency,
    )  # fmt: skip
    return batch


@use_case
def release_batch(
    session: Session, actor: Actor, public_id: uuid.UUID, seen: str | None = None
) -> PayoutBatch:
    """Let a prepared batch go: what it pays moves from owed to in flight, and the worker begins to send.

    Above the limit the first of two only confirms it, and it stays prepared. `seen` is the hash of what the
    page showed. Whoever cannot be paid any more, or whose client works on credit and has not paid while the
    money is not there, is let go with the reason. Raises NotFound, NotAllowed, FreshFactorNeeded, or Refused
    when the books drift or something it pays is no longer what was shown.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    covered.take_turns(session)
    batch = locked(session, public_id)
    _require_second_person(batch.prepared_by, actor)
    confirming.require_seen(session, batch, seen)
    before = len(going(batch))
    items = _still_going(session, batch)
    if not items:
        why = "; ".join(sorted({words.blocker(each.blocker) for each in batch.items if each.blocker}))
        raise Refused(
            _("Nobody in this batch can be paid now (%(why)s). Cancel it and prepare another.", why=why)
        )
    _require_sound_books(session)
    left_out = len(items) < before
    if batch.state is BatchState.PREPARED and not confirming.may_go(
        session, actor, batch, total(items), left_out=left_out
    ):
        return batch
    move(batch, BatchState.RELEASED)
    batch.released_by, batch.released_at = actor.id, clock.now()
    _fly(session, actor, batch, items)
    for item in items:
        _go(item)
    audit.record(
        session, actor, "release", "payout_batch", batch.public_id, items=len(items), amount=total(items)
    )
    jobs.defer(session, "payments.send_batch", lock=f"batch:{batch.public_id}", batch=str(batch.public_id))
    return batch


@use_case
def cancel_batch(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutBatch:
    """Drop a batch that was not released; what it would have paid is offered again."""
    actor.require(Role.FINANCE_PREPARER, Role.FINANCE_RELEASER)
    batch = locked(session, public_id)
    move(batch, BatchState.CANCELLED)
    for item in going(batch):
        let_go(session, item, ItemState.CANCELLED)
    audit.record(session, actor, "cancel", "payout_batch", batch.public_id)
    return batch


@use_case
def cancel_item(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutItem:
    """Take one expert out of a batch that was not released; the pay is offered again in the next."""
    actor.require(Role.FINANCE_PREPARER)
    batch_id = session.scalar(
        sa.select(PayoutBatch.public_id).join(PayoutBatch.items).where(PayoutItem.public_id == public_id)
    )
    if batch_id is None:
        raise NotFound(_("There is no such payment."))
    item = next(each for each in locked(session, batch_id).items if each.public_id == public_id)
    let_go(session, item, ItemState.CANCELLED)
    audit.record(session, actor, "cancel", "payout_item", item.public_id)
    return item


def locked(session: Session, public_id: uuid.UUID) -> PayoutBatch:
    """The batch with its items, held until the transaction ends. Raises NotFound."""
    batch = session.scalars(
        sa.select(PayoutBatch)
        .filter_by(public_id=public_id)
        .with_for_update(of=PayoutBatch)
        .options(
            selectinload(PayoutBatch.items).options(
                joinedload(PayoutItem.person),
                joinedload(PayoutItem.account),
                selectinload(PayoutItem.approvals).joinedload(PayoutItemApproval.approval),
                selectinload(PayoutItem.adjustments).joinedload(PayoutItemAdjustment.adjustment),
            )
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if batch is None:
        raise NotFound(_("There is no such batch."))
    return batch


def going(batch: PayoutBatch) -> list[PayoutItem]:
    """The items that are, or were, part of the run; the blocked and the cancelled are only listed."""
    return [item for item in batch.items if item.state not in (ItemState.BLOCKED, ItemState.CANCELLED)]


def total(items: Iterable[PayoutItem]) -> int:
    """Minor units."""
    return sum(item.amount for item in items)


def let_go(session: Session, item: PayoutItem, to: ItemState) -> None:
    """End the item without payment, so that another may pay what it was to pay, as soon as was wished."""
    move(item, to)
    wishes.give_back(session, item.batch_id, item.person_id)
    item.changed_at = clock.now()
    for hours in item.approvals:
        hours.ended_at = clock.now()
    for more in item.adjustments:
        more.ended_at = clock.now()


def fingerprint(
    person: uuid.UUID, destination: str, approvals: Iterable[Approval], adjustments: Iterable[Adjustment] = ()
) -> bytes:
    """What an item pays, to whom and where, as a hash: equal when released and when sent."""
    lines = [
        f"{approval.public_id}:{approval.lines_sha256.hex()}:{approval.expert_amount}"
        for approval in approvals
    ]
    lines += [f"adjustment:{each.public_id}:{each.amount}" for each in adjustments]
    return hashlib.sha256("\n".join([str(person), destination, *sorted(lines)]).encode()).digest()


def is_unchanged(item: PayoutItem) -> bool:
    """Does the item still pay exactly what was frozen when it was prepared?"""
    approvals = [each.approval for each in item.approvals]
    adjustments = [each.adjustment for each in item.adjustments]
    destination = item.account.stripe_id if item.account else None
    frozen = fingerprint(item.person.public_id, destination or "", approvals, adjustments)
    return paid_by(item) == item.amount and frozen == item.frozen_sha256


def paid_by(item: PayoutItem) -> int:
    """Minor units of what the item pays, as it was approved."""
    hours = sum(each.approval.expert_amount for each in item.approvals)
    return hours + sum(each.adjustment.amount for each in item.adjustments)


@dataclass(frozen=True)
class _Pay:
    """One expert and what they are owed for, in order of approval."""

    person: Person
    approvals: Sequence[Approval]
    adjustments: Sequence[Adjustment]
    account: ConnectedAccount | None
    busy: bool
    held: bool
    least: int

    @property
    def amount(self) -> int:
        hours = sum(approval.expert_amount for approval in self.approvals)
        return hours + sum(adjustment.amount for adjustment in self.adjustments)

    @property
    def blocker(self) -> Blocker | None:
        if self.busy:
            return Blocker.IN_ANOTHER_BATCH
        if (found := stop(self.person, self.account, held=self.held)) is not None:
            return found
        return Blocker.BELOW_MINIMUM if self.amount < self.least else None


def unpaid(currency: str, cut_off_at: datetime | None = None) -> sa.Select[Approval, int]:
    """Approvals that no live item pays, with the internal id of the person they are owed to."""
    query = (
        sa.select(Approval, Contract.person_id)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .where(
            Contract.currency == currency,
            Approval.expert_amount > 0,
            ~sa.exists().where(
                PayoutItemApproval.approval_id == Approval.id, PayoutItemApproval.ended_at.is_(None)
            ),
        )
        .order_by(Approval.id)
    )
    return query if cut_off_at is None else query.where(Approval.at <= cut_off_at)


def _unpaid(session: Session, cut_off_at: datetime, currency: str) -> list[_Pay]:
    rows = session.execute(unpaid(currency, cut_off_at)).all()
    waiting = covered.waiting(session, currency)
    rows = [row for row in rows if row[0].id not in waiting]
    adjustments = session.scalars(adjusted.waiting(currency, cut_off_at)).all()
    owed, more = adjusted.going_out(rows, adjustments)
    ids = {*owed, *more}
    people = session.scalars(sa.select(Person).where(Person.id.in_(ids)).order_by(Person.id)).all()
    accounts = session.scalars(
        sa.select(ConnectedAccount).where(
            ConnectedAccount.person_id.in_(ids), ConnectedAccount.ended_at.is_(None)
        )
    )
    account_of = {account.person_id: account for account in accounts}
    busy = set(
        session.scalars(
            sa.select(PayoutItem.person_id).where(
                PayoutItem.person_id.in_(ids), PayoutItem.state.in_(LIVE_ITEM)
            )
        )
    )
    held, least = holding.holding(session), _least(session, currency)
    pay = [
        _Pay(
            each, owed[each.id], more[each.id], account := account_of.get(each.id), each.id in busy,
            account is not None and account.id in held, least.get(each.id, current().payout_minimum),
        )
        for each in people
    ]  # fmt: skip
    # What was corrected down to nothing waits for something to pay.
    return [each for each in pay if each.amount > 0]


def _least(session: Session, currency: str) -> dict[int, int]:
    """From how many minor units on somebody is paid who chose, or who asks to be paid now."""
    asking = dict.fromkeys(wishes.asking(session), current().payout_minimum)
    return {**wishes.minimums(session, currency), **asking}


def payable_for(session: Session, contract: Contract) -> int:
    """Minor units that are owed for a contract and in no live item; no batch takes them until the
    transaction ends."""
    covered.take_turns(session)
    hours = session.execute(unpaid(contract.currency).where(Contract.id == contract.id))
    more = session.scalars(adjusted.waiting(contract.currency).where(Adjustment.contract_id == contract.id))
    return sum(each.expert_amount for each, _person in hours) + sum(each.amount for each in more)


def _add_items(session: Session, batch: PayoutBatch, pay: Sequence[_Pay]) -> None:
    now = clock.now()
    for each in pay:
        blocker = each.blocker
        destination = each.account.stripe_id if each.account else None
        item = PayoutItem(
            batch=batch,
            person=each.person,
            account=each.account,
            amount=each.amount,
            state=ItemState.BLOCKED if blocker else ItemState.PREPARED,
            blocker=blocker,
            frozen_sha256=fingerprint(
                each.person.public_id, destination or "", each.approvals, each.adjustments
            ),
            changed_at=now,
        )
        session.add(item)
        # What a blocked item would pay is kept to be looked at, and ended at once: another may pay it.
        item.approvals = [
            PayoutItemApproval(
                approval=approval, amount=approval.expert_amount, ended_at=now if blocker else None
            )
            for approval in each.approvals
        ]
        item.adjustments = [
            PayoutItemAdjustment(adjustment=more, amount=more.amount, ended_at=now if blocker else None)
            for more in each.adjustments
        ]


def _require_second_person(prepared_by: int, actor: Actor) -> None:
    if prepared_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to release it. Ask a colleague."))


def _still_going(session: Session, batch: PayoutBatch) -> list[PayoutItem]:
    """The items whose expert can still be paid; the others are blocked, and their pay is offered again."""
    items = []
    held, waiting = holding.holding(session), covered.waiting(session, batch.currency)
    for item in going(batch):
        found = stop(item.person, item.account, held=item.connected_account_id in held)
        if found is None and any(each.approval_id in waiting for each in item.approvals):
            found = Blocker.CLIENT_OWES
        if found is not None:
            item.blocker = found
            let_go(session, item, ItemState.BLOCKED)
        elif not is_unchanged(item):
            raise Refused(
                _("What %(name)s is to be paid has changed. Cancel the batch and prepare another.",
                  name=item.person.full_name)
            )  # fmt: skip
        else:
            items.append(item)
    return items


def _require_sound_books(session: Session) -> None:
    alarms.require_none(session, Stops.SENDING)
    for proof in LEDGER_PROOFS:
        if proof.code in GUARDS and (drift := next(iter(proof.run(session)), None)):
            raise Refused(
                _(
                    "The books do not add up (%(code)s, %(subject)s: %(expected)s expected, "
                    "%(found)s found), so nothing is paid until that is explained.",
                    code=proof.code,
                    subject=drift.subject,
                    expected=drift.expected,
                    found=drift.found,
                )
            )


def _fly(session: Session, actor: Actor, batch: PayoutBatch, items: Sequence[PayoutItem]) -> None:
    """Move what is paid from owed to in flight, under a lock that no second batch gets past."""
    needs = {chart.expert_payable(item.person.public_id): item.amount for item in items}
    ledger.require_covers(session, batch.currency, needs)
    now = clock.now()
    ledger.post_many(
        session,
        actor,
        [
            NewEntry(
                item_key(item.public_id),
                "released",
                batch.currency,
                [
                    (chart.expert_payable(item.person.public_id), item.amount),
                    (chart.expert_in_flight(item.person.public_id), -item.amount),
                ],
                now,
                _("Payout released"),
            )
            for item in items
        ],
    )


def _go(item: PayoutItem) -> None:
    move(item, ItemState.RELEASED)
    item.changed_at = clock.now()


def amount_of(batch: PayoutBatch) -> Money:
    """What the batch pays in all."""
    return Money(total(going(batch)), batch.currency)


hooks.waiting.append(payable_for)
