"""The page at /design in a real browser: readable by all, by keyboard, without scripts, on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser
Opens = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, design_url: str) -> Iterator[Opens]:
    """Opens the page in a browser of the given kind; whatever the console complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(width: int = 1280, **kind: Any) -> Page:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **kind))
        page: Page = contexts[-1].new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(design_url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened: Opens, scheme: str, width: int):
    # The policy would refuse axe's own script; the page keeps to it in every other test.
    page = opened(width, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_nothing_sticks_out(opened: Opens, width: int):
    assert opened(width).evaluate("document.documentElement.scrollWidth") <= width


def test_a_dialog_takes_the_focus_and_gives_it_back(opened: Opens):
    page = opened()
    opener = page.locator("summary", has_text="Withdraw the application")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Withdraw this application?")
    expect(dialog.get_by_role("heading")).to_be_focused()
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Withdraw it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_dialog_opens_without_scripts(opened: Opens):
    page = opened(java_script_enabled=False)
    button = page.get_by_role("button", name="Withdraw it")
    expect(button).to_be_hidden()
    page.locator("summary", has_text="Withdraw the application").click()
    expect(button).to_be_visible()


def test_errors_are_read_first_and_lead_to_their_fields(opened: Opens):
    page = opened()
    summary = page.get_by_role("alert").filter(has_text="cannot be saved")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Title of the gig").click()
    expect(page.locator("#faulty-title")).to_be_focused()


def test_nobody_who_has_moved_on_is_called_back_to_the_errors(opened: Opens):
    page = opened()
    page.keyboard.press("j")
    # What htmx does itself, some time after the page has loaded.
    page.evaluate("htmx.trigger(document.body, 'htmx:load')")
    expect(page.locator("table[data-rows] tbody tr").first).to_be_focused()


@pytest.mark.parametrize("wrapped", ["%s", "<form>%s</form>"])
def test_errors_that_are_swapped_in_are_read_first(opened: Opens, wrapped: str):
    page = opened()
    page.locator("#demo-title").focus()
    summary = wrapped % '<div id="new" tabindex="-1" data-focus>It cannot be saved.</div>'
    page.evaluate("html => htmx.swap('#content', html, {swapStyle: 'beforeend'})", summary)
    expect(page.locator("#new")).to_be_focused()


def test_errors_leave_whoever_was_faster_in_their_field(opened: Opens):
    page = opened()
    page.route("**/focus.js", lambda route: (page.locator("#demo-title").focus(), route.continue_()))
    page.reload()
    expect(page.locator("#demo-title")).to_be_focused()


def test_rows_are_walked_and_ticked_by_keys(opened: Opens):
    page = opened()
    for key in ("j", "j", "k", "x"):
        page.keyboard.press(key)
    first = page.locator("table[data-rows] tbody tr").first
    expect(first).to_be_focused()
    expect(first.get_by_role("checkbox")).to_be_checked()


def test_a_letter_typed_into_a_field_walks_no_row(opened: Opens):
    page = opened()
    page.locator("#demo-title").press("j")
    expect(page.locator("#demo-title")).to_have_value("j")
    expect(page.locator("#demo-title")).to_be_focused()


def test_the_menu_closes_on_escape(opened: Opens):
    page = opened(375)
    summary = page.locator(".site-menu > summary")
    summary.click()
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Gigs")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(summary).to_be_focused()


def test_the_appearance_changes_at_once_and_is_sent(opened: Opens):
    page = opened()
    page.route("**/look", lambda route: route.fulfill(status=204))
    with page.expect_request("**/look") as sent:
        page.get_by_label("Appearance").select_option("dark")
    assert 'name="theme"\r\n\r\ndark' in (sent.value.post_data or "")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 23, 26)"


def test_a_timer_ticks_by_the_server_clock(opened: Opens):
    assert opened().locator("[data-timer]").inner_text().startswith("1:12:4")
