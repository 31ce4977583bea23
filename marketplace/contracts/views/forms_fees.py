"""What finance fills in about fees."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from wtforms import DecimalField, RadioField, SelectField, TextAreaField
from wtforms.validators import Length, NumberRange, Optional

from marketplace.accounts.models import Organization
from marketplace.contracts.fees.setting import FeeDraft
from marketplace.contracts.forms import FILL_IN
from marketplace.errors import Invalid
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.web import Form, day_field

ALL, SET, END = "all", "set", "end"
_PLAIN = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)


class PercentField(DecimalField):
    """A number in plain digits: what else Python reads as one, `NaN` or `1e400`, is no share of anything."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        typed = valuelist[0].strip() if valuelist else ""
        if typed and not _PLAIN.fullmatch(typed):
            raise ValueError(_("Write the fee in digits, for example 17.5."))
        super().process_formdata([typed] if typed else [])


class FeeForm(Form):
    """Whose fee, what it is, from which day, and why."""

    whose = SelectField(lazy("For"), [FILL_IN])
    act = RadioField(lazy("What it is"), [FILL_IN], default=SET)
    fee = PercentField(
        lazy("Fee, per cent of the pay"), [Optional(), NumberRange(0, 100, lazy("Between 0 and 100."))]
    )
    from_on = day_field(lazy("For work from"))
    reason = TextAreaField(lazy("Why"), [FILL_IN, Length(max=1_000)])

    @classmethod
    def of(cls, clients: Iterable[Organization], projects: Iterable[Project], chosen: str) -> FeeForm:
        """An empty form for these clients and projects; `chosen` is one of their values."""
        form = cls(whose=chosen)
        form.whose.choices = {
            "": [(ALL, _("All clients"))],
            _("A client"): [(f"client:{each.public_id}", each.name) for each in clients],
            _("A project"): [
                (f"project:{each.public_id}", f"{each.organization.name} · {each.name}") for each in projects
            ],
        }
        form.act.choices = [(SET, _("A fee")), (END, _("The end of their own fee: the wider one applies"))]
        return form

    def draft(self) -> FeeDraft:
        """What was filled in. Raises Invalid for a fee that is missing or too fine."""
        if self.from_on.data is None:
            raise Invalid(_("Give the first day."), field="from_on")
        kind, _colon, rest = self.whose.data.partition(":")
        return FeeDraft(
            self.from_on.data,
            self._basis_points() if self.act.data == SET else None,
            self.reason.data or "",
            client=uuid.UUID(rest) if kind == "client" else None,
            project=uuid.UUID(rest) if kind == "project" else None,
        )

    def _basis_points(self) -> int:
        if self.fee.data is None:
            raise Invalid(_("Give the fee."), field="fee")
        points = Decimal(self.fee.data) * 100
        if points != int(points):
            raise Invalid(_("Use at most two decimal places."), field="fee")
        return int(points)
