"""What clients fill in to ask somebody who is not here yet. Shape only: the use cases know the rules."""

from __future__ import annotations

from wtforms import EmailField, TextAreaField
from wtforms.validators import Optional

from marketplace.gigs.forms import FILL_IN, LINE, PARAGRAPH
from marketplace.i18n import lazy
from marketplace.web import Form


class OutsiderForm(Form):
    """An address, and what to write."""

    email = EmailField(lazy("E-mail address"), [FILL_IN, LINE])
    message = TextAreaField(lazy("A message"), [Optional(), PARAGRAPH])
