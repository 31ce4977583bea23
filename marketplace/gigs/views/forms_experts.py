"""What clients fill in about the experts who fit. Shape only: the use cases know the rules."""

from __future__ import annotations

import uuid
from typing import Any

from wtforms import Field, IntegerField, RadioField, StringField, TextAreaField
from wtforms.validators import NumberRange, Optional

from marketplace.gigs.finding.saved import cadence_word
from marketplace.gigs.forms import FILL_IN, LINE, PARAGRAPH
from marketplace.gigs.invitations import MOST_AT_ONCE
from marketplace.gigs.watching import CADENCES
from marketplace.i18n import lazy
from marketplace.web import Form


class MultipleIdsField(Field):
    """Several public ids, each of a box that stands elsewhere on the page; what is none is left out."""

    data: list[uuid.UUID]

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = [found for each in valuelist if (found := _uuid(each)) is not None]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


class InviteForm(Form):
    """A message to an expert."""

    message = TextAreaField(lazy("A message"), [Optional(), PARAGRAPH])


class InviteManyForm(InviteForm):
    """A message to several experts: those ticked, or so many of the best."""

    which = StringField(lazy("Which"), [Optional(), LINE])
    who = MultipleIdsField(lazy("Experts"))
    best = IntegerField(
        lazy("Or so many of the best"),
        [Optional(), NumberRange(1, MOST_AT_ONCE, lazy("Give between 1 and 100."))],
    )


class WatchForm(Form):
    """How often a client hears of experts who newly fit."""

    cadence = RadioField(lazy("How often"), [FILL_IN])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cadence.choices = [(each.value, cadence_word(each)) for each in CADENCES]


class MarkForm(Form):
    """A note to one's colleagues about an expert."""

    note = StringField(lazy("A note, for your company only"), [Optional(), LINE])
