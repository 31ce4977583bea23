"""Client money coming in, experts' pay going out, our own fees swept, and what Stripe told us of each."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval
from marketplace.db import Base, Json, Key, Public, Word
from marketplace.gigs.models import Project
from marketplace.payments.states import (
    BatchState,
    Blocker,
    FundingState,
    ItemState,
    Rail,
    SweepState,
    TopUpState,
    TransfersState,
    TransferState,
)
from marketplace.payments.tax.states import Why


class StripeCustomer(Base):
    """An organization as Stripe knows it when it pays."""

    __tablename__ = "stripe_customers"

    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"), primary_key=True)
    stripe_id: Mapped[str] = mapped_column(unique=True)


class StripeRequest(Base):
    """What Stripe was asked to make for `subject`, kept word by word until there is an `answer`, its id."""

    __tablename__ = "stripe_requests"

    subject: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    asked: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    answer: Mapped[str | None]
    asked_at: Mapped[datetime]


class Funding(Public, Base):
    """One lot of client money. `amount` was asked for the project, `charge_amount` was charged so that it
    arrives net of processing, and `net` did arrive; all in minor units of `currency`. `source_type` is the
    part of Stripe's balance that the money lies in. A wire names its ISO 11649 `reference`, and came
    `paid_from` an account, as the bank's statement names it. A bank debit is `under_way_at`, once Stripe
    shows it, and may fail at `failed_at`, also after it was paid; then `failure_transaction` is what left our
    balance. Where Stripe settled it in another currency, `settled_amount` and `settled_fee` are of that.
    """

    __tablename__ = "fundings"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"))
    currency: Mapped[str]
    amount: Mapped[int]
    charge_amount: Mapped[int]
    rail: Mapped[Rail] = mapped_column(Word(Rail))
    state: Mapped[FundingState] = mapped_column(Word(FundingState), default=FundingState.PREPARED)
    session_id: Mapped[str | None] = mapped_column(unique=True)
    payment_intent: Mapped[str | None] = mapped_column(unique=True)
    charge: Mapped[str | None] = mapped_column(unique=True)
    balance_transaction: Mapped[str | None] = mapped_column(unique=True)
    fee: Mapped[int | None]
    net: Mapped[int | None]
    settled_currency: Mapped[str | None]
    settled_amount: Mapped[int | None]
    settled_fee: Mapped[int | None]
    exchange_rate: Mapped[Decimal | None] = mapped_column(sa.Numeric)
    source_type: Mapped[str | None]
    available_on: Mapped[datetime | None]
    failure: Mapped[str | None]
    reference: Mapped[str | None] = mapped_column(unique=True)
    paid_from: Mapped[str | None]
    failure_transaction: Mapped[str | None] = mapped_column(unique=True)
    under_way_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    created_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    created_at: Mapped[datetime]
    looked_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]

    project: Mapped[Project] = relationship()


class ConnectedAccount(Public, Base):
    """An expert's account at Stripe. `stripe_id` is None until Stripe confirmed that it exists.

    `requirements` is a list of `{"what", "who", "when", "by", "stops", "errors"}`, as last seen at
    `refreshed_at`; the last two are missing from what was seen before they were kept. `reason` and `way_out`
    are Stripe's words for a capability that is off. `bank_mark` tells one set of bank accounts from another
    and is no number; `owes` is the currency and minor units of each balance that is below zero.
    """

    __tablename__ = "connected_accounts"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    country: Mapped[str]
    transfers: Mapped[TransfersState] = mapped_column(Word(TransfersState), default=TransfersState.NEW)
    reason: Mapped[str | None]
    way_out: Mapped[str | None]
    requirements: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    bank_mark: Mapped[bytes | None]
    owes: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)
    created_at: Mapped[datetime]
    refreshed_at: Mapped[datetime | None]
    payouts_seen_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship()

    @property
    def ready(self) -> bool:
        return self.transfers == TransfersState.ACTIVE and self.stripe_id is not None


class PayoutBatch(Public, Base):
    """A run of transfers for what was approved up to `cut_off_at`. One prepares it, another releases it."""

    __tablename__ = "payout_batches"

    id: Mapped[Key]
    currency: Mapped[str]
    state: Mapped[BatchState] = mapped_column(Word(BatchState), default=BatchState.PREPARED)
    cut_off_at: Mapped[datetime]
    prepared_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    prepared_at: Mapped[datetime]
    released_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    released_at: Mapped[datetime | None]

    items: Mapped[list[PayoutItem]] = relationship(back_populates="batch", order_by="PayoutItem.id")
    preparer: Mapped[Person] = relationship(foreign_keys=prepared_by)
    releaser: Mapped[Person | None] = relationship(foreign_keys=released_by)


class PayoutItem(Public, Base):
    """One person's pay in a batch. `frozen_sha256` covers what it pays; sending compares it again. Of what
    was sent, `amount_reversed` came back out of the expert's Stripe account.

    `amount` is what is sent: the pay less the tax that is `withheld`, of `withheld_of` minor units of it, by
    the tax form that counted then.
    """

    __tablename__ = "payout_items"
    __table_args__ = (sa.UniqueConstraint("batch_id", "person_id"),)

    id: Mapped[Key]
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("payout_batches.id"), index=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    connected_account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("connected_accounts.id"))
    amount: Mapped[int]
    withheld: Mapped[int] = mapped_column(default=0, server_default="0")
    withheld_why: Mapped[Why | None] = mapped_column(Word(Why))
    withheld_of: Mapped[int | None]
    tax_form_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tax_forms.id"))
    state: Mapped[ItemState] = mapped_column(Word(ItemState), default=ItemState.PREPARED)
    blocker: Mapped[Blocker | None] = mapped_column(Word(Blocker))
    shortfall: Mapped[int | None]
    failure: Mapped[str | None]
    amount_reversed: Mapped[int] = mapped_column(default=0)
    frozen_sha256: Mapped[bytes]
    changed_at: Mapped[datetime]

    batch: Mapped[PayoutBatch] = relationship(back_populates="items")
    person: Mapped[Person] = relationship()
    account: Mapped[ConnectedAccount | None] = relationship()
    approvals: Mapped[list[PayoutItemApproval]] = relationship(
        back_populates="item", order_by="PayoutItemApproval.approval_id"
    )
    adjustments: Mapped[list[PayoutItemAdjustment]] = relationship(
        back_populates="item", order_by="PayoutItemAdjustment.adjustment_id"
    )
    reversals: Mapped[list[PayoutItemReversal]] = relationship(
        back_populates="item", order_by="PayoutItemReversal.reversal_id"
    )
    transfers: Mapped[list[Transfer]] = relationship(back_populates="item", order_by="Transfer.attempt")


class PayoutItemApproval(Base):
    """An approval that an item pays; at most one live item pays an approval, which the database keeps.

    `ended_at` (UTC) is since when it does not, from the beginning for an item that is only listed.
    """

    __tablename__ = "payout_item_approvals"

    payout_item_id: Mapped[int] = mapped_column(sa.ForeignKey("payout_items.id"), primary_key=True)
    approval_id: Mapped[int] = mapped_column(sa.ForeignKey("approvals.id"), primary_key=True)
    amount: Mapped[int]
    ended_at: Mapped[datetime | None]

    item: Mapped[PayoutItem] = relationship(back_populates="approvals")
    approval: Mapped[Approval] = relationship()


class PayoutItemAdjustment(Base):
    """A bonus or a correction that an item pays, or takes off; in at most one live item, as approvals are."""

    __tablename__ = "payout_item_adjustments"

    payout_item_id: Mapped[int] = mapped_column(sa.ForeignKey("payout_items.id"), primary_key=True)
    adjustment_id: Mapped[int] = mapped_column(sa.ForeignKey("adjustments.id"), primary_key=True)
    amount: Mapped[int]
    ended_at: Mapped[datetime | None]

    item: Mapped[PayoutItem] = relationship(back_populates="adjustments")
    adjustment: Mapped[Adjustment] = relationship()


class Transfer(Public, Base):
    """One try to move an item's money to its connected account. Amount and destination never change."""

    __tablename__ = "transfers"
    __table_args__ = (sa.UniqueConstraint("payout_item_id", "attempt"),)

    id: Mapped[Key]
    payout_item_id: Mapped[int] = mapped_column(sa.ForeignKey("payout_items.id"), index=True)
    attempt: Mapped[int]
    amount: Mapped[int]
    currency: Mapped[str]
    destination: Mapped[str]
    source_type: Mapped[str]
    transfer_group: Mapped[str] = mapped_column(unique=True)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    state: Mapped[TransferState] = mapped_column(Word(TransferState), default=TransferState.INTENDED)
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    destination_payment: Mapped[str | None] = mapped_column(unique=True)
    balance_transaction: Mapped[str | None] = mapped_column(unique=True)
    first_tried_at: Mapped[datetime | None]
    last_tried_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    failure: Mapped[str | None]

    item: Mapped[PayoutItem] = relationship(back_populates="transfers")


class TransferReversal(Public, Base):
    """Money of a transfer that Stripe took back out of the expert's account; then it is owed again.

    `balance_transaction` is what it brought our balance, `destination_refund` what it took from theirs.
    """

    __tablename__ = "transfer_reversals"

    id: Mapped[Key]
    transfer_id: Mapped[int] = mapped_column(sa.ForeignKey("transfers.id"), index=True)
    stripe_id: Mapped[str] = mapped_column(unique=True)
    amount: Mapped[int]
    balance_transaction: Mapped[str] = mapped_column(unique=True)
    destination_refund: Mapped[str | None] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    recorded_at: Mapped[datetime]

    transfer: Mapped[Transfer] = relationship()


class PayoutItemReversal(Base):
    """What came back and an item pays once more; in at most one live item, as approvals are."""

    __tablename__ = "payout_item_reversals"

    payout_item_id: Mapped[int] = mapped_column(sa.ForeignKey("payout_items.id"), primary_key=True)
    reversal_id: Mapped[int] = mapped_column(sa.ForeignKey("transfer_reversals.id"), primary_key=True)
    amount: Mapped[int]
    ended_at: Mapped[datetime | None]

    item: Mapped[PayoutItem] = relationship(back_populates="reversals")
    reversal: Mapped[TransferReversal] = relationship()


class ConnectedPayout(Public, Base):
    """Stripe's payout from a connected account to its bank, as last fetched."""

    __tablename__ = "connected_payouts"

    id: Mapped[Key]
    stripe_id: Mapped[str] = mapped_column(unique=True)
    connected_account_id: Mapped[int] = mapped_column(sa.ForeignKey("connected_accounts.id"), index=True)
    amount: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[datetime]
    arrival_date: Mapped[date]
    trace_id: Mapped[str | None]
    failure_code: Mapped[str | None]
    reconciliation_status: Mapped[str]
    fetched_at: Mapped[datetime]

    account: Mapped[ConnectedAccount] = relationship()
    links: Mapped[list[ConnectedPayoutTransfer]] = relationship(back_populates="payout")


class ConnectedPayoutTransfer(Base):
    """A transfer whose money a connected payout carries."""

    __tablename__ = "connected_payout_transfers"

    payout_id: Mapped[int] = mapped_column(sa.ForeignKey("connected_payouts.id"), primary_key=True)
    transfer_id: Mapped[int] = mapped_column(sa.ForeignKey("transfers.id"), primary_key=True, index=True)

    payout: Mapped[ConnectedPayout] = relationship(back_populates="links")
    transfer: Mapped[Transfer] = relationship()


class Tried:
    """What the worker asks of Stripe. Each `attempt` has a key of its own, and takes as many `tries` as it
    needs, the next at `retry_at`; `failure` is the last code."""

    attempt: Mapped[int] = mapped_column(default=1)
    first_tried_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    failure: Mapped[str | None]


class Released:
    """What one prepares and another releases."""

    prepared_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    prepared_at: Mapped[datetime]
    released_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    released_at: Mapped[datetime | None]


class Sweep(Released, Tried, Public, Base):
    """Our own fees on their way to our bank: a manual platform payout that names the postings it takes."""

    __tablename__ = "sweeps"

    id: Mapped[Key]
    currency: Mapped[str]
    amount: Mapped[int]
    state: Mapped[SweepState] = mapped_column(Word(SweepState), default=SweepState.PREPARED)
    source_type: Mapped[str | None]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    arrival_date: Mapped[date | None]
    trace_id: Mapped[str | None]

    preparer: Mapped[Person] = relationship(foreign_keys="Sweep.prepared_by")
    releaser: Mapped[Person | None] = relationship(foreign_keys="Sweep.released_by")


class SweepPosting(Base):
    """A fee posting that a sweep takes; at most one live sweep takes it."""

    __tablename__ = "sweep_postings"

    sweep_id: Mapped[int] = mapped_column(sa.ForeignKey("sweeps.id"), primary_key=True)
    posting_id: Mapped[int] = mapped_column(sa.ForeignKey("postings.id"), primary_key=True)
    ended_at: Mapped[datetime | None]


class TopUp(Released, Tried, Public, Base):
    """Clients' money on its way from our bank to Stripe. Amount and currency never change."""

    __tablename__ = "top_ups"

    id: Mapped[Key]
    currency: Mapped[str]
    amount: Mapped[int]
    state: Mapped[TopUpState] = mapped_column(Word(TopUpState), default=TopUpState.PREPARED)
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    expected_on: Mapped[date | None]
    looked_at: Mapped[datetime | None]

    preparer: Mapped[Person] = relationship(foreign_keys="TopUp.prepared_by")
    releaser: Mapped[Person | None] = relationship(foreign_keys="TopUp.released_by")


class WebhookEvent(Base):
    """A hint from Stripe that `object_id` changed. Kept once; the object itself is fetched when applied."""

    __tablename__ = "webhook_events"

    id: Mapped[Key]
    stripe_event_id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    source: Mapped[str]
    account: Mapped[str | None]
    object_id: Mapped[str]
    payload: Mapped[Json]
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None]


# An item in one of these states holds its person's place: no second batch may pay the person meanwhile.
LIVE_ITEM = (ItemState.PREPARED, ItemState.RELEASED, ItemState.SENDING, ItemState.UNKNOWN)


def item_key(item: uuid.UUID) -> str:
    """The ledger's name for an item's source."""
    return f"payout_item:{item}"
