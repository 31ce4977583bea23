"""What finance asks the books."""

from __future__ import annotations

from datetime import UTC, date, datetime

from wtforms import DateField, DateTimeLocalField, StringField
from wtforms.validators import Optional, Regexp, ValidationError

from marketplace import clock
from marketplace.i18n import lazy as _
from marketplace.web import Part, day_field


class KnownForm(Part):
    """As of which knowledge the books are read."""

    known = DateTimeLocalField(
        _("As it was known at (UTC)"),
        format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        validators=[Optional()],
    )

    def validate_known(self, field: DateTimeLocalField) -> None:
        """What will be known is not known."""
        if field.data and field.data.replace(tzinfo=UTC) > clock.now():
            raise ValidationError(_("This moment is still to come."))

    @property
    def moment(self) -> datetime | None:
        """The moment (UTC), if one was asked for that makes sense."""
        return self.known.data.replace(tzinfo=UTC) if self.validate() and self.known.data else None


class AsOfForm(KnownForm):
    """The day at whose end the trial balance is struck."""

    day = day_field(_("At the end of"), required=False)


class RangeForm(KnownForm):
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
