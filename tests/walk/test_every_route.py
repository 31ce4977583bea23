"""Every address of the site, opened by everybody: who gets in, who does not, and what every page promises."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.walk.expected import OPEN
from tests.walk.visits import gets_in, opened, path_of, rules
from tests.walk.world import World

pytestmark = pytest.mark.committed

INLINE = re.compile(r"<style\b|<script(?![^>]*\bsrc=)|\s(style|on[a-z]+)\s*=\s*[\"']", re.IGNORECASE)
WHOLE = re.compile(r'\senctype="multipart/form-data"')
# The head of a form that asks for a file.
FILE_FORM = re.compile(r"(<form\b[^>]*>)(?:(?!</form>).)*?type=\"file\"", re.DOTALL)
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
NOTHING = "default-src 'none';"
MASTHEAD, MARK = re.compile(r'<header class="masthead">.*?</header>', re.DOTALL), 'aria-current="page"'
STRANGERS = ("zed", "ben", "rival")
# The parts of the design belong to the people who build the site; how matching works to everybody.
IN_NO_SECTION = ("design.index", "gigs.how")
# Whoever had a contract once may always read it; a reviewer has no such section otherwise.
UNMARKED = ["contracts.disputes as rev", "contracts.index as rev", "contracts.timesheets as rev"]


def policy(answer: TestResponse) -> str:
    return answer.headers.get("Content-Security-Policy", "")


def sent_on(answer: TestResponse, *pages: str) -> bool:
    """Is this a redirect to one of the pages that ask who somebody is?"""
    return answer.status_code == 303 and answer.headers["Location"].startswith(pages)


@dataclass(frozen=True)
class Seen:
    """What one person met at one address: the status, whether they got in, which promises were broken, and
    whether the page has sections of which none is marked as the one that it stands in."""

    endpoint: str
    name: str
    status: int
    inside: bool
    broken: tuple[str, ...]
    unmarked: bool


def seen(endpoint: str, name: str, answer: TestResponse) -> Seen:
    html = answer.text if answer.mimetype == "text/html" else ""
    head = MASTHEAD.search(html)
    unmarked = answer.status_code == 200 and bool(head and "site-nav" in head[0] and MARK not in head[0])
    return Seen(endpoint, name, answer.status_code, gets_in(answer), broken_promises(answer, html), unmarked)


def broken_promises(answer: TestResponse, html: str) -> tuple[str, ...]:
    promises = {
        "policy": policy(answer).startswith(POLICY if answer.mimetype == "text/html" else NOTHING),
        "nosniff": answer.headers.get("X-Content-Type-Options") == "nosniff",
        "no-store": "no-store" in answer.headers.get("Cache-Control", ""),
        "nothing inline": not INLINE.search(html),
        "files are sent whole": all(map(WHOLE.search, FILE_FORM.findall(html))),
    }
    return tuple(what for what, kept in promises.items() if not kept)


def test_every_address_opens_for_whom_it_is_and_keeps_its_promises(
    site: Flask, world: World, browsers: dict[str, FlaskClient]
) -> None:
    """Each is opened once by everybody, since that takes the time."""
    everything = [
        seen(rule.endpoint, name, opened(site, world, browser, rule))
        for rule in rules(site, "GET")
        for name, browser in browsers.items()
    ]
    assert [each for each in everything if each.status >= 500] == []
    assert insiders(everything) == OPEN
    # Files of the site itself are kept by browsers.
    pages = [each for each in everything if each.endpoint not in ("static", "web.asset")]
    assert [(each.endpoint, each.name, each.broken) for each in pages if each.broken] == []
    unmarked = [each for each in everything if each.unmarked and each.endpoint not in IN_NO_SECTION]
    assert [f"{each.endpoint} as {each.name}" for each in unmarked] == UNMARKED


def insiders(everything: list[Seen]) -> dict[str, str]:
    """Who gets in, by the name of the address."""
    found: dict[str, list[str]] = {each.endpoint: [] for each in everything}
    for each in everything:
        if each.inside:
            found[each.endpoint].append(each.name)
    return {endpoint: " ".join(names) for endpoint, names in found.items()}


def test_nothing_is_done_without_the_forms_token(
    site: Flask, world: World, browsers: dict[str, FlaskClient]
) -> None:
    for rule in rules(site, "POST"):
        # A mail program sends it; the link itself says whose it is, and this one is nobody's.
        if rule.endpoint == "gigs.turn_alerts_off":
            continue
        path = path_of(site, world, rule)
        answers = {name: browser.post(path) for name, browser in browsers.items()}
        # Who has no business there is told so first; everybody else needs the token.
        others = {name: each for name, each in answers.items() if each.status_code != 400}
        stopped = [
            each.status_code == 404 or sent_on(each, "/sign-in", "/confirm") for each in others.values()
        ]
        assert len(others) < len(answers), rule.endpoint
        assert all(stopped), (rule.endpoint, others)


def test_strangers_change_nothing_of_anybodys(
    site: Flask, world: World, browsers: dict[str, FlaskClient]
) -> None:
    before = _rows(world)
    tokens = {name: _token(browsers[name]) for name in STRANGERS}
    for rule in rules(site, "POST"):
        if not rule.arguments or rule.arguments <= {"token", "code", "which"}:
            continue
        path = path_of(site, world, rule)
        for name in STRANGERS:
            answer = browsers[name].post(path, data={"csrf_token": tokens[name]})
            # The test is Ben's own, and handed in.
            allowed = {"gigs.apply": {"ben"}, "gigs.decline_invitation": {"ben"},
                       "gigs.hide": {"ben"}, "gigs.show_again": {"ben"},
                       "contracts.sitting": {"ben"}, "contracts.keep_answers": {"ben"}}  # fmt: skip
            if name not in allowed.get(rule.endpoint, set()):
                stopped = answer.status_code in (403, 404) or sent_on(answer, "/confirm")
                assert stopped, f"{rule.endpoint} as {name}: {answer.status}"
    assert _rows(world) == before


def _token(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/security").text)
    assert found
    return found.group(1)


def _rows(world: World) -> int:
    """How much was ever recorded: any change would add to it."""
    session = world.house.session
    session.rollback()
    count = session.scalar(sa.text("SELECT count(*) FROM audit_events WHERE verb NOT IN ('sign_in')"))
    return int(count or 0)
