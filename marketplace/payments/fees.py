"""What a charge costs, so that a client can be shown it beforehand and pays it on top.

The prices are Stripe's standard ones for the United States (stripe.com/pricing), dated, because they
change. They only decide what is asked for: what was really taken comes from the balance transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from marketplace import money
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.states import AT_STRIPE, Rail

# Stripe takes no single charge above 999,999.99 dollars (docs.stripe.com/currencies#minimum-and-maximum).
# In other currencies the same number of digits, of their smallest unit.
LARGEST_CHARGE = dict.fromkeys(("USD", "EUR", "GBP", "JPY", "KWD"), 99_999_999)
SMALLEST_FUNDING = {"USD": 1_000, "EUR": 1_000, "GBP": 1_000, "JPY": 1_000, "KWD": 3_000}
# Of currencies with three decimals Stripe takes only whole multiples of ten
# (docs.stripe.com/currencies#three-decimal).
STEP = {3: 10}


@dataclass(frozen=True)
class Price:
    """From `since` on: `basis_points` of the charge plus `fixed`, at most `cap` (all minor units)."""

    rail: Rail
    currency: str
    since: date
    basis_points: int
    fixed: int
    cap: int | None = None

    def of(self, charge: int) -> int:
        """The cost of one charge, in minor units."""
        cost = money.share(charge, self.basis_points) + self.fixed
        return cost if self.cap is None else min(cost, self.cap)

    @property
    def words(self) -> str:
        """For people: what it costs, before they choose; a share of all that is paid, not of what arrives."""
        percent = f"{Decimal(self.basis_points) / 100:f} %"
        if self.cap is not None:
            most = Money(self.cap, self.currency)
            if self.rail is Rail.BANK_DEBIT:
                return _(
                    "Costs %(percent)s of what you pay, at most %(most)s. Counts once your bank has paid, "
                    "after about four business days.",
                    percent=percent,
                    most=most,
                )
            return _(
                "Costs %(percent)s of what you pay, at most %(most)s. Arrives in one to five days.",
                percent=percent,
                most=most,
            )
        fixed = Money(self.fixed, self.currency)
        return _(
            "Costs %(percent)s of what you pay, and %(fixed)s. Arrives at once.", percent=percent, fixed=fixed
        )


PRICES = (
    Price(Rail.CARD, "USD", date(2020, 1, 1), 290, 30),
    # A charge in another currency is changed into dollars for one per cent more.
    Price(Rail.CARD, "EUR", date(2020, 1, 1), 390, 30),
    Price(Rail.CARD, "GBP", date(2020, 1, 1), 390, 30),
    Price(Rail.CARD, "JPY", date(2020, 1, 1), 390, 50),
    Price(Rail.CARD, "KWD", date(2020, 1, 1), 390, 100),
    Price(Rail.BANK_DEBIT, "USD", date(2020, 1, 1), 80, 0, cap=500),
    Price(Rail.BANK_TRANSFER, "USD", date(2020, 1, 1), 50, 0, cap=500),
)


@dataclass(frozen=True)
class Quote:
    """`charge` is what the client pays so that, after `processing`, at least `amount` arrives."""

    amount: int
    processing: int
    charge: int
    currency: str

    @property
    def lines(self) -> tuple[tuple[str, Money], ...]:
        """For people: what is paid, in order, with its total last."""
        return (
            (_("For the project"), Money(self.amount, self.currency)),
            (_("Processing by Stripe"), Money(self.processing, self.currency)),
            (_("You pay"), Money(self.charge, self.currency)),
        )


def price(rail: Rail, currency: str, on: date) -> Price:
    """The price in force. Raises Invalid where the rail does not take the currency."""
    known = [each for each in PRICES if (each.rail, each.currency) == (rail, currency) and each.since <= on]
    if not known:
        raise Invalid(_("This way of paying does not take %(currency)s.", currency=currency), field="rail")
    return max(known, key=lambda each: each.since)


def rails(currency: str, on: date) -> list[Rail]:
    """The ways through Stripe that take the currency."""
    return [
        rail
        for rail in AT_STRIPE
        if any((each.rail, each.currency) == (rail, currency) and each.since <= on for each in PRICES)
    ]


def costs(currency: str, on: date) -> dict[str, str]:
    """What each way of paying costs, in words, by its own word."""
    ours = _("Stripe takes no part in it, so we add nothing; your own bank may. Arrives in one to five days.")
    at_stripe = {rail.value: price(rail, currency, on).words for rail in rails(currency, on)}
    return {**at_stripe, Rail.WIRE.value: ours}


def quote(amount: int, currency: str, rail: Rail, on: date) -> Quote:
    """The smallest charge of which at least `amount` is left. Raises Invalid if it is too small or large."""
    if currency not in SMALLEST_FUNDING:
        raise Invalid(_("Funds in %(currency)s are not taken here.", currency=currency), field="amount")
    least, most = SMALLEST_FUNDING[currency], LARGEST_CHARGE[currency]
    if amount < least:
        raise Invalid(_("Fund at least %(least)s.", least=Money(least, currency)), field="amount")
    tens = step(currency)
    charge = -(-_gross(amount, price(rail, currency, on)) // tens) * tens
    if charge > most:
        sentence = _(
            "One payment can be at most %(most)s. Fund in several parts.", most=Money(most, currency)
        )
        raise Invalid(sentence, field="amount")
    return Quote(amount, charge - amount, charge, currency)


def step(currency: str) -> int:
    """Of how many minor units Stripe takes whole multiples."""
    return STEP.get(money.exponent(currency), 1)


def at_least(amount: Money) -> Money:
    """The amount, or the smallest that can be funded when that is more."""
    return max(amount, Money(SMALLEST_FUNDING.get(amount.currency, 1), amount.currency))


def _gross(amount: int, price: Price) -> int:
    # Close from above by division, then down to the cent, since the fee itself is rounded.
    charge = -(-(amount + price.fixed) * 10_000 // (10_000 - price.basis_points)) + 1
    if price.cap is not None:
        charge = min(charge, amount + price.cap)
    while charge - 1 - price.of(charge - 1) >= amount:
        charge -= 1
    return charge
