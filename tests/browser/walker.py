"""People at browsers of their own, walking the path and looking at every page on the way."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, ViewportSize, expect

from marketplace.demo.cast import CAST

SCREENS = Path(__file__).parents[2] / "test-results" / "screens"
PATIENCE = 60.0
# A phone and a desk; each step fits both.
WIDTHS, HEIGHT = (375, 1280), 900
# Without fetching the style sheets once more, which nothing that is grave needs.
AXE = """() => axe.run({resultTypes: ["violations"], preload: false}).then(found => found.violations
    .filter(each => ["serious", "critical"].includes(each.impact))
    .map(each => `${each.id} (${each.help}) at ${each.nodes.map(node => node.target)}`))"""


class Walk:
    """The path as one kind of browser sees it. `found` is whatever the browser or axe complained of."""

    def __init__(self, browser: Browser, site: str, width: int, scripts: bool) -> None:
        self.browser, self.site, self.width, self.scripts = browser, site, width, scripts
        self.found: list[str] = []
        self._pages: dict[str, Page] = {}
        self._contexts: list[BrowserContext] = []
        self._steps = 0
        self._inspected: set[str] = set()
        self._cameras: dict[Page, CDPSession] = {}
        SCREENS.mkdir(parents=True, exist_ok=True)

    def person(self, key: str, path: str = "/") -> Page:
        """The page of one of the cast, opened at `path`, signed in if need be."""
        page = self._pages.get(key)
        if page is None:
            page = self.new_page(key)
            self._sign_in(page, key)
        page.goto(self.site + path)
        # Moving the clock by days ends sessions as days do.
        if page.get_by_role("link", name="Sign in", exact=True).count():
            self._sign_in(page, key)
            page.goto(self.site + path)
        return page

    def look(self, page: Page, name: str) -> None:
        """Keep a picture of the page, which nothing may stick out of; axe may find nothing grave in it."""
        self._steps += 1
        page.wait_for_load_state()
        assert page.get_by_text("Something broke on our side").count() == 0, page.url
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            sticks_out = page.evaluate("document.documentElement.scrollWidth") - width
            if sticks_out > 0:
                self.found.append(f"{name}: {sticks_out} px stick out at {width}")
        page.set_viewport_size(self._viewport)
        kind = "js" if self.scripts else "plain"
        path = SCREENS / f"{self._steps:02d}-{name}-{self.width}-{kind}.png"
        path.write_bytes(self._photograph(page))
        if self.scripts and page.url.startswith(self.site) and self._is_new(page):
            page.evaluate(AXE_SCRIPT)
            self.found += [f"{name}: {each}" for each in page.evaluate(AXE)]

    def _photograph(self, page: Page) -> bytes:
        """The whole page as a PNG, packed in a hurry: packing it well takes longer than a step."""
        if page not in self._cameras:
            self._cameras[page] = page.context.new_cdp_session(page)
        camera = self._cameras[page]
        size = camera.send("Page.getLayoutMetrics")["cssContentSize"]
        whole = {"captureBeyondViewport": True, "optimizeForSpeed": True, "clip": {**size, "scale": 1}}
        return base64.b64decode(camera.send("Page.captureScreenshot", whole)["data"])

    def move_clock(self, leap: str) -> None:
        """Move everybody's clock, on the demo's page."""
        page = self._pages.get("") or self.new_page("")
        page.goto(f"{self.site}/demo/clock")
        before = page.locator("main time").get_attribute("datetime")
        page.get_by_label(leap).check()
        page.get_by_role("button", name="Move the clock").click()
        # Not the message: a leap of days ends the session that would carry it.
        until(lambda: str(page.locator("main time").get_attribute("datetime"))[:13] > str(before)[:13], leap)

    def outbox(self) -> Page:
        """The demo's page of mails and codes."""
        page = self._pages.get("") or self.new_page("")
        page.goto(f"{self.site}/demo/outbox")
        return page

    def wait_for(self, page: Page, text: str | re.Pattern[str]) -> None:
        """Look at the page again until it says so."""
        until(lambda: page.get_by_text(text).count() > 0 or (page.reload() and False), f"{page.url}: {text}")

    def close(self) -> None:
        """Close every browser."""
        for context in self._contexts:
            context.close()

    @property
    def _viewport(self) -> ViewportSize:
        return {"width": self.width, "height": HEIGHT}

    def new_page(self, key: str) -> Page:
        """A browser of their own for somebody, signed in as nobody."""
        context = self.browser.new_context(viewport=self._viewport, java_script_enabled=self.scripts)
        context.set_default_timeout(PATIENCE * 1000)
        self._contexts.append(context)
        page = self._pages[key] = context.new_page()
        page.on("console", lambda said: self._note(page, said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self._note(page, str(error)))
        page.on(
            "response", lambda answer: self._note(page, f"{answer.status}") if answer.status >= 500 else None
        )
        return page

    def _note(self, page: Page, said: str) -> None:
        self.found.append(f"{page.url}: {said}")

    def _sign_in(self, page: Page, key: str) -> None:
        (player,) = (each for each in CAST if each.key == key)
        page.goto(f"{self.site}/sign-in")
        page.get_by_label("E-mail address").fill(player.email)
        page.get_by_label("Password").fill(player.password)
        page.get_by_role("button", name="Sign in").click()
        if player.totp_secret:
            page.get_by_label("Code").fill(self._code(player.name))
            page.get_by_role("button", name="Sign in").click()
        expect(page).not_to_have_url(re.compile("sign-in"))

    def _code(self, name: str) -> str:
        """The code that the person's phone shows, from the demo's page."""
        return self.outbox().locator("dl.facts > div", has_text=name).locator("code").inner_text()

    def _is_new(self, page: Page) -> bool:
        """Whether axe has not seen this kind of page yet, whatever the id in its address."""
        kind = re.sub(r"[0-9a-f-]{36}", "", page.url)
        known = kind in self._inspected
        self._inspected.add(kind)
        return not known


def until(true: Callable[[], object], what: str) -> None:
    """Poll until it holds; fails when it does not in time."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"it did not happen in time: {what}"
        time.sleep(0.25)
