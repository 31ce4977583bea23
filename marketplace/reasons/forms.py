"""Appealing, and deciding an appeal."""

from __future__ import annotations

from typing import Any

from wtforms import RadioField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import InputRequired, Length

from marketplace.i18n import lazy
from marketplace.reasons import codes
from marketplace.reasons.models import Outcome
from marketplace.web import Form

LONGEST = 5_000


class AppealForm(Form):
    """What is not right about a decision."""

    text = TextAreaField(
        lazy("Your appeal"), validators=[InputRequired(lazy("Fill this in.")), Length(max=LONGEST)]
    )


class SuspendForm(Form):
    """Why a sign-in is suspended."""

    reason_code = SelectField(lazy("Reason"), validators=[InputRequired(lazy("Choose a reason."))])
    explanation = TextAreaField(
        lazy("What you saw"), validators=[InputRequired(lazy("Fill this in.")), Length(max=LONGEST)]
    )

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.reason_code.choices = [SelectChoice(*each) for each in codes.choices("sign_in")]


class WrittenAppealForm(Form):
    """What a person wrote who cannot sign in."""

    text = TextAreaField(
        lazy("What they wrote"), validators=[InputRequired(lazy("Fill this in.")), Length(max=LONGEST)]
    )


class DecideForm(Form):
    """The outcome, and the answer to the person."""

    outcome = RadioField(
        lazy("Outcome"),
        choices=[
            SelectChoice(Outcome.UPHELD.value, lazy("Uphold the appeal")),
            SelectChoice(Outcome.DISMISSED.value, lazy("Dismiss it")),
        ],
        validators=[InputRequired(lazy("Choose one of the two."))],
    )
    answer = TextAreaField(
        lazy("Answer"), validators=[InputRequired(lazy("Fill this in.")), Length(max=LONGEST)]
    )
