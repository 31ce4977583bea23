"""Clients' money: how it comes in, is sent back, or is taken back by their banks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from marketplace.payments.facts.answers import Answer, id_of, moment
from marketplace.payments.facts.balances import BANK_ACCOUNT, CARD, BalanceTransaction, of_balance_transaction


@dataclass(frozen=True)
class Charge:
    """A charge and what its balance transaction credited: `net` is `settled` less `fee`. These three are of
    `settled_currency`, which is that of the charge unless Stripe changed it, at `rate`."""

    id: str
    amount: int
    currency: str
    fee: int
    net: int
    balance_transaction: str
    source_type: str
    available_on: datetime
    settled: int
    settled_currency: str
    rate: Decimal | None = None


@dataclass(frozen=True)
class Checkout:
    """A Checkout Session with its payment. `charge` stands once the payment has succeeded; `coming` is what
    Stripe shows before that, of a bank debit that its bank has not paid, or has refused."""

    id: str
    url: str | None
    status: str
    payment_status: str
    payment_intent: str | None
    payment_state: str | None
    failure: str | None
    charge: Charge | None
    coming: Charge | None = None


@dataclass(frozen=True)
class Refund:
    """Part of a charge on its way back. `succeeded` is not final: a bank may still send it back, and
    `returned` is what that brought our balance."""

    id: str
    amount: int
    charge: str
    status: str
    failure: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    move: BalanceTransaction | None = None
    returned: BalanceTransaction | None = None


@dataclass(frozen=True)
class Dispute:
    """A payer's bank that takes a charge back: a chargeback. `moves` are what it moved of our balance so far;
    `amount` is what is contested, by a move of currencies perhaps more than was charged. `due_by` is until
    when evidence is taken."""

    id: str
    amount: int
    currency: str
    charge: str
    status: str
    reason: str
    created_at: datetime
    due_by: datetime | None
    submissions: int
    moves: tuple[BalanceTransaction, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChargeFailure:
    """A charge that failed after it had been paid, and what left our balance for it."""

    charge: str
    payment_intent: str | None
    code: str | None
    move: BalanceTransaction


def of_checkout(answer: Answer) -> Checkout:
    intent = answer["payment_intent"]
    expanded: Answer = intent if isinstance(intent, Mapping) else {}
    error: Answer = expanded.get("last_payment_error") or {}
    found = expanded.get("latest_charge")
    charge: Answer = found if isinstance(found, Mapping) else {}
    shown = isinstance(charge.get("balance_transaction"), Mapping)
    settled = shown and charge.get("paid")
    return Checkout(
        id=answer["id"],
        url=answer["url"],
        status=answer["status"],
        payment_status=answer["payment_status"],
        payment_intent=expanded.get("id") or intent,
        payment_state=expanded.get("status"),
        failure=error.get("decline_code") or error.get("code"),
        charge=of_charge(charge) if settled else None,
        coming=of_charge(charge) if shown and not settled else None,
    )


def of_charge(answer: Answer) -> Charge:
    credited: Answer = answer["balance_transaction"]
    method = (answer["payment_method_details"] or {}).get("type", CARD)
    return Charge(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        fee=int(credited["fee"]),
        net=int(credited["net"]),
        balance_transaction=credited["id"],
        source_type=CARD if method == "card" else BANK_ACCOUNT,
        available_on=moment(credited["available_on"]),
        settled=int(credited["amount"]),
        settled_currency=credited["currency"].upper(),
        rate=Decimal(str(rate)) if (rate := credited.get("exchange_rate")) else None,
    )


def of_refund(answer: Answer) -> Refund:
    """With what it moved of our balance, both ways, where that was expanded."""
    moved, returned = answer.get("balance_transaction"), answer.get("failure_balance_transaction")
    return Refund(
        id=answer["id"],
        amount=int(answer["amount"]),
        charge=id_of(answer["charge"]),
        status=answer["status"],
        failure=answer.get("failure_reason"),
        metadata=dict(answer.get("metadata") or {}),
        move=of_balance_transaction(moved) if isinstance(moved, Mapping) else None,
        returned=of_balance_transaction(returned) if isinstance(returned, Mapping) else None,
    )


def of_dispute(answer: Answer) -> Dispute:
    details: Answer = answer["evidence_details"]
    return Dispute(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        charge=id_of(answer["charge"]),
        status=answer["status"],
        reason=answer["reason"],
        created_at=moment(answer["created"]),
        due_by=moment(details["due_by"]) if details["due_by"] else None,
        submissions=int(details["submission_count"]),
        moves=tuple(of_balance_transaction(each) for each in answer["balance_transactions"]),
        metadata=dict(answer.get("metadata") or {}),
    )


def of_charge_failure(answer: Answer) -> ChargeFailure | None:
    """None of a charge that did not fail, or failed before anything was paid."""
    moved = answer.get("failure_balance_transaction")
    if not isinstance(moved, Mapping):
        return None
    intent, code = answer.get("payment_intent"), answer.get("failure_code")
    return ChargeFailure(answer["id"], id_of(intent) if intent else None, code, of_balance_transaction(moved))
