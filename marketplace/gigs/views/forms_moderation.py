"""What operators fill in about gigs. Shape only: the use cases know the rules."""

from __future__ import annotations

from typing import Any

from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import Optional

from marketplace.gigs.forms import FILL_IN, LINE, PARAGRAPH
from marketplace.gigs.moderation import Reasons
from marketplace.gigs.states import GigState
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.reasons import codes
from marketplace.web import Form


class ModerationForm(Form):
    """Which gigs an operator looks at; sent by GET."""

    class Meta(Form.Meta):
        csrf = False

    words = StringField(lazy("Words"), [Optional(), LINE])
    state = SelectField(lazy("State"), [Optional()])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.state.choices = [
            (GigState.PUBLISHED.value, _("Published")),
            (GigState.PAUSED.value, _("Paused")),
            (GigState.REMOVED.value, _("Taken down")),
        ]

    def asked(self) -> tuple[str, GigState]:
        """The words and the state; what makes no sense is not asked."""
        if not self.validate():
            return "", GigState.PUBLISHED
        return (self.words.data or "").strip(), GigState(self.state.data or GigState.PUBLISHED)


class TakeDownForm(Form):
    """Why a gig is taken down."""

    reason_code = SelectField(lazy("Reason"), [FILL_IN])
    evidence = StringField(lazy("What it rests on"), [FILL_IN, LINE])
    explanation = TextAreaField(lazy("Explain it to the client"), [FILL_IN, PARAGRAPH])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reason_code.choices = codes.choices("gig")

    def reasons(self) -> Reasons:
        """What was filled in."""
        return Reasons(self.reason_code.data or "", self.explanation.data or "", self.evidence.data or "")
