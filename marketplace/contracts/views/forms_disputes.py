"""What is filled in about questioned lines. Shape only: the use cases know the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms import IntegerField, SelectField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import SUBJECT, Question
from marketplace.contracts.disputes.ruling import SUBJECT as RULING
from marketplace.contracts.lines import Line
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.reasons import codes
from marketplace.reasons.statements import LEAST_EXPLANATION
from marketplace.text import paragraph
from marketplace.web import Form

FILL_IN = InputRequired(lazy("Fill this in."))
PARAGRAPH = Length(max=4_000)


def lines_form(lines: Sequence[Line]) -> Any:
    """A form with a reason, an explanation and minutes for each line, as `reason_1` and so on. A line is
    questioned when a reason is chosen."""
    fields: dict[str, Any] = {}
    for n, line in enumerate(lines, 1):
        fields[f"reason_{n}"] = SelectField(_("Why you question it"), [Optional()], default="")
        fields[f"explanation_{n}"] = TextAreaField(_("Explain it"), [PARAGRAPH, _explained(f"reason_{n}")])
        less = NumberRange(0, line.minutes - 1, _("Give fewer minutes than the line has, 0 for none."))
        fields[f"minutes_{n}"] = IntegerField(
            _("Minutes that you would pay for"), [Optional(), less, _meant(f"reason_{n}")], default=0
        )
    form: Any = type("LinesForm", (Form,), fields)()
    for n in range(1, len(lines) + 1):
        form[f"reason_{n}"].choices = _reasons()
    return form


def questions(form: Any, lines: Sequence[Line]) -> list[Question]:
    """What is questioned."""
    return [
        Question(
            line.entry.public_id,
            form[f"reason_{n}"].data,
            form[f"explanation_{n}"].data or "",
            form[f"minutes_{n}"].data or 0,
        )
        for n, line in enumerate(lines, 1)
        if form[f"reason_{n}"].data
    ]


class AnswerForm(Form):
    """An answer to a question about a line, with the minutes that would do."""

    text = TextAreaField(lazy("What you want to be known"), [FILL_IN, PARAGRAPH])
    minutes = IntegerField(
        lazy("Minutes"), [FILL_IN, NumberRange(0, None, lazy("Give a number of minutes."))]
    )

    @classmethod
    def of(cls, minutes: int) -> AnswerForm:
        """The form with minutes to begin from."""
        return cls(formdata=None, minutes=minutes)


class AskRulingForm(Form):
    """Asking for a ruling."""

    text = TextAreaField(lazy("What whoever rules should look at"), [FILL_IN, PARAGRAPH], id="ask-text")


class RuleForm(Form):
    """A ruling: minutes, and why where they are fewer than entered."""

    minutes = IntegerField(
        lazy("Minutes that are paid"), [FILL_IN, NumberRange(0, None, lazy("Give a number of minutes."))]
    )
    reason_code = SelectField(lazy("Reason, if it is not all of them"), [Optional()])
    explanation = TextAreaField(lazy("What you looked at, and what it shows"), [Optional(), PARAGRAPH])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reason_code.choices = codes.choices(RULING)

    @classmethod
    def of(cls, dispute: TimeDispute) -> RuleForm:
        """The form with all of the minutes, which need no reason."""
        return cls(formdata=None, minutes=dispute.minutes)


def _reasons() -> list[tuple[str, str]]:
    return [("", _("Nothing, approve it")), *codes.reasons()[SUBJECT].items()]


def _meant(reason: str) -> Any:
    """A check that minutes are named for a questioned line only."""

    def check(form: Any, field: Any) -> None:
        if field.data and not form[reason].data:
            raise ValidationError(_("Choose why you question this line, or put 0 here."))

    return check


def _explained(reason: str) -> Any:
    """A check that a questioned line is explained, and that what is explained is questioned."""

    def check(form: Any, field: Any) -> None:
        said = paragraph(field.data or "")
        if form[reason].data and len(said) < LEAST_EXPLANATION:
            raise ValidationError(
                _("Explain in a sentence or two what you saw, so that the person can answer it.")
            )
        if said and not form[reason].data:
            raise ValidationError(_("Choose why you question this line, or empty this."))

    return check
