"""What finance and clients fill in about tax."""

from __future__ import annotations

from decimal import Decimal

from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import Length, NumberRange, Optional

from marketplace.accounts.people import countries
from marketplace.contracts.forms import FILL_IN
from marketplace.contracts.taxes.models import TaxProfile
from marketplace.contracts.taxes.profiles import ProfileDraft
from marketplace.contracts.taxes.setting import TaxRateDraft
from marketplace.contracts.views.forms_fees import END, SET, PercentField
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.web import Form, day_field

CONFIRM, REFUSE = "confirm", "refuse"


class RateForm(Form):
    """Where, what it is called, how much, from which day, and where it is written down."""

    region = StringField(lazy("Region"), [Optional(), Length(max=6)])
    name = StringField(lazy("What it is called"), [FILL_IN, Length(max=40)], default="VAT")
    act = RadioField(lazy("What it is"), [FILL_IN], default=SET)
    rate = PercentField(
        lazy("Rate, per cent of our fee"), [Optional(), NumberRange(0, 50, lazy("Between 0 and 50."))]
    )
    from_on = day_field(lazy("For work from"))
    source = TextAreaField(lazy("Where it is written down"), [FILL_IN, Length(max=1_000)])

    @classmethod
    def new(cls) -> RateForm:
        """An empty form."""
        form = cls()
        form.act.choices = [(SET, _("A rate")), (END, _("The end of a rate: the country’s applies, or none"))]
        return form

    def draft(self, country: str) -> TaxRateDraft:
        """What was filled in. Raises Invalid for a rate that is missing or too fine."""
        if self.from_on.data is None:
            raise Invalid(_("Give the first day."), field="from_on")
        return TaxRateDraft(
            country,
            self.region.data or "",
            self.name.data or "",
            self._basis_points() if self.act.data == SET else None,
            self.from_on.data,
            self.source.data or "",
        )

    def _basis_points(self) -> int:
        if self.rate.data is None:
            raise Invalid(_("Give the rate."), field="rate")
        points = Decimal(self.rate.data) * 100
        if points != int(points):
            raise Invalid(_("Use at most two decimal places."), field="rate")
        return int(points)


class BillingForm(Form):
    """Where a client is for tax, as its admin confirms."""

    country = SelectField(lazy("Country"), [FILL_IN])
    region = StringField(lazy("State or region"), [Optional(), Length(max=6)])
    business = RadioField(lazy("Who buys"), [FILL_IN], default="yes")
    vat_id = StringField(lazy("Tax number of the business"), [Optional(), Length(max=40)])
    right = BooleanField(
        lazy("These details are right, and I will change them here when they change"), [FILL_IN]
    )

    @classmethod
    def of(cls, now: TaxProfile | None) -> BillingForm:
        """With what was said last."""
        form = cls(data=_said(now))
        form.country.choices = [("", _("Choose a country")), *countries().items()]
        form.business.choices = [("yes", _("A business")), ("no", _("Not a business"))]
        return form

    def draft(self) -> ProfileDraft:
        """What was filled in."""
        return ProfileDraft(
            self.country.data or "",
            self.region.data or "",
            self.business.data == "yes",
            self.vat_id.data or "",
        )


class AnswerForm(Form):
    """What finance found about a client's details."""

    act = RadioField(lazy("Your answer"), [FILL_IN], default=CONFIRM)
    note = TextAreaField(lazy("What you looked up, or why not"), [FILL_IN, Length(max=1_000)])

    @classmethod
    def new(cls) -> AnswerForm:
        """An empty form."""
        form = cls()
        form.act.choices = [(CONFIRM, _("Confirm the details")), (REFUSE, _("Refuse them"))]
        return form


def _said(now: TaxProfile | None) -> dict[str, str]:
    if now is None:
        return {}
    return {
        "country": now.country,
        "region": now.region,
        "business": "yes" if now.business else "no",
        "vat_id": now.vat_id or "",
    }
