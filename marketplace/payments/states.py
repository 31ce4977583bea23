"""The states of money on its way, and the only moves between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from marketplace.moves import S, Stateful, change


class Rail(StrEnum):
    """How a client pays: a card at once, a bank transfer to Stripe that settles days later, a debit of the
    client's bank account that may still fail for days, or a wire to the operator's own account for clients'
    money."""

    CARD = "card"
    BANK_TRANSFER = "bank_transfer"
    BANK_DEBIT = "bank_debit"
    WIRE = "wire"


AT_STRIPE = (Rail.BANK_TRANSFER, Rail.BANK_DEBIT, Rail.CARD)


class FundingState(StrEnum):
    PREPARED = "prepared"
    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    FAILED_AFTER_PAID = "failed_after_paid"


class TransfersState(StrEnum):
    """Stripe's word for the capability `stripe_transfers`; `new` until Stripe was asked."""

    NEW = "new"
    PENDING = "pending"
    ACTIVE = "active"
    RESTRICTED = "restricted"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"


class BatchState(StrEnum):
    PREPARED = "prepared"
    RELEASED = "released"
    SENDING = "sending"
    SENT = "sent"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    PREPARED = "prepared"
    BLOCKED = "blocked"
    RELEASED = "released"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    PAID = "paid"
    SETTLED = "settled"
    RETURNED = "returned"
    REVERSED_IN_PART = "reversed_in_part"
    REVERSED = "reversed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Blocker(StrEnum):
    """Why an item does not go out. Some are found only as it is sent, and then it waits."""

    NO_ACCOUNT = "no_account"
    NOT_READY = "not_ready"
    BELOW_MINIMUM = "below_minimum"
    IN_ANOTHER_BATCH = "in_another_batch"
    SHORT_BALANCE = "short_balance"
    BANK_CHANGED = "bank_changed"
    NEGATIVE_BALANCE = "negative_balance"
    PERSON_CLOSED = "person_closed"
    CLIENT_OWES = "client_owes"
    ACCOUNT_DIFFERS = "account_differs"
    TAX_FORM = "tax_form"
    TAX_CHANGED = "tax_changed"


class TransferState(StrEnum):
    """`intended`: the row stands and Stripe has not been told, or answered each call that it did nothing."""

    INTENDED = "intended"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"


class RefundState(StrEnum):
    """`owed` is what Stripe could not bring back, and is paid out by hand; `refused` is what a person has to
    look at first; of what is `cancelled` nothing left."""

    PREPARED = "prepared"
    RELEASED = "released"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    ARRIVED = "arrived"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    OWED = "owed"
    PAID_OUT = "paid_out"


class WayOut(StrEnum):
    """What two people decide about a refund that Stripe refused."""

    FUNDS = "funds"
    BY_HAND = "by_hand"


class ChargebackState(StrEnum):
    """An `inquiry` has moved no money, and one that was `closed` never did."""

    INQUIRY = "inquiry"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"


class EvidenceState(StrEnum):
    """What we say to the client's bank about a chargeback, on its way to Stripe."""

    RELEASED = "released"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    REFUSED = "refused"


class SweepState(StrEnum):
    PREPARED = "prepared"
    RELEASED = "released"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TopUpState(StrEnum):
    """`sent`: Stripe takes it from the bank; `returned`: the bank took it back after it had arrived."""

    PREPARED = "prepared"
    RELEASED = "released"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    ARRIVED = "arrived"
    RETURNED = "returned"
    FAILED = "failed"
    CANCELLED = "cancelled"


# What Stripe reports is recorded even when it comes late: a session that we took for expired or failed
# may turn out paid, and a payout that was paid may come back. A wire is open again when its bank line was
# somebody else's.
FUNDING: Mapping[FundingState, frozenset[FundingState]] = {
    FundingState.PREPARED: frozenset({FundingState.OPEN, FundingState.EXPIRED}),
    FundingState.OPEN: frozenset(
        {FundingState.PROCESSING, FundingState.PAID, FundingState.FAILED, FundingState.EXPIRED}
    ),
    FundingState.PROCESSING: frozenset({FundingState.PAID, FundingState.FAILED}),
    FundingState.FAILED: frozenset({FundingState.PAID}),
    FundingState.EXPIRED: frozenset({FundingState.PAID}),
    FundingState.PAID: frozenset({FundingState.OPEN, FundingState.FAILED_AFTER_PAID}),
    FundingState.FAILED_AFTER_PAID: frozenset(),
}

BATCH: Mapping[BatchState, frozenset[BatchState]] = {
    BatchState.PREPARED: frozenset({BatchState.RELEASED, BatchState.CANCELLED}),
    BatchState.RELEASED: frozenset({BatchState.SENDING}),
    BatchState.SENDING: frozenset({BatchState.SENT}),
    BatchState.SENT: frozenset({BatchState.SETTLED}),
    BatchState.SETTLED: frozenset({BatchState.SENT}),
    BatchState.CANCELLED: frozenset(),
}

# Stripe took a transfer back out of the expert's account, in part or whole.
CAME_BACK = (ItemState.REVERSED_IN_PART, ItemState.REVERSED)
ITEM: Mapping[ItemState, frozenset[ItemState]] = {
    ItemState.PREPARED: frozenset({ItemState.RELEASED, ItemState.BLOCKED, ItemState.CANCELLED}),
    ItemState.BLOCKED: frozenset(),
    ItemState.RELEASED: frozenset({ItemState.SENDING, ItemState.FAILED}),
    ItemState.SENDING: frozenset({ItemState.SENT, ItemState.UNKNOWN, ItemState.FAILED, ItemState.RELEASED}),
    ItemState.UNKNOWN: frozenset({ItemState.SENT, ItemState.FAILED, ItemState.RELEASED}),
    ItemState.SENT: frozenset({ItemState.PAID, ItemState.RETURNED, *CAME_BACK}),
    ItemState.PAID: frozenset({ItemState.SETTLED, ItemState.RETURNED, *CAME_BACK}),
    ItemState.RETURNED: frozenset({ItemState.SENT, ItemState.PAID, *CAME_BACK}),
    ItemState.SETTLED: frozenset({ItemState.RETURNED, *CAME_BACK}),
    # What is left of it goes on to the bank; it is settled when that is, or the bank sends it back too.
    ItemState.REVERSED_IN_PART: frozenset({ItemState.SETTLED, ItemState.RETURNED, ItemState.REVERSED}),
    ItemState.REVERSED: frozenset(),
    ItemState.FAILED: frozenset(),
    ItemState.CANCELLED: frozenset(),
}

TRANSFER: Mapping[TransferState, frozenset[TransferState]] = {
    TransferState.INTENDED: frozenset({TransferState.SENDING, TransferState.FAILED}),
    TransferState.SENDING: frozenset(
        {TransferState.SENT, TransferState.UNKNOWN, TransferState.FAILED, TransferState.INTENDED}
    ),
    # Never back to what Stripe was not told: no answer to another call says what became of the first.
    TransferState.UNKNOWN: frozenset({TransferState.SENT, TransferState.FAILED}),
    TransferState.SENT: frozenset(),
    TransferState.FAILED: frozenset(),
}

SWEEP: Mapping[SweepState, frozenset[SweepState]] = {
    SweepState.PREPARED: frozenset({SweepState.RELEASED, SweepState.CANCELLED}),
    SweepState.RELEASED: frozenset({SweepState.SENDING}),
    SweepState.SENDING: frozenset(
        {SweepState.SENT, SweepState.UNKNOWN, SweepState.FAILED, SweepState.RELEASED}
    ),
    SweepState.UNKNOWN: frozenset({SweepState.SENT, SweepState.FAILED, SweepState.RELEASED}),
    SweepState.SENT: frozenset({SweepState.PAID, SweepState.FAILED}),
    SweepState.PAID: frozenset({SweepState.FAILED}),
    SweepState.FAILED: frozenset(),
    SweepState.CANCELLED: frozenset(),
}

TOP_UP: Mapping[TopUpState, frozenset[TopUpState]] = {
    TopUpState.PREPARED: frozenset({TopUpState.RELEASED, TopUpState.CANCELLED}),
    TopUpState.RELEASED: frozenset({TopUpState.SENDING}),
    TopUpState.SENDING: frozenset({TopUpState.SENT, TopUpState.UNKNOWN, TopUpState.FAILED}),
    TopUpState.UNKNOWN: frozenset({TopUpState.SENT, TopUpState.FAILED}),
    TopUpState.SENT: frozenset({TopUpState.ARRIVED, TopUpState.FAILED}),
    TopUpState.ARRIVED: frozenset({TopUpState.RETURNED}),
    TopUpState.RETURNED: frozenset(),
    TopUpState.FAILED: frozenset(),
    TopUpState.CANCELLED: frozenset(),
}

REFUND: Mapping[RefundState, frozenset[RefundState]] = {
    RefundState.PREPARED: frozenset({RefundState.RELEASED, RefundState.OWED, RefundState.CANCELLED}),
    RefundState.RELEASED: frozenset({RefundState.SENDING, RefundState.SENT}),
    RefundState.SENDING: frozenset(
        {
            RefundState.SENT,
            RefundState.UNKNOWN,
            RefundState.OWED,
            RefundState.REFUSED,
            RefundState.RELEASED,
        }
    ),
    RefundState.UNKNOWN: frozenset(
        {RefundState.SENT, RefundState.OWED, RefundState.REFUSED, RefundState.RELEASED}
    ),
    RefundState.REFUSED: frozenset({RefundState.SENT, RefundState.OWED, RefundState.CANCELLED}),
    RefundState.CANCELLED: frozenset(),
    RefundState.SENT: frozenset({RefundState.ARRIVED, RefundState.OWED}),
    RefundState.ARRIVED: frozenset({RefundState.OWED}),
    RefundState.OWED: frozenset({RefundState.PAID_OUT, RefundState.CANCELLED}),
    RefundState.PAID_OUT: frozenset(),
}

# Forward only. What was lost may still be won, when the bank gives the money back late, and what was won may
# be lost, when it takes it again.
CHARGEBACK: Mapping[ChargebackState, frozenset[ChargebackState]] = {
    ChargebackState.INQUIRY: frozenset(
        {
            ChargebackState.NEEDS_RESPONSE,
            ChargebackState.UNDER_REVIEW,
            ChargebackState.WON,
            ChargebackState.LOST,
            ChargebackState.CLOSED,
        }
    ),
    ChargebackState.NEEDS_RESPONSE: frozenset(
        {ChargebackState.UNDER_REVIEW, ChargebackState.WON, ChargebackState.LOST}
    ),
    ChargebackState.UNDER_REVIEW: frozenset({ChargebackState.WON, ChargebackState.LOST}),
    ChargebackState.LOST: frozenset({ChargebackState.WON}),
    ChargebackState.WON: frozenset({ChargebackState.LOST}),
    ChargebackState.CLOSED: frozenset(
        {
            ChargebackState.NEEDS_RESPONSE,
            ChargebackState.UNDER_REVIEW,
            ChargebackState.WON,
            ChargebackState.LOST,
        }
    ),
}

EVIDENCE: Mapping[EvidenceState, frozenset[EvidenceState]] = {
    EvidenceState.RELEASED: frozenset({EvidenceState.SENDING}),
    EvidenceState.SENDING: frozenset(
        {EvidenceState.SENT, EvidenceState.UNKNOWN, EvidenceState.REFUSED, EvidenceState.RELEASED}
    ),
    EvidenceState.UNKNOWN: frozenset({EvidenceState.SENT, EvidenceState.REFUSED, EvidenceState.RELEASED}),
    EvidenceState.SENT: frozenset(),
    EvidenceState.REFUSED: frozenset(),
}

_MOVES: Mapping[type[StrEnum], Mapping[Any, frozenset[Any]]] = {
    FundingState: FUNDING,
    BatchState: BATCH,
    ItemState: ITEM,
    TransferState: TRANSFER,
    SweepState: SWEEP,
    TopUpState: TOP_UP,
    RefundState: REFUND,
    ChargebackState: CHARGEBACK,
    EvidenceState: EVIDENCE,
}


def move(thing: Stateful[S], to: S) -> None:
    """Change the state of `thing`. Raises Refused, naming both states, unless the table allows it."""
    change(thing, to, _MOVES[type(thing.state)], _word)


def _word(state: StrEnum) -> str:
    return state.value.replace("_", " ")
