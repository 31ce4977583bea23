"""What people fill in about contracts and time. Shape only: the use cases know the rules."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from wtforms import IntegerField, RadioField, SelectField, StringField, TextAreaField, TimeField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from marketplace import clock
from marketplace.contracts.entries import Work
from marketplace.contracts.models import Contract, TimeEntry
from marketplace.contracts.offers import OfferDraft
from marketplace.contracts.states import TimeKind
from marketplace.contracts.weeks import Repeated, interval, twice
from marketplace.errors import Invalid
from marketplace.gigs.models import Application
from marketplace.gigs.words import task_choices
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.money import Money
from marketplace.reasons import codes
from marketplace.web import Form, day_field, money_field

FILL_IN = InputRequired(lazy("Fill this in."))
LINE, PARAGRAPH = Length(max=200), Length(max=4_000)


def kinds() -> list[tuple[str, str]]:
    """What time may be."""
    return [(TimeKind.PAID.value, _("Paid")), (TimeKind.UNPAID.value, _("Unpaid"))]


def _repeated(start: datetime, end: datetime) -> str:
    """Which of two equal hours an entry lies in, where the clocks went back."""
    if not (twice(start) or twice(end)):
        return ""
    if start.fold:
        return Repeated.SECOND.value
    return (Repeated.ACROSS if end.fold else Repeated.FIRST).value


class OfferForm(Form):
    """A rate, hours and a first day."""

    rate = money_field(lazy("Rate, an hour"))
    hours_per_week = IntegerField(
        lazy("Hours a week, at most"), [FILL_IN, NumberRange(1, 80, lazy("Give between 1 and 80 hours."))]
    )
    starts_on = day_field(lazy("First day"))

    @classmethod
    def of(cls, application: Application, asked: Money) -> OfferForm:
        """The form as the gig suggests it, to somebody who works for `asked` an hour at the least."""
        gig, today = application.gig, clock.today("UTC")
        currency = gig.project.currency
        least = asked.amount if asked.currency == currency else 0
        suggested = min(max(gig.rate_min or 0, least), gig.rate_max or least)
        form = cls(
            rate=Money(suggested, currency),
            hours_per_week=gig.hours_per_week,
            starts_on=max(gig.starts_on or today, today),
        )
        form.rate.currency = currency
        return form

    def draft(self) -> OfferDraft:
        """What was filled in."""
        if self.starts_on.data is None:
            raise Invalid(_("Give the first day."), field="starts_on")
        return OfferDraft(self.rate.data.amount, self.hours_per_week.data or 0, self.starts_on.data)


class SignForm(Form):
    """A typed signature."""

    signed_name = StringField(lazy("Your full name"), [FILL_IN, LINE])


class ReasonForm(Form):
    """Why something is decided against a person; `about` is the kind of subject."""

    reason_code = SelectField(lazy("Reason"), [FILL_IN])
    explanation = TextAreaField(lazy("Explain it"), [FILL_IN, PARAGRAPH])

    def __init__(self, *args: Any, about: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reason_code.choices = codes.choices(about)


class StartForm(Form):
    """What a timer is started for. Its ids are others than those of the form by hand, on the same page."""

    task_kind = SelectField(lazy("Task"), [FILL_IN], id="timer-task")
    note = StringField(lazy("Note"), [Optional(), LINE], id="timer-note")
    kind = RadioField(lazy("Kind of time"), default=TimeKind.PAID.value, id="timer-kind")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task_kind.choices = task_choices()
        self.kind.choices = kinds()

    @classmethod
    def on(cls, contract: Contract, *, paid: bool) -> StartForm:
        """An empty form for what the gig is about; for unpaid time when paid time would be refused."""
        kind = TimeKind.PAID if paid else TimeKind.UNPAID
        return cls(formdata=None, task_kind=_task_of(contract), kind=kind.value)


class EntryForm(Form):
    """A day and two times on the clock of the contract's zone."""

    day = day_field(lazy("Day"))
    begins = TimeField(lazy("From"), [FILL_IN])
    ends = TimeField(lazy("To"), [FILL_IN])
    repeated = SelectField(lazy("The hour that happened twice"), [Optional()])
    task_kind = SelectField(lazy("Task"), [FILL_IN])
    items = IntegerField(
        lazy("Pieces finished"),
        [Optional(), NumberRange(0, 100_000, lazy("Give between 0 and 100,000 pieces."))],
    )
    note = TextAreaField(lazy("Note"), [Optional(), PARAGRAPH])
    kind = RadioField(lazy("Kind of time"), default=TimeKind.PAID.value)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task_kind.choices = task_choices()
        self.kind.choices = kinds()
        self.repeated.choices = [
            ("", _("Not touched by it")),
            (Repeated.FIRST.value, _("The first time")),
            (Repeated.SECOND.value, _("The second time")),
            (Repeated.ACROSS.value, _("From the first into the second")),
        ]

    @classmethod
    def on(cls, contract: Contract, day: date) -> EntryForm:
        """An empty form for a day, for the kind of task that the gig is about."""
        return cls(formdata=None, day=day, task_kind=_task_of(contract))

    @classmethod
    def of(cls, entry: TimeEntry) -> EntryForm:
        """The form with what was entered, on the contract's clock."""
        zone = entry.contract.zone
        start, end = entry.started_at.astimezone(zone), (entry.ended_at or entry.started_at).astimezone(zone)
        return cls(
            day=start.date(),
            begins=start.time(),
            ends=end.time(),
            repeated=_repeated(start, end),
            task_kind=entry.task_kind,
            items=entry.items,
            note=entry.note,
            kind=entry.kind.value,
        )

    def work(self, contract: Contract) -> Work:
        """What was filled in, in UTC. Raises Invalid for times that cannot be, or that happened twice."""
        repeated = Repeated(self.repeated.data) if self.repeated.data else None
        day, begins, ends = self.day.data, self.begins.data, self.ends.data
        if day is None or begins is None or ends is None:
            raise Invalid(_("Fill in the day and both times."), field="day")
        start, end = interval(day, begins, ends, contract.time_zone, repeated)
        return Work(
            started_at=start,
            ended_at=end,
            task_kind=self.task_kind.data,
            note=self.note.data or "",
            items=self.items.data,
            kind=TimeKind(self.kind.data),
        )


def _task_of(contract: Contract) -> str | None:
    kind = contract.gig.task_kind
    return kind.value if kind is not None else None
