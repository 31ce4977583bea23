"""What a client fills in about bonuses and corrections."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from wtforms import HiddenField, RadioField, SelectField, TextAreaField
from wtforms.validators import Length

from marketplace.contracts.adjustments import words
from marketplace.contracts.adjustments.giving import Draft
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.forms import FILL_IN
from marketplace.contracts.models import Contract, Timesheet
from marketplace.errors import Invalid
from marketplace.i18n import day, lazy
from marketplace.i18n import gettext as _
from marketplace.web import Form, money_field

BONUS, MORE, LESS = "bonus", "more", "less"


class AdjustmentForm(Form):
    """More pay, or less, and why. `looked_at` is what was shown before it is made for good; `key` is random,
    so that a second click makes nothing."""

    key = HiddenField()
    looked_at = HiddenField()
    kind = RadioField(lazy("What it is"), [FILL_IN])
    amount = money_field(lazy("Pay"))
    reason_code = SelectField(lazy("Reason"), [FILL_IN])
    explanation = TextAreaField(lazy("Why"), [FILL_IN, Length(max=1_000)])
    timesheet = SelectField(lazy("About a week"))

    @classmethod
    def of(cls, contract: Contract, sheets: Iterable[Timesheet]) -> AdjustmentForm:
        """An empty form about a contract with these weeks."""
        form = cls()
        form.amount.currency = contract.currency
        form.kind.choices = [
            (BONUS, _("A bonus")),
            (MORE, _("A correction: more pay")),
            (LESS, _("A correction: less pay")),
        ]
        form.reason_code.choices = {
            "": [("", _("Choose"))],
            _("For a bonus"): list(words.reasons(Kind.BONUS).items()),
            _("For more pay"): list(words.reasons(Kind.CORRECTION).items()),
            _("For less pay"): list(words.reasons(Kind.CORRECTION, less=True).items()),
        }
        weeks = [(str(each.public_id), _("Week from %(day)s", day=day(each.starts_on))) for each in sheets]
        form.timesheet.choices = [("", _("No week in particular")), *weeks]
        form.key.data = str(_uuid(form.key.data) or uuid.uuid4())
        return form

    def draft(self) -> Draft:
        """What was filled in."""
        if self.amount.data.amount < 0:
            raise Invalid(_("Enter an amount above zero."), field="amount")
        sign = -1 if self.kind.data == LESS else 1
        return Draft(
            Kind.BONUS if self.kind.data == BONUS else Kind.CORRECTION,
            sign * self.amount.data.amount,
            self.reason_code.data,
            self.explanation.data or "",
            uuid.UUID(self.key.data),
            _uuid(self.timesheet.data),
        )

    @property
    def mark(self) -> str:
        """What is filled in now, so that nothing is made that was not looked at."""
        amount = self.amount.data.amount if self.amount.data else ""
        return f"{self.kind.data} {amount} {self.timesheet.data}"


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None
