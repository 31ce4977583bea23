"""Harbour Bank: where the operator keeps its money, and what it says about it.

Only platform payouts arrive here; besides them the bank takes its own monthly charge, so that not every
line on the statement is Stripe's. Balances run on from banking day to banking day.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, timedelta

from marketplace import clock
from marketplace.demo.stripe_server import moments
from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.store import Transaction, fact

CURRENCY = "usd"
NAME = "Harbour Bank"
BIC = "HRBRUS33XXX"
ACCOUNT = "440600012345"
OPENED_WITH = 1_000_000  # minor units of US dollars
MONTHLY_CHARGE = 1_500
_OPENED_BEFORE = 200  # days of history before the server's first start


@dataclass(frozen=True)
class Line:
    """One booking. `amount` in minor units of US dollars, negative when money left."""

    amount: int
    text: str
    reference: str
    end_to_end: str


@dataclass(frozen=True)
class Day:
    """One banking day: its balances in minor units, and its lines in order."""

    on: date
    number: int
    opening: int
    lines: tuple[Line, ...]

    @property
    def closing(self) -> int:
        return self.opening + sum(line.amount for line in self.lines)


def open_account(transaction: Transaction) -> None:
    """Settle, once, the day on which the operator's account was opened: the first of a month."""
    fact(
        transaction,
        "bank_opened_on",
        lambda: (clock.now().date() - timedelta(days=_OPENED_BEFORE)).replace(day=1),
    )


def book_payout(transaction: Transaction, payout: Json) -> None:
    """Credit a platform payout that arrived."""
    trace = payout["trace_id"]["value"]
    said = f"STRIPE TRANSFER {payout['statement_descriptor'] or 'PAYOUT'} TRACE {trace}"
    book(transaction, payout["amount"], said, f"HB{trace}", payout["id"])


def send_back(transaction: Transaction, payout: Json) -> None:
    """Debit a platform payout that had been credited and is now sent back."""
    trace = payout["trace_id"]["value"]
    said = f"STRIPE TRANSFER RETURN TRACE {trace}"
    book(transaction, -payout["amount"], said, f"HBR{trace}", payout["id"])


def book(transaction: Transaction, amount: int, text: str, reference: str, end_to_end: str) -> None:
    """Book `amount` minor units of US dollars (negative: out) on the present day, or the next banking day."""
    on = moments.day_of(moments.now())
    on = on if on.weekday() < 5 else clock.add_business_days(on, 1)
    transaction.run(
        "INSERT INTO bank_line (booked_on, amount, text, reference, end_to_end) VALUES (?, ?, ?, ?, ?)",
        on.isoformat(), amount, text.strip(), reference, end_to_end,
    )  # fmt: skip


def days(transaction: Transaction, first: date, last: date) -> list[Day]:
    """The banking days of a span, up to today. The span is cut to the account's life."""
    opened = opened_on(transaction)
    booked = _by_day(transaction)
    found: list[Day] = []
    balance, number, on = OPENED_WITH, 0, opened
    while on <= min(last, clock.now().date()):
        if on.weekday() < 5:
            number += 1
            day = Day(on, number, balance, (*_charges(on), *booked.get(on, [])))
            balance = day.closing
            if on >= first:
                found.append(day)
        on += timedelta(days=1)
    return found


def owner() -> str:
    """The name on the account."""
    return os.environ.get("STRIPE_LOCAL_OWNER", "Marketplace Operator")


def opened_on(transaction: Transaction) -> date:
    row = transaction.row("SELECT value FROM fact WHERE name = 'bank_opened_on'")
    return date.fromisoformat(row["value"]) if row else clock.now().date()


def _by_day(transaction: Transaction) -> dict[date, list[Line]]:
    found: dict[date, list[Line]] = {}
    for row in transaction.rows("SELECT * FROM bank_line ORDER BY booked_on, reference"):
        line = Line(row["amount"], row["text"], row["reference"], row["end_to_end"])
        found.setdefault(date.fromisoformat(row["booked_on"]), []).append(line)
    return found


def _charges(on: date) -> list[Line]:
    """The bank's own monthly charge, on the first banking day of a month."""
    if on != clock.add_business_days(on.replace(day=1) - timedelta(days=1), 1):
        return []
    said = f"ACCOUNT SERVICE CHARGE {on:%Y-%m}"
    return [Line(-MONTHLY_CHARGE, said, f"HBFEE{on:%Y%m}", "NOTPROVIDED")]
