"""What somebody typed into a form that could not be taken: after the session had ended, or by an old page.

A form says whose it is, sealed, so that nobody can slip words into another person's form. What is kept is
shown again in the form, and is saved only when that is sent.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request, session
from werkzeug.exceptions import HTTPException

from marketplace import clock, crypto
from marketplace.crypto import NotSealedHere

# The hidden field that says whose form it is; and the one by which a form is only shown again.
MARK, AGAIN = "typed", "unsent"
KEPT = "unsent"
MADE_FOR, FORM = "web.unsent.mark", "web.unsent.form"
GOOD_FOR = timedelta(days=14)
LARGEST = 200_000
LONG = 20
# Passwords and codes are typed there.
NEVER = frozenset({"accounts"})


@dataclass(frozen=True)
class Unsent:
    """A form as it came: where to, and its fields, of which a name may come several times.

    `person_id` is for whom we made it, None when that cannot be known.
    """

    person_id: int | None
    path: str
    fields: list[tuple[str, str]]
    had_file: bool

    @property
    def size(self) -> int:
        """Characters in all."""
        return sum(len(name) + len(value) for name, value in self.fields)

    @property
    def texts(self) -> list[str]:
        """What is long enough to be missed."""
        return [value for _name, value in self.fields if len(value.strip()) >= LONG]


def mark(person_id: int | None) -> str:
    """What a form carries to say that it was made for this person."""
    return "" if person_id is None else _sealed([person_id, clock.now().isoformat()], MADE_FOR)


def of_request() -> Unsent | None:
    """The form that this request brought, when it is one into which people type."""
    if request.method != "POST" or request.blueprint in NEVER:
        return None
    try:
        sent = request.form.get(MARK)
    except HTTPException:  # too large to be read
        return None
    if sent is None:
        return None
    fields = [(name, value) for name, value in request.form.items(multi=True) if not _ours(name)]
    had_file = any(file.filename for file in request.files.values())
    return Unsent(_made_for(sent), request.full_path.rstrip("?"), fields, had_file)


def keep() -> bool:
    """Keep the form of this request in the browser's session until its person has signed in. False when
    there is nothing to keep."""
    found = of_request()
    if found is None or found.person_id is None or found.size > LARGEST:
        return False
    session[KEPT] = _sealed(asdict(found), FORM)
    return True


def carried(data: Mapping[str, Any], person_id: int) -> dict[str, Any]:
    """What goes over into the session that begins when this person signs in."""
    found = _opened(data.get(KEPT, ""), FORM)
    return {KEPT: data[KEPT]} if found and found["person_id"] == person_id else {}


def kept(person_id: int | None) -> Unsent | None:
    """What is kept for this person in the present session."""
    found = _opened(session.get(KEPT, ""), FORM)
    if not found or found["person_id"] != person_id:
        return None
    return Unsent(**{**found, "fields": [(name, value) for name, value in found["fields"]]})


def only_shown() -> bool:
    """Is the form of this request to be shown again, and not yet to be taken?"""
    shown = request.form.get(AGAIN) == "1"
    if shown:
        session.pop(KEPT, None)
    return shown


def _made_for(sent: str) -> int | None:
    found = _opened(sent, MADE_FOR)
    if found is None or clock.now() - datetime.fromisoformat(found[1]) > GOOD_FOR:
        return None
    return int(found[0])


def _ours(name: str) -> bool:
    return name in (MARK, AGAIN) or name.endswith("csrf_token")


def _sealed(value: Any, context: str) -> str:
    return base64.urlsafe_b64encode(crypto.seal(json.dumps(value).encode(), context)).decode()


def _opened(text: str, context: str) -> Any:
    try:
        return json.loads(crypto.open_sealed(base64.urlsafe_b64decode(text.encode()), context))
    except (binascii.Error, ValueError, NotSealedHere):
        return None
