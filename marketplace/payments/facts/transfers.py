"""Transfers to connected accounts, and what goes between a balance and a bank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from marketplace.payments.facts.answers import Answer, id_of, moment


@dataclass(frozen=True)
class SentTransfer:
    """A transfer that Stripe made; `destination_payment` is the credit in the connected account.

    `payout_item` is what we said that it pays, None where it was not us; `created` in seconds since 1970.
    """

    id: str
    amount: int
    currency: str
    destination: str
    transfer_group: str
    destination_payment: str | None
    balance_transaction: str
    source_type: str = "card"
    payout_item: str | None = None
    created: int = 0


@dataclass(frozen=True)
class Reversal:
    """Part of a transfer that came back; `destination_refund` is what left the connected account for it."""

    id: str
    amount: int
    currency: str
    transfer: str
    balance_transaction: str
    destination_refund: str | None
    made_at: datetime


@dataclass(frozen=True)
class Payout:
    """Stripe's payout to a bank. `paid` is not final: within five business days it may become failed."""

    id: str
    amount: int
    currency: str
    status: str
    automatic: bool
    created_at: datetime
    arrival_date: date
    trace_id: str | None
    failure_code: str | None
    failure_message: str | None
    reconciliation_status: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TopUp:
    """Money from our bank to our balance. `succeeded` is not final: the bank may take it back, `reversed`."""

    id: str
    amount: int
    currency: str
    status: str
    created_at: datetime
    expected_on: date | None
    failure: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)


def of_transfer(answer: Answer) -> SentTransfer:
    return SentTransfer(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        destination=id_of(answer["destination"]),
        transfer_group=answer["transfer_group"],
        destination_payment=id_of(answer["destination_payment"])
        if answer.get("destination_payment")
        else None,
        balance_transaction=id_of(answer["balance_transaction"]),
        source_type=answer.get("source_type") or "card",
        payout_item=(answer.get("metadata") or {}).get("payout_item"),
        created=int(answer.get("created") or 0),
    )


def of_reversal(answer: Answer) -> Reversal:
    taken = answer.get("destination_payment_refund")
    return Reversal(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        transfer=id_of(answer["transfer"]),
        balance_transaction=id_of(answer["balance_transaction"]),
        destination_refund=id_of(taken) if taken else None,
        made_at=moment(answer["created"]),
    )


def of_payout(answer: Answer) -> Payout:
    trace: Answer = answer.get("trace_id") or {}
    return Payout(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        status=answer["status"],
        automatic=bool(answer["automatic"]),
        created_at=moment(answer["created"]),
        arrival_date=moment(answer["arrival_date"]).date(),
        trace_id=trace.get("value"),
        failure_code=answer.get("failure_code"),
        failure_message=answer.get("failure_message"),
        reconciliation_status=answer["reconciliation_status"],
        metadata=dict(answer.get("metadata") or {}),
    )


def of_top_up(answer: Answer) -> TopUp:
    expected = answer.get("expected_availability_date")
    return TopUp(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        status=answer["status"],
        created_at=moment(answer["created"]),
        expected_on=moment(expected).date() if expected else None,
        failure=answer.get("failure_code"),
        metadata=dict(answer.get("metadata") or {}),
    )
