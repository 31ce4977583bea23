"""What finance asks the books."""

from __future__ import annotations

from wtforms import Form, StringField
from wtforms.validators import Optional, Regexp

from marketplace.i18n import lazy as _
from marketplace.web import day_field


class AsOfForm(Form):
    """The day at whose end the trial balance is struck."""

    day = day_field(_("At the end of"), required=False)


class JournalForm(Form):
    """Which entries to list."""

    code = StringField(_("Account code"), validators=[Optional(), Regexp(r"\d{4}")])
    source = StringField(_("Source begins with"))
