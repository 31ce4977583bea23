"""What experts fill in about their searching. Shape only: the use cases know the rules."""

from __future__ import annotations

from typing import Any

from wtforms import RadioField, StringField
from wtforms.validators import Optional

from marketplace.gigs.finding.hiding import reason_word
from marketplace.gigs.finding.models import Cadence, HideReason
from marketplace.gigs.finding.saved import cadence_word
from marketplace.gigs.forms import FILL_IN, LINE
from marketplace.i18n import lazy
from marketplace.web import Form


class CadenceForm(Form):
    """How soon one hears of new gigs."""

    cadence = RadioField(lazy("Tell me of new gigs"), [FILL_IN])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cadence.choices = [(each.value, cadence_word(each)) for each in Cadence]


class SearchForm(CadenceForm):
    """A name for a search, and how soon one hears of what it finds."""

    name = StringField(lazy("Name"), [FILL_IN, LINE])


class HideForm(Form):
    """Why one does not want to see a gig again."""

    reason = RadioField(lazy("Why?"), [FILL_IN])
    note = StringField(lazy("A note to yourself"), [Optional(), LINE])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reason.choices = [(each.value, reason_word(each)) for each in HideReason]
