"""What a client's administrator fills in about a project's weeks and its end."""

from __future__ import annotations

from wtforms import IntegerField
from wtforms.validators import NumberRange, Optional

from marketplace.contracts.budgets.models import WeeklyCap
from marketplace.i18n import lazy
from marketplace.money import Money
from marketplace.web import Form, money_field


class CapForm(Form):
    """At most so much money, or so many hours, in a week; empty is no cap."""

    amount = money_field(lazy("Money a week, pay and fee"), required=False)
    hours = IntegerField(
        lazy("Hours a week"),
        [Optional(), NumberRange(1, 1_000_000, lazy("Give at least one hour, or leave it empty."))],
    )

    @classmethod
    def of(cls, currency: str, cap: WeeklyCap | None) -> CapForm:
        """The form with the cap that is kept."""
        amount = Money(cap.amount, currency) if cap and cap.amount else None
        form = cls(data={"amount": amount, "hours": cap.minutes // 60 if cap and cap.minutes else None})
        form.amount.currency = currency
        return form

    def cents(self) -> int | None:
        """The money in minor units; None when it was left empty."""
        return self.amount.data.amount if self.amount.data else None
