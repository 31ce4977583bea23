"""What Stripe changes between currencies goes through 1290: the books of each currency balance by themselves.

A payment of 1,000 EUR that Stripe settles in dollars is EUR: Dr 1290, Cr what the client has; and USD: Dr
1100 and what Stripe took, Cr 1290, at Stripe's own rate. The two sides of 1290 are one position.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from marketplace import money
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.payments import facts
from marketplace.payments.models import Funding

Line = tuple[chart.Account, int]


def is_converted(charge: facts.Charge) -> bool:
    """Did Stripe settle it in another currency than it was paid in?"""
    return charge.settled_currency != charge.currency


def fee_of(charge: facts.Charge) -> int:
    """What Stripe took, in the currency of the charge, rounded half up; exact where nothing was changed."""
    if not is_converted(charge):
        return charge.fee
    return money.part(charge.amount, charge.fee, charge.settled)


def note(lot: Funding, charge: facts.Charge) -> None:
    """Keep what the lot's money was changed into, if it was."""
    if is_converted(charge):
        lot.settled_currency, lot.settled_amount = charge.settled_currency, charge.settled
        lot.settled_fee, lot.exchange_rate = charge.fee, charge.rate


def entries(
    source: str, charge: facts.Charge, arriving: Sequence[Line], credited: Sequence[Line], at: datetime
) -> list[NewEntry]:
    """What books a charge that was paid: one entry, or one in each of two currencies. `arriving` is where its
    net comes from; `credited` who gets it, in its own currency."""
    memo = _("Client funds received")
    if not is_converted(charge):
        lines = [*arriving, (chart.processing_costs(), charge.fee), *credited]
        return [NewEntry(source, "paid", charge.currency, lines, at, memo)]
    came = [(chart.currency_clearing(), charge.amount), *credited]
    settled = [
        (chart.stripe_balance(), charge.net),
        (chart.processing_costs(), charge.fee),
        (chart.currency_clearing(), -charge.settled),
    ]
    return [
        NewEntry(source, "paid", charge.currency, came, at, memo),
        NewEntry(source, "converted", charge.settled_currency, settled, at, memo),
    ]
