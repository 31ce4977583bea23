"""Every form of every page, filled in by somebody who is careless, in a hurry, or up to something."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from marketplace import settings
from marketplace.web.unsent import LONG
from tests.conftest import site_on
from tests.factories.accounts import enter
from tests.walk.expected import OPEN
from tests.walk.forms import TYPED, PageForm, forms_in
from tests.walk.visits import ANYONE, path_of, rules
from tests.walk.world import World

pytestmark = pytest.mark.committed

# What is typed into every field, as it is sent.
TEXTS = {
    "nothing": b"",
    "blanks": " \t\u2003".encode(),
    "too much": b"a line that has no end " * 1_000,
    "a script": b"<script>alert('x')</script> \"quoted\" {{ 7 * 7 }}",
    "signs": "\U0001f9d1\U0001f3fd\u200d\u2695 \u202edetrevni\u202c \u200f\u0627\u0644".encode(),
    "no character": b"before \x00 and after, long enough to be missed",
    "no UTF-8": b"half of one \xed\xa0\x80 and none \xff at all",
    "a huge number": b"9" * 40,
}
# And into every field where a number or a day is asked for.
NUMBERS = {
    "a negative number": b"-1",
    "no number": b"1e999",
    "digits of elsewhere": "\uff11\u0662\u00b2".encode(),
    "no day": b"0000-00-00",
    "a late day": b"99999-12-31",
    "a wrong day": b"2026-02-30",
}
# Where nothing is typed, only a program changes what is sent.
CHOICES = {name: TEXTS[name] for name in ("nothing", "a script", "a huge number")}
OURS = ("csrf_token", "typed")
NO_ALERT = re.compile(r'id="alerts" role="alert">\s*</div>')
# A sentence beside a field or above the form, or the page of an error.
SENTENCE = re.compile(r'class="error[" -]|class="label">4\d\d<')
UNHELD = re.compile(r"\0|\ufffd|%[0-9A-F]{2}")


@dataclass(frozen=True)
class Seen:
    """A form, who sees it and on which page."""

    name: str
    endpoint: str
    person: str
    page: str
    form: PageForm


class Desk:
    """Where forms are sent from; whatever one of them changes is undone before the next."""

    def __init__(self, connection: sa.Connection, world: World) -> None:
        self.connection, self.world = connection, world
        self.session = Session(connection, join_transaction_mode="create_savepoint")
        self.site = site_on(self.session, settings.current())
        people = world.everybody()
        self.cookies = {name: self._cookie(actor) for name, actor in people.items()}

    def _cookie(self, actor: Any) -> str:
        cookie = enter(self.site.test_client(), self.session, actor).get_cookie("session")
        self.session.commit()
        assert cookie
        return cookie.value

    def browser(self, person: str) -> FlaskClient:
        client = self.site.test_client()
        if person in self.cookies:
            client.set_cookie("session", self.cookies[person])
        return client

    def forms(self) -> Iterator[Seen]:
        """Each form once, as it stands on the page of the first who sees it."""
        known = set()
        for rule in rules(self.site, "GET"):
            if rule.endpoint == "design.index":  # its forms lead nowhere
                continue
            path = path_of(self.site, self.world, rule)
            for person in (OPEN[rule.endpoint] or ANYONE).split():
                answer = self.browser(person).get(path, buffered=True)
                for form in forms_in(answer.text, path) if answer.mimetype == "text/html" else ():
                    kind = (self._endpoint(form), tuple(form.fields))
                    if kind not in known:
                        known.add(kind)
                        yield Seen(kind[0], rule.endpoint, person, path, form)

    def _endpoint(self, form: PageForm) -> str:
        adapter = self.site.url_map.bind("localhost")
        return str(adapter.match(urlsplit(form.action).path, method="POST")[0])

    def fault(self, seen: Seen, sent: dict[str, bytes]) -> str | None:
        """What is wrong with the answer to the form; nothing of it stays."""
        self.session.rollback()
        undo = self.connection.begin_nested()
        try:
            browser = self.browser(seen.person)
            answer = self._send(browser, seen, sent)
            return fault_of(browser, seen, sent, answer)
        finally:
            self.session.rollback()
            self.session.expire_all()
            undo.rollback()

    def _send(self, browser: FlaskClient, seen: Seen, sent: dict[str, bytes]) -> TestResponse:
        head = {"Referer": f"http://localhost{seen.page}"}
        if seen.form.whole:
            data: dict[str, Any] = {name: value.decode("utf-8", "replace") for name, value in sent.items()}
            for name, each in seen.form.fields.items():
                if each.kind == "file":
                    data[name] = (io.BytesIO(sent[name]), "odd \u202efdp.exe")
            return browser.post(seen.form.action, data=data, headers=head, buffered=True)
        body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sent.items())
        kind = "application/x-www-form-urlencoded"
        return browser.post(seen.form.action, data=body, content_type=kind, headers=head, buffered=True)


def fault_of(browser: FlaskClient, seen: Seen, sent: dict[str, bytes], answer: TestResponse) -> str | None:
    """What is wrong with an answer: it broke, or it refuses without a word or without what was typed."""
    taken = 300 <= answer.status_code < 400
    shown = browser.get(answer.headers["Location"], buffered=True) if taken else answer
    if shown.status_code >= 500:
        return shown.status
    if shown.mimetype != "text/html" or (taken and NO_ALERT.search(shown.text)):
        return None
    if answer.status_code < 300:
        return None
    return next(lost(seen, sent, shown), None)


def lost(seen: Seen, sent: dict[str, bytes], answer: TestResponse) -> Iterator[str]:
    """What was typed, and is held neither by its field nor, where the form is gone, by the page."""
    if NO_ALERT.search(answer.text) and not SENTENCE.search(answer.text):
        yield f"{answer.status_code} without a sentence"
    place = urlsplit(seen.form.action).path
    again = [form for form in forms_in(answer.text, seen.page) if urlsplit(form.action).path == place]
    page = plain(html.unescape(answer.text))
    for name in seen.form.named(*TYPED, "number"):
        typed = plain(sent[name].decode("utf-8", "replace"))
        held = [plain(form.fields[name].value) for form in again if name in form.fields]
        # An error page keeps only what is long enough to be missed, and nothing from where passwords are.
        beside = not held and (len(typed) < LONG or typed in page or seen.name.startswith("accounts."))
        if typed and typed not in held and not beside:
            yield f"{answer.status_code} loses {name}: {held}"


def plain(text: str) -> str:
    """The text without what no page can hold."""
    return " ".join(UNHELD.sub("", text).split())


def filled_in(form: PageForm) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The form in each way that it is tried: what it is filled with, and what is sent."""
    untouched = {name: each.value.encode() for name, each in form.fields.items()}
    typed = form.named(*TYPED, "number", "password", "file")
    for what, value in (TEXTS if typed else {}).items():
        yield what, {**untouched, **dict.fromkeys(typed, value)}
    counted = form.named("number", "date")
    for what, value in (NUMBERS if counted else {}).items():
        yield what, {**untouched, **dict.fromkeys(counted, value)}
    chosen = [name for name in form.fields if name not in (*typed, *OURS)]
    for what, value in (CHOICES if chosen else {}).items():
        yield f"{what} chosen", {**untouched, **dict.fromkeys(chosen, value)}


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    bind = world.house.session.get_bind()
    with bind.engine.connect() as connection:
        outer = connection.begin()
        connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
        yield Desk(connection, world)
        outer.rollback()
    site_on(world.house.session, settings.current())


def test_no_form_breaks_or_loses_what_was_typed(desk: Desk) -> None:
    found = [
        f"{seen.name} on {seen.endpoint} as {seen.person}, {what}: {fault}"
        for seen in list(desk.forms())
        for what, sent in filled_in(seen.form)
        if (fault := desk.fault(seen, sent))
    ]
    assert not found, "\n" + "\n".join(found)
