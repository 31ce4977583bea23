"""What finance asks the books."""

from __future__ import annotations

from datetime import date

from wtforms import DateField, StringField
from wtforms.validators import Optional, Regexp, ValidationError

from marketplace.i18n import lazy as _
from marketplace.web import Part, day_field


class AsOfForm(Part):
    """The day at whose end the trial balance is struck."""

    day = day_field(_("At the end of"), required=False)


class RangeForm(Part):
    """From which day of the books to which, both included."""

    since = day_field(_("From"), required=False)
    day = day_field(_("Up to"), required=False)

    def validate_day(self, field: DateField) -> None:
        """The end is not before the start."""
        if field.data and self.since.data and field.data < self.since.data:
            raise ValidationError(_("This is before the first day."))

    @property
    def days(self) -> tuple[date | None, date | None]:
        """The days that were asked for; neither when they make no sense."""
        return (self.since.data, self.day.data) if self.validate() else (None, None)


class JournalForm(RangeForm):
    """Which entries to list."""

    code = StringField(_("Account code"), validators=[Optional(), Regexp(r"\d{4}")])
    source = StringField(_("Source begins with"))
