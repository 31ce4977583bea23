"""Money: a whole number of minor units with its ISO 4217 currency. There are no floats here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from babel.numbers import format_currency

from marketplace.errors import Invalid
from marketplace.i18n import current_locale
from marketplace.i18n import gettext as _

# ISO 4217 minor units; CLDR rounds some of these for display, so its digits are not used.
_EXPONENTS = {
    **dict.fromkeys(("USD", "EUR", "GBP", "CAD", "AUD", "NZD", "CHF", "SEK", "NOK", "DKK", "INR", "SGD"), 2),
    **dict.fromkeys(("JPY", "KRW", "CLP", "VND", "XAF", "XOF", "UGX"), 0),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
}
_LARGEST = 10**15
_PLAIN = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d{1,13})(?:\.(\d+))?")


@dataclass(frozen=True, order=False)
class Money:
    """`amount` in minor units of `currency` (cents of a dollar, whole yen)."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __str__(self) -> str:
        """For people: `$1,234.50`, in the reader's locale."""
        return _written(self, current_locale())

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exactly."""
        return Decimal(self.amount).scaleb(-exponent(self.currency))

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.amount


@lru_cache(4096)
def _written(money: Money, locale: str) -> str:
    pattern = _pattern(money.currency)
    return format_currency(money.decimal, money.currency, pattern, locale=locale, currency_digits=False)


def exponent(currency: str) -> int:
    """Decimal places of the currency's minor unit. ValueError when the currency is not known."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise ValueError(f"unknown currency {currency!r}") from None


def currencies() -> list[str]:
    """Every currency that is known, by its code."""
    return sorted(_EXPONENTS)


def parse(text: str, currency: str) -> Money:
    """Read what a person typed, such as `1,250.50`. Raises Invalid with a sentence when it is not that."""
    if text.strip().startswith("-"):
        raise Invalid(_("The amount cannot be less than zero."))
    found = _PLAIN.fullmatch(text.strip()) if text.isascii() else None
    if found is None:
        raise Invalid(_("Write the amount in digits, for example 85 or 1,250.50."))
    if len(found.group(1) or "") > exponent(currency):
        places = exponent(currency)
        raise Invalid(
            _("%(currency)s has %(places)d decimal places; use no more.", currency=currency, places=places)
        )
    amount = int(Decimal(text.strip().replace(",", "")).scaleb(exponent(currency)))
    if amount > _LARGEST:
        raise Invalid(_("That amount is larger than this site can hold."))
    return Money(amount, currency)


def for_minutes(rate: int, minutes: int) -> int:
    """Pay for `minutes` at `rate` minor units an hour, rounded once, half up."""
    return _half_up(rate * minutes, 60)


def share(amount: int, basis_points: int) -> int:
    """`basis_points` hundredths of a per cent of `amount` minor units, rounded once, half up."""
    return _half_up(amount * basis_points, 10_000)


def part(amount: int, of: int, whole: int) -> int:
    """The part of `amount` minor units that `of` is of `whole`, rounded once, half up."""
    return _half_up(amount * of, whole)


def _half_up(numerator: int, denominator: int) -> int:
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def _pattern(currency: str) -> str:
    places = exponent(currency)
    return "¤#,##0" + ("." + "0" * places if places else "")
