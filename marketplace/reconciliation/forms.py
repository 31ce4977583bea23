"""What finance gives reconciliation."""

from __future__ import annotations

from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, RadioField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import InputRequired

from marketplace.i18n import lazy as _
from marketplace.reconciliation.booking import BookAs
from marketplace.web import Form


class ImportForm(Form):
    """A statement file."""

    file = FileField(_("Statement file"), validators=[FileRequired(_("Choose a file first."))])
    new_account = BooleanField(_("It is of another account of ours, which is new here"))


class BookForm(Form):
    """What a bank line is."""

    book_as = RadioField(
        _("What is it?"),
        choices=[
            SelectChoice(BookAs.CHARGE.value, _("A charge of the bank")),
            SelectChoice(BookAs.CAPITAL.value, _("The operator's own money, in or out")),
            SelectChoice(
                BookAs.TAX.value, _("Tax on our fees, paid to the tax office; a colleague confirms it")
            ),
        ],
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


class ReasonForm(Form):
    """Why something is set aside or taken back."""

    reason = StringField(_("Why?"), validators=[InputRequired(_("Fill this in."))])
