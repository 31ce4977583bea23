"""Balances, ours and those of connected accounts, and what moves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from marketplace.payments.facts.answers import Answer, id_of, moment

# The parts of a balance are kept apart by where the money came from.
CARD, BANK_ACCOUNT = "card", "bank_account"


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


def of_balance_transaction(answer: Answer) -> BalanceTransaction:
    return BalanceTransaction(
        id=answer["id"],
        type=answer["type"],
        reporting_category=answer["reporting_category"],
        amount=int(answer["amount"]),
        fee=int(answer["fee"]),
        net=int(answer["net"]),
        currency=answer["currency"].upper(),
        source=id_of(answer["source"]) if answer["source"] else None,
        created_at=moment(answer["created"]),
        available_on=moment(answer["available_on"]),
    )


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
