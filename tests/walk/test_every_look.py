"""Every page as eyes, hands and screen readers meet it: by day at a desk, by night on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.base import AXE_SCRIPT
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, ViewportSize

from marketplace.contracts.models import Offer
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.graders import choose_graders
from marketplace.gigs.models import Project
from marketplace.gigs.qualification.writing import write_test
from tests.chromium import served
from tests.factories.contracts import FEE_BPS
from tests.factories.gigs import a_gig, an_application
from tests.factories.sittings import DRAFT
from tests.stories.house import House
from tests.walk.expected import OPEN
from tests.walk.visits import ANYONE, path_of, rules
from tests.walk.world import World

pytestmark = [pytest.mark.browser, pytest.mark.committed]

DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 375, "height": 800}
# The first page is another for everybody; of the others there is one.
MANY_PAGES = ("home.index",)
# Files; and what tests/design looks at more closely.
NO_PAGE = (
    "contracts.agreement", "contracts.costs_csv", "contracts.vat_csv", "design.index", "credentials.document",
    "ledger.account_export", "ledger.journal_export", "messages.attachment", "payments.calendar_file",
    "payments.tax_year_csv",
    "payments.invoice_csv", "payments.invoice_pdf", "payments.statement_csv", "payments.statement_pdf",
    "static", "web.asset", "web.healthz", "web.readyz",
)  # fmt: skip

AXE = """rules => axe.run({resultTypes: ["violations"], preload: false, ...rules}).then(found =>
    found.violations.flatMap(each => each.nodes.map(node => `${each.id}: ${node.target}`)))"""
EVERYTHING: dict[str, Any] = {}
# What another light and another width can make wrong.
LOOKS = {"runOnly": {"type": "rule", "values": [
    "color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size",
]}}  # fmt: skip
STICKS_OUT = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What can be pressed or filled in, and has no word that eyes can see: neither on itself nor in its label.
NAMELESS = """() => {
    const large = box => box.width > 1 && box.height > 1;
    const words = root => {
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const parent = texts.currentNode.parentElement;
            if (texts.currentNode.data.trim() && large(parent.getBoundingClientRect())) return true;
        }
        return false;
    };
    const kinds = "a[href], button, summary, input:not([type=hidden]), select, textarea";
    return [...document.querySelectorAll(kinds)]
        .filter(each => each.checkVisibility() && large(each.getBoundingClientRect()))
        .filter(each => ![each, ...(each.labels || [])].some(words))
        .map(each => "no visible name: " + each.outerHTML.slice(0, 160));
}"""


# A label that is read out with no input, since no input has the id that it names.
LOST_LABELS = """() => [...document.querySelectorAll("label[for]")].filter(each => !each.control)
    .map(each => "no input for the label: " + each.outerHTML.slice(0, 160))"""


class Lens:
    """One page of a real browser, which one person after another looks through."""

    def __init__(self, chromium: Browser, address: str) -> None:
        self.address = address
        self.context = chromium.new_context(reduced_motion="reduce", bypass_csp=True)
        self.page: Page = self.context.new_page()
        self.seen: set[tuple[FlaskClient, str]] = set()

    def faults(self, client: FlaskClient, path: str) -> Iterator[str]:
        """Whatever is wrong with the page at the path, by day at a desk and by night on a phone."""
        self._look_as(client)
        self._see("light", DESK)
        self.page.goto(self.address + path)
        # Some pages lead to another.
        if (client, self.page.url) in self.seen:
            return
        self.seen.add((client, self.page.url))
        self.page.evaluate(AXE_SCRIPT)
        if (headings := self.page.locator("h1").count()) != 1:
            yield f"{headings} headings of the first level"
        yield from self._complaints(EVERYTHING)
        self._see("dark", PHONE)
        yield from self._complaints(LOOKS)
        if wider := self.page.evaluate(STICKS_OUT):
            yield f"{wider} px stick out"

    def _complaints(self, rules: dict[str, Any]) -> list[str]:
        labels = [*self.page.evaluate(NAMELESS), *self.page.evaluate(LOST_LABELS)]
        return [*self.page.evaluate(AXE, rules), *labels]

    def _look_as(self, client: FlaskClient) -> None:
        self.context.clear_cookies()
        if cookie := client.get_cookie("session"):
            self.context.add_cookies([{"name": "session", "value": cookie.value, "url": self.address}])

    def _see(self, scheme: Any, viewport: ViewportSize) -> None:
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_viewport_size(viewport)


@pytest.fixture
def address(site: Flask) -> Iterator[str]:
    """Where a browser finds the site."""
    with served(site) as found:
        yield found


@pytest.fixture
def lens(chromium: Browser, address: str) -> Iterator[Lens]:
    made = Lens(chromium, address)
    yield made
    made.context.close()


def visits(site: Flask, world: World) -> Iterator[tuple[str, str, str]]:
    """Each page once: its name, its address, and somebody who may open it."""
    for rule in rules(site, "GET"):
        people = (OPEN[rule.endpoint] or ANYONE).split()
        if rule.endpoint not in NO_PAGE:
            for name in people if rule.endpoint in MANY_PAGES else people[:1]:
                yield rule.endpoint, path_of(site, world, rule), name


def test_every_page_is_for_all_eyes_and_hands(
    site: Flask, world: World, browsers: dict[str, FlaskClient], lens: Lens
) -> None:
    found = []
    for endpoint, path, name in visits(site, world):
        found += [f"{endpoint} as {name}: {fault}" for fault in lens.faults(browsers[name], path)]
    assert not found, "\n" + "\n".join(found)


def test_a_test_is_taken_while_what_is_typed_is_kept_on_its_own(
    world: World, browsers: dict[str, FlaskClient], lens: Lens
) -> None:
    """The buttons go on from what was kept without them."""
    lens._look_as(browsers["ben"])
    page, house = lens.page, world.house
    page.goto(f"{lens.address}/offers/{another_test(house).public_id}")
    page.fill("#signed_name", house.ben.name)
    press(page, "Sign and begin the test")
    type_and_wait(page, "#answer_1", "The nodule")
    page.fill("#answer_1", "The nodule in the left lung is missing.")
    press(page, "Keep it, and go on")
    assert "The clock goes on until you hand it in" in page.inner_text("body")
    press(page, "Hand it in")
    assert "This question has no answer yet" in page.inner_text("body")
    assert page.input_value("#answer_1") == "The nodule in the left lung is missing."
    type_and_wait(page, "#answer_2", "Quite sure.")
    press(page, "Hand it in")
    # What is said of the pay depends on whether a full minute of the clock went by.
    assert "Handed in." in page.inner_text("body")


def another_test(house: House) -> Offer:
    """Ben is asked to take one more."""
    session, carla = house.session, house.carla
    test = write_test(session, carla, house.cast.lumen.public_id, DRAFT)
    choose_graders(session, carla, test.public_id, [house.cast.person(house.ana).public_id])
    project = session.scalars(sa.select(Project)).one()
    gig = a_gig(session, carla, project, title="Another", hours_per_week=1, test_id=test.id)
    return ask(session, carla, an_application(session, house.ben, gig).public_id, fee_bps=FEE_BPS)


def press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.click(f"button:has-text('{button}')")


def type_and_wait(page: Page, field: str, text: str) -> None:
    page.fill(field, text)
    page.wait_for_function("document.querySelector('[data-autosave-status]').textContent.startsWith('Saved')")
