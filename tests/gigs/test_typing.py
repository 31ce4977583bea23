"""A client types into a gig's form in a real browser: it counts beside it, and keeps what is typed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session

from tests.chromium import served
from tests.factories.accounts import enter
from tests.factories.gigs import a_client, a_gig, a_project, an_expert

pytestmark = pytest.mark.browser


@pytest.fixture
def form(chromium: Browser, app: Flask, session: Session) -> Iterator[Page]:
    """The form of a published gig, which one expert fits."""
    client, organization = a_client(session)
    an_expert(session, min_rate=120_00)
    gig = a_gig(session, client, a_project(session, client, organization))
    session.commit()
    cookie = enter(app.test_client(), session, client).get_cookie("session")
    assert cookie is not None
    with served(app) as address:
        context = chromium.new_context(reduced_motion="reduce")
        context.add_cookies([{"name": "session", "value": cookie.value, "url": address}])
        page = context.new_page()
        page.goto(f"{address}/gigs/{gig.public_id}/edit")
        yield page
        context.close()


def test_what_is_typed_is_counted_kept_and_there_again(form: Page) -> None:
    expect(form.locator("#reach")).to_contain_text("1 expert fits")
    form.fill("#rate_max", "110")
    form.keyboard.press("Tab")
    expect(form.locator("#reach")).to_contain_text("+1 at $120.00 an hour")
    status = form.locator("[data-autosave-status]")
    expect(status).to_contain_text("Saved")
    form.reload()
    expect(form.locator("#rate_max")).to_have_value("110")
    expect(form.locator("main")).to_contain_text("What you typed is here again")


def test_without_a_network_it_says_so_and_keeps_it_once_it_is_back(form: Page) -> None:
    status = form.locator("[data-autosave-status]")
    form.context.set_offline(True)
    form.fill("#title", "Typed in a tunnel")
    expect(status).to_contain_text("Not saved: no network")
    form.context.set_offline(False)
    expect(status).to_contain_text("Saved")
    form.reload()
    expect(form.locator("#title")).to_have_value("Typed in a tunnel")


def test_signed_out_meanwhile_it_says_so(form: Page) -> None:
    form.context.clear_cookies()
    form.fill("#title", "Too late")
    expect(form.locator("[data-autosave-status]")).to_contain_text("you are signed out")
