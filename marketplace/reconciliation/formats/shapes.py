"""What every format is read into: statements with signed lines, in minor units."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from marketplace import money

# At most eighteen digits (ISO 20022, ActiveOrHistoricCurrencyAndAmount), of which five after the point.
AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{0,5})?|\.[0-9]{1,5}")


@dataclass(frozen=True)
class ReadLine:
    """A line as the account sees it: `amount` positive when money came in. Absent texts are empty."""

    booked_on: date
    value_on: date | None
    amount: int
    currency: str
    bank_ref: str = ""
    end_to_end: str = ""
    counterparty: str = ""
    text: str = ""
    creditor_ref: str = ""
    counterparty_account: str = ""


@dataclass(frozen=True)
class ReadStatement:
    """A statement of one account. `problems` are sentences about what could not be read.

    `opening` and `closing` are None when the file does not say them.
    """

    account: str
    currency: str
    number: str
    opening: int | None
    closing: int | None
    from_on: date
    to_on: date
    lines: Sequence[ReadLine]
    problems: Sequence[str] = field(default=())


def minor_units(text: str, currency: str) -> int:
    """`12.34` in minor units. ValueError when it is no amount, or has a fraction of a unit."""
    # Nothing but digits reaches Decimal: 1E999990 is a number too, and takes minutes to write out.
    if not AMOUNT.fullmatch(text.strip()):
        raise ValueError(text)
    scaled = Decimal(text.strip()).scaleb(money.exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(text)
    return int(scaled)


def line_keys(lines: Sequence[ReadLine]) -> list[str]:
    """A key for each line of a statement, the same in every file that brings the line again.

    The amount and the bank's own reference where there is one, else a hash of what the line says: a
    corrected file may say another amount under the same reference. Lines that are equal within one
    statement are counted, because two coffees on a day are two lines.
    """
    seen: dict[str, int] = {}
    keys = []
    for line in lines:
        base = f"{line.amount}:ref:{line.bank_ref}" if line.bank_ref else f"sha256:{_digest(line)}"
        seen[base] = seen.get(base, 0) + 1
        keys.append(f"{base}#{seen[base]}")
    return keys


def _digest(line: ReadLine) -> str:
    said = "".join(c for c in (line.text + line.counterparty).upper() if c.isalnum())
    return hashlib.sha256(f"{line.booked_on}|{line.amount}|{line.currency}|{said}".encode()).hexdigest()
