"""The timer in a real browser: through a reload, in another window, a closed laptop and an hour offline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.models import TimeEntry
from tests.chromium import served
from tests.factories.accounts import enter
from tests.factories.contracts import Deal, a_deal

pytestmark = pytest.mark.browser

Open = Callable[[], Page]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Next Monday at noon in New York or near it, which the site's clock says from now on."""
    today = datetime.now(UTC).date()
    day = today + timedelta(days=7 - today.weekday())
    noon = datetime.combine(day, time(16), UTC)
    file = tmp_path / "clock.json"
    file.write_text(json.dumps({"offset": (noon - datetime.now(UTC)).total_seconds()}))
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(file))
    return noon


@pytest.fixture
def deal(start: datetime, session: Session) -> Deal:
    """A contract since Monday. It is Tuesday."""
    made = a_deal(session)
    session.commit()
    clock.advance(timedelta(days=1))
    return made


@pytest.fixture
def open_page(chromium: Browser, app: Flask, session: Session, deal: Deal) -> Iterator[Open]:
    """Opens the week in a window of its own, in which the expert is signed in."""
    cookie = enter(app.test_client(), session, deal.expert).get_cookie("session")
    assert cookie is not None
    contexts: list[BrowserContext] = []

    def opened() -> Page:
        context = chromium.new_context(reduced_motion="reduce")
        contexts.append(context)
        context.add_cookies([{"name": "session", "value": cookie.value, "url": address}])
        page = context.new_page()
        heard(page, lambda: page.goto(f"{address}/work/{deal.contract.public_id}"))
        return page

    with served(app) as address:
        yield opened
        for context in contexts:
            context.close()


@pytest.fixture
def running(open_page: Open) -> Page:
    """A page on which the timer was started, and which was heard of."""
    page = open_page()
    page.get_by_label("Note").first.fill("Chest studies")
    heard(page, page.get_by_role("button", name="Start the timer").click)
    return page


def heard(page: Page, act: Callable[[], object]) -> None:
    """Act, and wait for the sign of life of the page to which it leads, if a timer runs there."""
    answers: list[str] = []
    page.on("response", lambda answer: answers.append(answer.url))
    act()
    page.wait_for_load_state()
    if page.locator("[data-timer]").count():
        until(page, lambda: any(url.endswith("/heartbeat") for url in answers))


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Let the browser go on until it holds."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come about")


def shown(page: Page) -> timedelta:
    """What the timer says."""
    expect(page.locator("[data-timer]")).to_have_text(re.compile(r"^\d+:\d\d:\d\d$"))
    hours, minutes, seconds = map(int, page.locator("[data-timer]").inner_text().split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def entered(session: Session) -> list[tuple[int, int | None]]:
    """Start and end of each entry that counts, in minutes after the first start of all."""
    rows = session.scalars(sa.select(TimeEntry).order_by(TimeEntry.started_at, TimeEntry.id)).all()
    first = rows[0].started_at

    def minutes(moment: datetime | None) -> int | None:
        return None if moment is None else int((moment - first).total_seconds()) // 60

    return [(minutes(row.started_at) or 0, minutes(row.ended_at)) for row in rows if row.removed_at is None]


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop the timer").click()
    expect(page.get_by_role("button", name="Start the timer")).to_be_visible()


def near(found: int | None, wanted: int) -> bool:
    """A minute may have passed while the test ran."""
    return found is not None and 0 <= found - wanted <= 1


def test_it_runs_on_through_a_reload_and_in_another_window(
    running: Page, open_page: Open, session: Session
) -> None:
    assert shown(running) < timedelta(minutes=2)
    clock.advance(timedelta(minutes=5))
    heard(running, running.reload)
    assert timedelta(minutes=5) <= shown(running) < timedelta(minutes=7)
    running.context.close()
    clock.advance(timedelta(minutes=3))
    other = open_page()
    assert timedelta(minutes=8) <= shown(other) < timedelta(minutes=10)
    # A machine whose clock is wrong shows the same, as the site's clock rules.
    other.add_init_script("const real = Date.now; Date.now = () => real() - 36e5")
    heard(other, other.reload)
    assert timedelta(minutes=8) <= shown(other) < timedelta(minutes=10)
    stop(other)
    [(_start, end)] = entered(session)
    assert near(end, 8)
    expect(other.locator(".week")).to_contain_text("Chest studies")


@pytest.mark.parametrize("worked", [True, False], ids=["worked", "not-worked"])
def test_a_closed_laptop_is_asked_about_and_nothing_is_dropped(
    running: Page, open_page: Open, session: Session, worked: bool
) -> None:
    # The page is gone without a word, as when the lid is closed.
    running.context.close()
    clock.advance(timedelta(minutes=90))
    page = open_page()
    expect(page.locator("main")).to_contain_text("Nothing was heard of your timer from")
    expect(page.locator("main")).to_contain_text("It counts as it stands")
    assert timedelta(minutes=90) <= shown(page) < timedelta(minutes=92)
    assert entered(session) == [(0, None)]
    page.get_by_role("button", name="Yes, it counts" if worked else "No, take it out").click()
    expect(page.locator("main")).not_to_contain_text("Nothing was heard of your timer")
    clock.advance(timedelta(minutes=10))
    stop(page)
    pieces = entered(session)
    if worked:
        assert len(pieces) == 1
        assert near(pieces[0][1], 100)
    else:
        # Whole minutes: less than one was worked before the lid was closed.
        begin, end = pieces[-1]
        assert near(begin, 90)
        assert near(end, 100)
        assert sum((end or 0) - begin for begin, end in pieces) <= 12
    # What was there before is kept, whatever was answered.
    assert session.scalars(sa.select(TimeEntry).order_by(TimeEntry.id)).first() is not None


def test_an_hour_offline_loses_nothing(running: Page, session: Session) -> None:
    page = running
    status = page.locator("[data-offline]")
    expect(status).to_be_empty()
    page.context.set_offline(True)
    expect(status).to_contain_text("You are offline. The timer runs on at the site, and nothing is lost.")
    by_hand(page, "Typed in a tunnel")
    clock.advance(timedelta(minutes=40))
    page.evaluate("Date.now = (real => () => real() + 40 * 60e3)(Date.now)")
    page.get_by_role("button", name="Stop the timer").click()
    expect(status).to_contain_text(re.compile(r"You pressed Stop at \d\d:\d\d, which the site does not know"))
    assert entered(session) == [(0, None)]
    clock.advance(timedelta(minutes=20))
    page.context.set_offline(False)
    expect(status).to_contain_text("The network is back. Press Stop again: the timer then ends at")
    expect(note_by_hand(page)).to_have_value("Typed in a tunnel")
    # The browser asks first, as what was typed by hand was not sent.
    page.on("dialog", lambda dialog: dialog.accept())
    # A phone may load the page anew by itself: what was pressed is not forgotten.
    page.reload()
    expect(status).to_contain_text("Press Stop again: the timer then ends at")
    stop(page)
    [(_start, end)] = entered(session)
    assert near(end, 40)
    expect(page.locator("main")).to_contain_text("Nothing was heard of your timer from")


def test_a_form_sent_offline_stays_as_it_was_typed(running: Page, session: Session) -> None:
    page = running
    clock.advance(timedelta(minutes=30))
    stop(page)
    page.context.set_offline(True)
    by_hand(page, "Read in a tunnel")
    page.get_by_role("button", name="Enter the time").click()
    status = page.locator("[data-offline]")
    expect(status).to_contain_text("You are offline. Keep this page open: what you type stays in it.")
    expect(status).to_contain_text("What you sent is not with the site yet")
    expect(note_by_hand(page)).to_have_value("Read in a tunnel")
    page.context.set_offline(False)
    expect(status).to_contain_text("The network is back. What you sent before is not with the site yet")
    page.get_by_role("button", name="Enter the time").click()
    expect(page.locator(".week")).to_contain_text("Read in a tunnel")
    assert len(entered(session)) == 2


def test_when_only_the_site_is_out_of_reach_a_press_asks_whether_it_is_back(
    running: Page, session: Session
) -> None:
    page = running
    page.route("**/*", lambda route: route.abort())
    # The page's own sign of life, before its minute is over.
    page.evaluate("htmx.ajax('POST', '/work/timer/heartbeat', {source: 'form[hx-post]'}).catch(() => 0)")
    status = page.locator("[data-offline]")
    expect(status).to_contain_text("You are offline.")
    page.get_by_role("button", name="Stop the timer").click()
    expect(status).to_contain_text("You pressed Stop at")
    page.unroute_all()
    clock.advance(timedelta(minutes=5))
    stop(page)
    # It ends when Stop was pressed first, in the first minute, of which no entry is made.
    assert all((end or 0) - begin <= 1 for begin, end in entered(session))


def by_hand(page: Page, note: str) -> None:
    """Fill in the form for an hour of the day before."""
    page.get_by_text("Enter time by hand").click()
    form = page.locator("form[data-unsaved]")
    day = form.get_by_label("Day")
    day.fill(yesterday(day.input_value()))
    form.get_by_label("From").fill("13:00")
    form.get_by_label("To", exact=True).fill("14:00")
    note_by_hand(page).fill(note)


def note_by_hand(page: Page) -> Locator:
    return page.locator("form[data-unsaved]").get_by_label("Note")


def yesterday(day: str) -> str:
    return (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
