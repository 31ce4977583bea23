"""Who a company is by law, to be filled in."""

from __future__ import annotations

from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Optional

from marketplace.accounts.forms import FILL_IN
from marketplace.i18n import lazy
from marketplace.web import Form


class LegalForm(Form):
    """Name and address have to be there, a tax number may."""

    legal_name = StringField(lazy("Legal name"), validators=[InputRequired(FILL_IN)])
    legal_address = TextAreaField(lazy("Address"), validators=[InputRequired(FILL_IN)])
    tax_number = StringField(lazy("Tax number"), validators=[Optional()])
