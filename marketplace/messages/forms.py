"""Writing a message. Shape only: the use case knows the rules."""

from __future__ import annotations

import uuid
from typing import Any

from flask_wtf.file import MultipleFileField
from wtforms import HiddenField, TextAreaField

from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.storage import Upload
from marketplace.web import Form


class MessageForm(Form):
    """A text and files. `key` is random, so that a second click sends nothing."""

    key = HiddenField()
    text = TextAreaField(lazy("Your message"))
    files = MultipleFileField(lazy("Files"))

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.sent_key = _uuid(self.key.data)
        self.key.data = str(self.sent_key or uuid.uuid4())

    def once(self) -> uuid.UUID:
        """The key under which it is sent. Raises Invalid when the form came without one."""
        if self.sent_key is None:
            raise Invalid(_("It was not sent: something in the form was missing. Send it again."))
        return self.sent_key

    def uploads(self) -> list[Upload]:
        """The files that were chosen."""
        chosen = [each for each in self.files.data or () if getattr(each, "filename", "")]
        return [Upload(each.filename, each.read()) for each in chosen]


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None
