"""What people fill in about new rates."""

from __future__ import annotations

from wtforms import HiddenField, TextAreaField
from wtforms.validators import Length, Optional

from marketplace.contracts.models import Contract
from marketplace.contracts.rates.proposing import RateDraft, earliest
from marketplace.contracts.weeks import week_on
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.money import Money
from marketplace.web import Form, day_field, money_field


class RateForm(Form):
    """A rate, its first day, and why. `looked_at` is what was shown before it is sent for good."""

    rate = money_field(lazy("New rate, an hour"))
    from_on = day_field(lazy("For hours from"))
    why = TextAreaField(lazy("Why"), [Optional(), Length(max=1_000)])
    looked_at = HiddenField()

    @classmethod
    def of(cls, contract: Contract) -> RateForm:
        """The form with the present rate, from the beginning of a week that is to come."""
        monday = week_on(earliest(contract), contract.time_zone).next.monday
        form = cls(rate=Money(contract.rates[-1].rate, contract.currency), from_on=monday)
        form.rate.currency = contract.currency
        return form

    def draft(self) -> RateDraft:
        """What was filled in."""
        if self.from_on.data is None:
            raise Invalid(_("Give the first day."), field="from_on")
        return RateDraft(self.rate.data.amount, self.from_on.data, self.why.data or "")

    @property
    def mark(self) -> str:
        """What is filled in now, so that nothing is sent that was not looked at."""
        return f"{self.rate.data.amount} {self.from_on.data}" if self.rate.data else ""
