"""A client in a hurry: from signing up to eighty invitations, by hand, within a quarter of an hour.

How long a hand takes is estimated as in the keystroke-level model (Card, Moran and Newell, 1980): a key
0.28 s (an average, unskilled typist), pointing 1.1 s, a click 0.2 s, a thought before each step 1.35 s, and
two seconds for every page to come. The operator's time to verify the company is not the client's.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.test_path import DESK, monday
from tests.browser.walker import Walk

pytestmark = pytest.mark.browser

KEY, POINT, CLICK, THINK, PAGE = 0.28, 1.1, 0.2, 1.35, 2.0
EMAIL, PASSWORD = "hanna@hurry.example", "a kettle of seven swans"
QUARTER_OF_AN_HOUR = 15 * 60
EXPERTS, WANTED = 120, 80


class Hand:
    """A page that is used by hand; `seconds` is how long that takes."""

    def __init__(self, page: Page) -> None:
        self.page, self.seconds = page, 0.0

    def fill(self, label: str, text: str, *, exact: bool = False) -> None:
        self.page.get_by_label(label, exact=exact).first.fill(text)
        self.seconds += THINK + POINT + CLICK + KEY * len(text)

    def choose(self, label: str, value: str) -> None:
        self.page.get_by_label(label).first.select_option(value)
        self.seconds += THINK + 2 * (POINT + CLICK)

    def tick(self, label: str | re.Pattern[str]) -> None:
        self.page.get_by_label(label).first.check()
        self.seconds += THINK + POINT + CLICK

    def press(self, name: str | re.Pattern[str]) -> None:
        self._go(self.page.get_by_role("button", name=name, exact=isinstance(name, str)))

    def follow(self, name: str | re.Pattern[str]) -> None:
        self._go(self.page.get_by_role("link", name=name, exact=isinstance(name, str)).first)

    def open(self, address: str) -> None:
        """A link in a mail: to the mail program and back."""
        self.page.goto(address)
        self.seconds += 2 * (THINK + POINT + CLICK) + 2 * PAGE

    def _go(self, what: Locator) -> None:
        what.click()
        self.page.wait_for_load_state()
        self.seconds += THINK + POINT + CLICK + PAGE


@pytest.mark.parametrize("walk", [DESK], indirect=True)
def test_a_client_in_a_hurry(walk: Walk, data: Path, tmp_path: Path) -> None:
    bring_experts(data, tmp_path)
    hand = Hand(walk.new_page("hanna"))
    hand.page.goto(walk.site)
    sign_up(walk, hand)
    the_operator_verifies(walk)
    fund(walk, hand)
    publish(walk, hand)
    invite(walk, hand)
    assert hand.page.get_by_text(f"{WANTED} experts are invited.").count() == 1
    assert walk.found == []
    assert hand.seconds < QUARTER_OF_AN_HOUR


def bring_experts(data: Path, folder: Path) -> None:
    file = folder / "experts.csv"
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(
            [
                "external_id",
                "name",
                "email",
                "country",
                "time_zone",
                "languages",
                "domains",
                "skills",
                "min_rate",
                "currency",
                "hours_per_week",
                "headline",
                "credentials",
            ]
        )
        for n in range(EXPERTS):
            rows.writerow(
                (f"e{n}", f"Expert {n}", f"e{n}@experts.example", "US", "America/New_York", "en", "29-1214",
                 "triage", "110.00", "USD", "20", "Emergency physician", "")
            )  # fmt: skip
    command = [sys.executable, "-m", "marketplace.cli", "import", "experts", str(file)]
    subprocess.run(command, env={**os.environ, "MARKETPLACE_DATA": str(data)}, check=True, timeout=60)


def sign_up(walk: Walk, hand: Hand) -> None:
    hand.page.goto(f"{walk.site}/register?as=client")
    hand.fill("Full name", "Hanna Hurry")
    hand.fill("Company", "Hurry Labs")
    hand.fill("E-mail address", EMAIL)
    hand.fill("Password", PASSWORD)
    hand.choose("Country", "US")
    hand.choose("Time zone", "America/New_York")
    hand.press("Make the account")
    hand.open(mailed(walk, r"\S+/verify/\S+"))
    hand.fill("Password", PASSWORD)
    hand.press("Confirm and sign in")


def mailed(walk: Walk, link: str) -> str:
    text = walk.outbox().locator("details", has_text=EMAIL).first.locator(".prewrap").text_content() or ""
    found = re.search(link, text)
    assert found is not None, text
    return found[0]


def the_operator_verifies(walk: Walk) -> None:
    opa = walk.person("opa", "/companies")
    opa.locator("tr", has_text="Hurry Labs").get_by_text("Verify", exact=True).click()
    opa.get_by_role("button", name="Verify the company").click()
    opa.wait_for_load_state()


def fund(walk: Walk, hand: Hand) -> None:

    hand.page.goto(f"{walk.site}/projects")
    hand.follow("Start a project")
    hand.fill("Name", "Emergency triage")
    hand.press("Start the project")
    hand.follow("Add funds")
    hand.fill("Amount for the project", "200000")
    hand.tick(re.compile("card", re.IGNORECASE))
    hand.press("See what it costs")
    hand.press(re.compile("Pay .* at Stripe"))
    hand.press(re.compile("^Pay"))
    walk.wait_for(hand.page, "Paid, and ready to be reserved for work.")


def publish(walk: Walk, hand: Hand) -> None:
    hand.page.goto(f"{walk.site}/projects")
    hand.follow(re.compile("Emergency triage"))
    hand.follow("Write a gig")
    hand.fill("Title", "Read triage answers as a second pair of eyes")
    hand.choose("Domain", "29-1214")
    hand.choose("Kind of task", "review")
    hand.fill(
        "What is to be done", "Read each answer beside the case. Mark what is wrong, and how dangerous."
    )
    hand.fill("What the work trains", "A model that answers physicians.")
    hand.fill("What it may be used in", "Our own product. Used by us only.")
    hand.choose("Who owns it", "client")
    hand.choose("How long it is kept", "years_3")
    hand.tick("None of these")
    hand.fill("Lowest rate, an hour", "120")
    hand.fill("Highest rate, an hour", "180")
    hand.fill("Hours a week from each person", "10")
    hand.fill("People", "40", exact=True)
    hand.fill("First day", monday().isoformat())
    hand.press("Save and preview")
    hand.press("Publish the gig")


def invite(walk: Walk, hand: Hand) -> None:
    hand.page.get_by_text("Invite several at once").click()
    hand.fill("A message", "We start on Monday, and would be glad to have you with us.")
    hand.fill("Or so many of the best", str(WANTED))
    hand.press("Invite the best of this list")
    walk.look(hand.page, "eighty-invited")
