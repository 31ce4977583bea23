"""What finance gives reconciliation."""

from __future__ import annotations

import re
from decimal import Decimal

from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import InputRequired, Length

from marketplace.errors import Invalid
from marketplace.i18n import lazy as _
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.revaluing.rates import ExchangeDraft, currencies
from marketplace.web import Form, day_field

BOOK_AS = (
    SelectChoice(BookAs.CHARGE.value, _("A charge of the bank")),
    SelectChoice(BookAs.CAPITAL.value, _("The operator's own money, in or out")),
    SelectChoice(BookAs.TAX.value, _("Tax on our fees, paid to the tax office; a colleague confirms it")),
)


class ImportForm(Form):
    """A statement file."""

    file = FileField(_("Statement file"), validators=[FileRequired(_("Choose a file first."))])
    new_account = BooleanField(_("It is of another account of ours, which is new here"))


class BookForm(Form):
    """What a bank line is."""

    book_as = RadioField(
        _("What is it?"),
        choices=BOOK_AS,
        validators=[InputRequired(_("Choose one."))],
    )
    reason = StringField(_("Say what it is"), validators=[InputRequired(_("Fill this in."))])


class ApplyForm(Form):
    """For which request unapplied money came."""

    reference = StringField(_("Reference of the request"), validators=[InputRequired(_("Fill this in."))])
    reason = StringField(_("How do you know?"))


class ReturnForm(Form):
    """Which unapplied money went back."""

    source = RadioField(_("Which money went back?"), validators=[InputRequired(_("Choose one."))])
    reason = StringField(_("Why did it go back?"), validators=[InputRequired(_("Fill this in."))])


class UndoForm(Form):
    """Why a match was wrong."""

    note = StringField(_("Why is it wrong?"), validators=[InputRequired(_("Fill this in."))])


_RATE = re.compile(r"\d{1,7}(\.\d{1,12})?", re.ASCII)


class ExchangeRateForm(Form):
    """What one unit of a currency is worth from which day on, and where that was read."""

    currency = SelectField(_("Currency"), validators=[InputRequired(_("Choose one."))])
    rate = StringField(_("One unit of it is worth"), validators=[InputRequired(_("Fill this in."))])
    from_on = day_field(_("On this day and after"))
    source = TextAreaField(
        _("Where it was read"), validators=[InputRequired(_("Fill this in.")), Length(max=1_000)]
    )

    @classmethod
    def new(cls) -> ExchangeRateForm:
        """An empty form."""
        form = cls()
        form.currency.choices = [(each, each) for each in currencies()]
        return form

    def draft(self) -> ExchangeDraft:
        """What was filled in. Raises Invalid for a rate that is no number."""
        typed = (self.rate.data or "").strip()
        if not _RATE.fullmatch(typed):
            raise Invalid(str(_("Write the rate in digits, for example 1.0825.")), field="rate")
        if self.from_on.data is None:
            raise Invalid(str(_("Give the day.")), field="from_on")
        return ExchangeDraft(
            self.currency.data or "", Decimal(typed), self.from_on.data, self.source.data or ""
        )


class ReasonForm(Form):
    """Why something is set aside or taken back."""

    reason = StringField(_("Why?"), validators=[InputRequired(_("Fill this in."))])
