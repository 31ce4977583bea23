"""What people fill in about tax. Shape only: the use cases know the rules."""

from __future__ import annotations

from datetime import date
from typing import Any

from wtforms import BooleanField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from marketplace.accounts.models import Person
from marketplace.accounts.people import countries
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.payments.tax import words
from marketplace.payments.tax.intake import US, W9, W8Ben
from marketplace.payments.tax.numbers import US_KINDS, number_word
from marketplace.payments.tax.states import Classification, NumberKind, Why
from marketplace.payments.tax.thresholds import Draft
from marketplace.web import Form, day_field, money_field

FILL_IN = lazy("Fill this in.")
OFF = {"autocomplete": "off", "spellcheck": "false"}


def _text(label: str, *, required: bool = True, most: int = 200, **attributes: str) -> Any:
    checks = [InputRequired(FILL_IN) if required else Optional(), Length(max=most)]
    return StringField(label, checks, render_kw=attributes)


def _reason(label: str) -> Any:
    return TextAreaField(label, [InputRequired(FILL_IN), Length(max=500)])


def _choose(first: str, choices: Any) -> list[tuple[str, str]]:
    return [("", first), *choices]


class W9Form(Form):
    """The lines of a W-9."""

    name = _text(lazy("Your name, as on your US tax return"), autocomplete="name")
    business_name = _text(lazy("Business name, if it is another"), required=False)
    classification = RadioField(lazy("You sign as"), [InputRequired(lazy("Choose one."))])
    street = _text(lazy("Street and number"), autocomplete="street-address")
    city = _text(lazy("City, state and ZIP code"))
    country = SelectField(lazy("Country"), [InputRequired(FILL_IN)])
    number_kind = SelectField(lazy("Your number is"), [InputRequired(FILL_IN)])
    number = _text(lazy("The number"), required=False, most=20, inputmode="numeric", **OFF)
    told_by_irs = BooleanField(lazy("The IRS has told me that I am subject to backup withholding"))
    signature = _text(lazy("Sign by typing your name"), autocomplete="off")
    certify = BooleanField(
        lazy("I certify all of the above under penalties of perjury"),
        [InputRequired(lazy("Without this the form is not signed."))],
    )

    @classmethod
    def of(cls, person: Person) -> W9Form:
        """The form, with what is known of the person."""
        form = cls(name=person.full_name, country=US, classification=Classification.INDIVIDUAL.value)
        form.classification.choices = [(each.value, words.classification(each)) for each in Classification]
        form.country.choices = list(countries().items())
        kinds = (*US_KINDS, NumberKind.APPLIED_FOR)
        form.number_kind.choices = _choose(
            _("Choose one"), [(each.value, number_word(each)) for each in kinds]
        )
        return form

    def typed(self) -> W9:
        """What was typed."""
        return W9(
            name=self.name.data,
            business_name=self.business_name.data or "",
            classification=Classification(self.classification.data),
            street=self.street.data,
            city=self.city.data,
            country=self.country.data,
            number_kind=NumberKind(self.number_kind.data),
            number=self.number.data or "",
            told_by_irs=bool(self.told_by_irs.data),
            signature=self.signature.data,
        )


class W8BenForm(Form):
    """The lines of a W-8BEN."""

    name = _text(lazy("Your name"), autocomplete="name")
    citizenship = SelectField(lazy("Country of citizenship"), [InputRequired(FILL_IN)])
    street = _text(lazy("Street and number of your home"), autocomplete="street-address")
    city = _text(lazy("Postal code and city"))
    country = SelectField(lazy("Country where you live"), [InputRequired(FILL_IN)])
    mailing = _text(lazy("Address for letters, if it is another"), required=False)
    born_on = day_field(lazy("Date of birth"))
    number = _text(lazy("Tax number of your country"), required=False, most=40, **OFF)
    no_number = _text(lazy("Or why you have none"), required=False)
    us_kind = SelectField(lazy("US tax number, if you have one"), [Optional()])
    us_number = _text(lazy("The US number"), required=False, most=20, inputmode="numeric", **OFF)
    claims = RadioField(lazy("Tax treaty"), [InputRequired(lazy("Choose one."))], default="no")
    treaty_article = _text(lazy("Article and paragraph of the treaty"), required=False)
    treaty_rate = _text(lazy("Rate that you claim, in per cent"), required=False, most=10)
    treaty_income = _text(lazy("Kind of income"), required=False)
    treaty_why = _text(lazy("Why you meet the conditions"), required=False)
    outside_us = BooleanField(
        lazy("I do all of this work outside the US, or declare the days in the US here")
    )
    signature = _text(lazy("Sign by typing your name"), autocomplete="off")
    certify = BooleanField(
        lazy("I certify all of the above under penalties of perjury"),
        [InputRequired(lazy("Without this the form is not signed."))],
    )

    @classmethod
    def of(cls, person: Person) -> W8BenForm:
        """The form, with what is known of the person."""
        form = cls(name=person.full_name, country=person.country)
        choices = _choose(_("Choose a country"), countries().items())
        form.citizenship.choices = form.country.choices = choices
        kinds = (NumberKind.SSN, NumberKind.ITIN)
        form.us_kind.choices = _choose(_("None"), [(each.value, number_word(each)) for each in kinds])
        form.claims.choices = [
            ("no", _("I claim no benefit: nothing is withheld of work outside the US anyway")),
            ("yes", _("I claim a benefit of the treaty between the US and the country where I live")),
        ]
        return form

    def typed(self) -> W8Ben:
        """What was typed."""
        return W8Ben(
            name=self.name.data,
            citizenship=self.citizenship.data,
            street=self.street.data,
            city=self.city.data,
            country=self.country.data,
            mailing=self.mailing.data or "",
            born_on=self.born_on.data or date.min,
            number=self.number.data or "",
            no_number=self.no_number.data or "",
            us_kind=NumberKind(self.us_kind.data) if self.us_kind.data else None,
            us_number=self.us_number.data or "",
            claims=self.claims.data == "yes",
            treaty_article=self.treaty_article.data or "",
            treaty_rate=self.treaty_rate.data or "",
            treaty_income=self.treaty_income.data or "",
            treaty_why=self.treaty_why.data or "",
            outside_us=bool(self.outside_us.data),
            signature=self.signature.data,
        )


class UsWorkForm(Form):
    """Days on which a foreign person works in the US."""

    from_on = day_field(lazy("First day"))
    until_on = day_field(lazy("Last day"))


class RefuseForm(Form):
    """Why a tax form does not count."""

    reason = _reason(lazy("Why it does not count"))


class NoticeForm(Form):
    """What the tax office wrote."""

    received_on = day_field(lazy("Received on"))
    note = _reason(lazy("What the notice says"))


class EndNoticeForm(Form):
    """How a notice was settled."""

    because = _reason(lazy("What showed that it is mended"))


class RateForm(Form):
    """What is withheld of the pay for days in the US."""

    rate = IntegerField(
        lazy("Per cent that is withheld"),
        [InputRequired(FILL_IN), NumberRange(0, 30, lazy("A rate is between 0 and 30 per cent."))],
    )
    reason = _reason(lazy("Treaty article, and when the tax office accepted the Form 8233"))


class DaysForm(Form):
    """Fewer days in the US than were declared."""

    until_on = day_field(lazy("Last day"), required=False)
    reason = _reason(lazy("What shows that"))


class ThresholdForm(Form):
    """A figure of a tax year, and where it is published."""

    form = SelectField(lazy("Form"), [InputRequired(FILL_IN)])
    from_year = IntegerField(lazy("From the tax year"), [InputRequired(FILL_IN)])
    amount = money_field(lazy("Payments of"))
    transactions = IntegerField(lazy("And more payments than"), [Optional()], default=0)
    source = _text(lazy("Where it is published"), most=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.form.choices = [(each, words.us_form(each)) for each in ("nec", "k")]

    def draft(self) -> Draft:
        """What was typed."""
        return Draft(
            self.form.data, self.from_year.data or 0, self.amount.data.amount, self.transactions.data or 0,
            self.source.data,
        )  # fmt: skip


class RemittanceForm(Form):
    """A payment to the tax office."""

    why = SelectField(lazy("What is paid"), [InputRequired(FILL_IN)])
    until_on = day_field(lazy("Of payments sent up to the end of"))
    reference = _text(lazy("Reference of the payment"), most=140)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.why.choices = [(each.value, words.why_short(each)) for each in Why]
