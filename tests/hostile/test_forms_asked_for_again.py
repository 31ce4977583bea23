"""A phone that brings back the page of a refused form asks for an address that only takes forms."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.cast import Cast
from tests.visitor import words

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ID = "0198c0de-0000-7000-8000-000000000007"


@pytest.mark.parametrize(
    ("path", "referrer", "page"),
    [
        (f"/timesheets/{ID}/return", "", f"/timesheets/{ID}"),
        (f"/work/{ID}/entries", "", f"/work/{ID}"),
        (f"/work/{ID}/entries", f"http://localhost/work/{ID}?week=2026-11-02", f"/work/{ID}?week=2026-11-02"),
        (f"/work/{ID}/entries", f"http://localhost/work/{ID}/entries", f"/work/{ID}"),
        (f"/work/{ID}/entries", "http://localhost/", f"/work/{ID}"),
        (f"/work/{ID}/entries", "http://evil.example/timesheets", f"/work/{ID}"),
        ("/work/timer/stop", "", "/work"),
        ("/work/timer/stop", "http://[evil", "/work"),
    ],
)
def test_a_browser_is_led_to_the_page_of_the_form(client: FlaskClient, path: str, referrer: str, page: str):
    answer = client.get(path, headers={**BROWSER, "Referer": referrer})
    assert (answer.status_code, answer.headers["Location"]) == (303, page)


def test_the_page_says_that_nothing_was_sent(app: Flask, cast: Cast):
    ana = cast.visitor(app, cast.ana).client
    answer = ana.get("/work/timer/stop", headers=BROWSER, follow_redirects=True)
    assert answer.status_code == 200
    assert "Nothing was sent now" in words(answer)


def test_without_such_a_page_it_is_said_in_plain_words(client: FlaskClient):
    answer = client.get("/stripe/webhooks/platform", headers=BROWSER)
    assert answer.status_code == 405
    assert "This address only takes a form" in words(answer)
    assert "Go to your first page" in words(answer)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_program_is_told_what_the_address_takes(client: FlaskClient, method: str):
    answer = client.open("/work/timer/stop", method=method, headers={"Accept": "*/*"})
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
