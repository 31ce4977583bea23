"""Forms check shape; the domain checks rules, and its refusals come back as sentences beside the input."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import wtforms
from flask_wtf import FlaskForm
from wtforms import DateField, Field
from wtforms.validators import InputRequired, Optional, ValidationError
from wtforms.widgets import TextInput

from marketplace import money
from marketplace.errors import DomainError, Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.web import unsent, words

R = TypeVar("R")


class _Words:
    """WTForms' own messages in our words. It fills in the values afterwards, under names of its own."""

    def gettext(self, message: str) -> str:
        return words.sentence(message)

    def ngettext(self, _one: str, many: str, n: int) -> str:
        return words.counted(many, n)


class Form(FlaskForm):  # type: ignore[misc]
    """The base of every form: protected against forged requests, in the reader's language."""

    def validate_on_submit(self, *args: Any) -> bool:
        """As WTForms does it; not when the form is only to be shown again with what was typed before."""
        if self.is_submitted() and unsent.only_shown():
            self.form_errors.append(_("Nothing of this is saved yet. Look at it, and send it again."))
            return False
        return bool(super().validate_on_submit(*args))

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        def get_translations(self, form: Any) -> _Words:
            return _Words()


class Part(wtforms.Form):
    """Fields that need no protection of their own: a row of a form, or what a list is narrowed down by."""

    class Meta(wtforms.Form.Meta):  # type: ignore[misc]
        def get_translations(self, form: Any) -> _Words:
            return _Words()


class MoneyField(Field):
    """An amount that a person types, such as `1,250.50`; `.data` is a Money."""

    widget = TextInput()

    def __init__(self, *args: Any, currency: str = "USD", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        self.typed: str | None = None

    def _value(self) -> str:
        if self.typed is not None:
            return self.typed
        return f"{self.data.decimal:,}" if isinstance(self.data, Money) else ""

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.typed = valuelist[0] if valuelist else ""
        self.data = None
        if self.typed.strip():
            self.data = _or_value_error(lambda: money.parse(self.typed or "", self.currency))
        elif self.typed:
            # Blanks count as filled in for WTForms.
            raise ValueError(_("Fill this in."))


def money_field(label: str, *, currency: str = "USD", required: bool = True, **kwargs: Any) -> MoneyField:
    """An input for an amount of `currency`."""
    return MoneyField(label, validators=[_presence(required)], currency=currency, **kwargs)


def day_field(label: str, *, required: bool = True, **kwargs: Any) -> DateField:
    """An input for a calendar day; `.data` is a date."""
    return DateField(label, validators=[_presence(required), _sane_day], **kwargs)


def try_form(form: Any, call: Callable[[], R]) -> R | None:
    """Run the domain call when the form's shape is right; None when either refuses.

    A refusal's sentence lands on the input that it names, or on the form. Other errors pass through.
    """
    if not form.validate_on_submit():
        return None
    try:
        return call()
    except (Invalid, Refused) as refusal:
        blame(form, refusal)
        return None


def blame(form: Any, refusal: DomainError) -> None:
    """Show the refusal's sentence beside the input it names, or at the top of the form."""
    field: Field | None = form._fields.get(refusal.field) if refusal.field else None
    if field is None:
        form.form_errors.append(refusal.sentence)
    else:
        field.errors = [*field.errors, refusal.sentence]


def _presence(required: bool) -> InputRequired | Optional:
    return InputRequired(_("Fill this in.")) if required else Optional()


def _sane_day(_form: Any, field: Field) -> None:
    if isinstance(field.data, date) and not 1900 <= field.data.year <= 2200:
        raise ValidationError(_("Check the year."))


def _or_value_error(read: Callable[[], R]) -> R:
    try:
        return read()
    except Invalid as refusal:
        raise ValueError(refusal.sentence) from None
