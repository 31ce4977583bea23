"""What operators fill in about skills. Shape only: the use cases know the rules."""

from __future__ import annotations

from wtforms import StringField

from marketplace.gigs.forms import FILL_IN, LINE
from marketplace.i18n import lazy
from marketplace.web import Form


class AliasForm(Form):
    """A second name of a skill."""

    name = StringField(lazy("What people also write"), [FILL_IN, LINE])
    stands_for = StringField(lazy("The skill that it is"), [FILL_IN, LINE])
