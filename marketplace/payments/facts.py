"""What Stripe said, as plain values. Amounts are minor units, currencies upper-case, moments UTC.

Each `of_…` reads one answer and raises KeyError, TypeError or ValueError when it is not what Stripe's
description promises; the gateway takes that for an unknown outcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Answer = Mapping[str, Any]

# The parts of a balance are kept apart by where the money came from.
CARD, BANK_ACCOUNT = "card", "bank_account"
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Stripe's word for what is not due yet.
LATER = "eventually_due"


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
class RequirementEntry:
    """One thing that stands between an account and its pay. `when` is past_due, currently_due or
    eventually_due; `by` an ISO moment or empty; `who` is user or stripe. `stops` are the capabilities that
    end when it is late, `errors` is what Stripe found wrong with what was given, in its words."""

    what: str
    who: str
    when: str
    by: str
    stops: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """A connected account: may it be sent transfers, and what is missing. `reason` and `way_out` are Stripe's
    words for why it may not, and what mends it; empty while it may."""

    id: str
    transfers: str
    requirements: tuple[RequirementEntry, ...]
    closed: bool
    reason: str = ""
    way_out: str = ""


@dataclass(frozen=True)
class Bank:
    """A bank account that a connected account is paid out to; `mark` is Stripe's fingerprint of its number,
    or the object's id where Stripe gives none."""

    mark: str
    currency: str


@dataclass(frozen=True)
class Schedule:
    """When an account is paid out: `interval` is manual, daily, weekly or monthly, and on these days."""

    interval: str
    weekly_payout_days: tuple[str, ...] = ()
    monthly_payout_days: tuple[int, ...] = ()


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
class BalanceTransaction:
    """One movement of a balance: `net` is `amount` less `fee`, signed; `source` is the object's id."""

    id: str
    type: str
    reporting_category: str
    amount: int
    fee: int
    net: int
    currency: str
    source: str | None
    created_at: datetime
    available_on: datetime


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


@dataclass(frozen=True)
class Balance:
    """`available` by currency and source type; `pending` by currency, `coming` the same by source type too.
    Negative where Stripe says so."""

    available: Mapping[str, Mapping[str, int]]
    pending: Mapping[str, int]
    coming: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def spendable(self, currency: str) -> dict[str, int]:
        """What may be sent now, by source type."""
        return dict(self.available.get(currency, {}))

    def below_zero(self) -> dict[str, int]:
        """Minor units that are missing, by currency, available and pending together."""
        currencies = {*self.available, *self.pending}
        return {each: -self.total(each) for each in sorted(currencies) if self.total(each) < 0}

    def total(self, currency: str) -> int:
        """Available and pending together: what the ledger's Stripe balance must equal."""
        return sum(self.available.get(currency, {}).values()) + self.pending.get(currency, 0)


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it came: its status, its body, and its headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """Stripe's code of a refusal; empty otherwise."""
        error = self.body.get("error") or {}
        return str(error.get("code") or error.get("type") or "")


@dataclass(frozen=True)
class Notice:
    """An event whose signature was good: something happened to `object_id` (of `account`, if connected)."""

    id: str
    kind: str
    account: str | None
    object_id: str
    payload: dict[str, Any]


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
        available_on=_moment(credited["available_on"]),
        settled=int(credited["amount"]),
        settled_currency=credited["currency"].upper(),
        rate=Decimal(str(rate)) if (rate := credited.get("exchange_rate")) else None,
    )


def of_account(answer: Answer) -> Account:
    recipient = (answer["configuration"] or {}).get("recipient") or {}
    balance = (recipient.get("capabilities") or {}).get("stripe_balance") or {}
    transfers = balance.get("stripe_transfers") or {}
    details: Answer = next(iter(transfers.get("status_details") or []), {})
    return Account(
        id=answer["id"],
        transfers=transfers.get("status") or "restricted",
        requirements=(
            *_requirements(answer["requirements"] or {}),
            *_requirements(answer.get("future_requirements") or {}, later=True),
        ),
        closed=bool(answer.get("closed")),
        reason=details.get("code") or "",
        way_out=details.get("resolution") or "",
    )


def of_banks(answer: Answer) -> tuple[Bank, ...]:
    """The bank accounts, and cards, of a connected account (v1, where alone they are listed)."""
    return tuple(
        Bank(str(each.get("fingerprint") or each["id"]), (each.get("currency") or "").upper())
        for each in answer["external_accounts"]["data"]
    )


def of_schedule(answer: Answer) -> Schedule:
    found: Answer = answer["payments"]["payouts"]["schedule"]
    return Schedule(
        found["interval"],
        tuple(found.get("weekly_payout_days") or ()),
        tuple(found.get("monthly_payout_days") or ()),
    )


def of_transfer(answer: Answer) -> SentTransfer:
    return SentTransfer(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        destination=_id(answer["destination"]),
        transfer_group=answer["transfer_group"],
        destination_payment=_id(answer["destination_payment"]) if answer.get("destination_payment") else None,
        balance_transaction=_id(answer["balance_transaction"]),
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
        transfer=_id(answer["transfer"]),
        balance_transaction=_id(answer["balance_transaction"]),
        destination_refund=_id(taken) if taken else None,
        made_at=_moment(answer["created"]),
    )


def of_payout(answer: Answer) -> Payout:
    trace: Answer = answer.get("trace_id") or {}
    return Payout(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        status=answer["status"],
        automatic=bool(answer["automatic"]),
        created_at=_moment(answer["created"]),
        arrival_date=_moment(answer["arrival_date"]).date(),
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
        created_at=_moment(answer["created"]),
        expected_on=_moment(expected).date() if expected else None,
        failure=answer.get("failure_code"),
        metadata=dict(answer.get("metadata") or {}),
    )


def of_refund(answer: Answer) -> Refund:
    """With what it moved of our balance, both ways, where that was expanded."""
    moved, returned = answer.get("balance_transaction"), answer.get("failure_balance_transaction")
    return Refund(
        id=answer["id"],
        amount=int(answer["amount"]),
        charge=_id(answer["charge"]),
        status=answer["status"],
        failure=answer.get("failure_reason"),
        metadata=dict(answer.get("metadata") or {}),
        move=of_balance_transaction(moved) if isinstance(moved, Mapping) else None,
        returned=of_balance_transaction(returned) if isinstance(returned, Mapping) else None,
    )


def of_balance_transaction(answer: Answer) -> BalanceTransaction:
    return BalanceTransaction(
        id=answer["id"],
        type=answer["type"],
        reporting_category=answer["reporting_category"],
        amount=int(answer["amount"]),
        fee=int(answer["fee"]),
        net=int(answer["net"]),
        currency=answer["currency"].upper(),
        source=_id(answer["source"]) if answer["source"] else None,
        created_at=_moment(answer["created"]),
        available_on=_moment(answer["available_on"]),
    )


def of_dispute(answer: Answer) -> Dispute:
    details: Answer = answer["evidence_details"]
    return Dispute(
        id=answer["id"],
        amount=int(answer["amount"]),
        currency=answer["currency"].upper(),
        charge=_id(answer["charge"]),
        status=answer["status"],
        reason=answer["reason"],
        created_at=_moment(answer["created"]),
        due_by=_moment(details["due_by"]) if details["due_by"] else None,
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
    return ChargeFailure(answer["id"], _id(intent) if intent else None, code, of_balance_transaction(moved))


def of_balance(answer: Answer) -> Balance:
    pending = {each["currency"].upper(): int(each["amount"]) for each in answer["pending"]}
    return Balance(_by_type(answer["available"]), pending, _by_type(answer["pending"]))


def _by_type(parts: Iterable[Answer]) -> dict[str, dict[str, int]]:
    return {
        each["currency"].upper(): {
            kind: int(amount) for kind, amount in (each.get("source_types") or {CARD: each["amount"]}).items()
        }
        for each in parts
    }


def of_event(answer: Answer) -> Notice:
    """A snapshot event names its object inside; a thin one (v2) only refers to it. What PostgreSQL cannot
    keep is replaced in it."""
    event: Answer = _storable(dict(answer))
    if event["object"] == "v2.core.event":
        related: Answer = event.get("related_object") or {}
        return Notice(event["id"], event["type"], None, related.get("id") or "", dict(event))
    inner: Answer = event["data"]["object"]
    return Notice(event["id"], event["type"], event.get("account"), inner.get("id") or "", dict(event))


def _storable(value: Any) -> Any:
    """The same with U+FFFD for U+0000 and for halves of a pair, which PostgreSQL takes neither as text nor in
    JSON."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, (list, tuple)) else value


def _requirements(found: Answer, *, later: bool = False) -> tuple[RequirementEntry, ...]:
    """The entries. Only their summary has a moment: that of the first which are due."""
    first: Answer = (found.get("summary") or {}).get("minimum_deadline") or {}
    return tuple(_requirement(each, first, later) for each in found.get("entries") or [])


def _requirement(entry: Answer, first: Answer, later: bool) -> RequirementEntry:
    deadline: Answer = entry.get("minimum_deadline") or {}
    status = deadline.get("status") or LATER
    by = first.get("time") if status == first.get("status") else None
    restricts: Answer = entry.get("impact") or {}
    return RequirementEntry(
        what=entry["description"],
        who=entry["awaiting_action_from"],
        when=LATER if later else status,
        by=deadline.get("time") or by or "",
        stops=tuple(each["capability"] for each in restricts.get("restricts_capabilities") or []),
        errors=tuple(each["description"] for each in entry.get("errors") or []),
    )


def _id(value: Any) -> str:
    """The id of an object that may have been expanded."""
    return str(value["id"] if isinstance(value, Mapping) else value)


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
