"""What rounding did to a sum, in a sentence, so that nobody has to look for a cent."""

from __future__ import annotations

from collections.abc import Iterable

from marketplace import money
from marketplace.i18n import gettext as _
from marketplace.money import Money


def said(priced: Iterable[tuple[int, int, int]], currency: str) -> str:
    """How the pay of lines differs from that of their hours together; empty when it does not.

    Each line is its minutes, its rate an hour and its pay, both in minor units of `currency`.
    """
    lines = list(priced)
    together = money.for_minutes(sum(rate * minutes for minutes, rate, _pay in lines), 1)
    more = sum(pay for _minutes, _rate, pay in lines) - together
    if not more:
        return ""
    amount = Money(abs(more), currency)
    if more > 0:
        return _("Rounding each line made it %(amount)s more than the hours taken together.", amount=amount)
    return _("Rounding each line made it %(amount)s less than the hours taken together.", amount=amount)
