"""One hour of work in a real browser on the real processes: a phone without JavaScript, a desk with it."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from marketplace import clock
from tests.browser.walker import Walk

pytestmark = pytest.mark.browser

PHONE = {"width": 375, "scripts": False}
DESK = {"width": 1280, "scripts": True}


@pytest.mark.parametrize("walk", [PHONE, DESK], indirect=True, ids=["phone-without-scripts", "desk"])
def test_one_hour(walk: Walk, tmp_path: Path) -> None:
    # Weeks, business days and the first day then fall the same on whatever day this runs.
    walk.move_clock("To next Monday")
    the_reviewer_verifies(walk)
    the_client_funds(walk)
    gig = the_client_publishes(walk)
    the_expert_applies(walk, gig)
    the_client_offers(walk, gig)
    the_expert_signs(walk)
    the_expert_sets_up_payouts(walk)
    pay = the_expert_works(walk)
    the_client_approves(walk)
    walk.move_clock("Three days")
    finance_pays(walk)
    finance_sweeps(walk)
    walk.move_clock("Three days")
    walk.move_clock("Three days")
    the_expert_sees_why(walk, pay)
    finance_reconciles(walk, tmp_path)
    every_step_is_ticked(walk)
    assert walk.found == []


def monday() -> date:
    """The day to which the demo's clock is moved."""
    today = clock.today("UTC")
    return today + timedelta(days=7 - today.weekday())


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name, exact=isinstance(name, str)).click()
    page.wait_for_load_state()


def follow(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("link", name=name, exact=isinstance(name, str)).first.click()
    page.wait_for_load_state()


def the_reviewer_verifies(walk: Walk) -> None:
    rev = walk.person("rev", "/")
    walk.look(rev, "reviewer-home")
    rev.goto(f"{walk.site}/demo")
    walk.look(rev, "path")
    follow(rev, re.compile("Rev checks"))
    walk.look(rev, "reviews")
    press(rev, re.compile("Take it"))
    for box in rev.get_by_role("checkbox").all():
        box.check()
    rev.get_by_label("Address of the page where you saw it").first.fill("https://www.nysed.gov/op/284417")
    walk.look(rev, "review")
    press(rev, "Verify the credential")
    walk.look(rev, "verified")


def the_client_funds(walk: Walk) -> None:
    carla = walk.person("carla", "/projects")
    follow(carla, "Start a project")
    carla.get_by_label("Name").fill("Emergency triage, second reader")
    carla.get_by_label("What it is for").fill("Physicians read model answers beside real cases.")
    walk.look(carla, "new-project")
    press(carla, "Start the project")
    walk.look(carla, "project")
    follow(carla, "Add funds")
    carla.get_by_label("Amount for the project").fill("5000")
    carla.get_by_label(re.compile("card", re.IGNORECASE)).check()
    walk.look(carla, "fund")
    press(carla, "See what it costs")
    walk.look(carla, "cost")
    press(carla, re.compile("Pay .* at Stripe"))
    walk.look(carla, "stripe-pays")
    press(carla, re.compile("^Pay"))
    walk.wait_for(carla, "Paid, and ready to be reserved for work.")
    walk.look(carla, "funded")


def the_client_publishes(walk: Walk) -> str:
    carla = walk.person("carla", "/projects")
    follow(carla, re.compile("Emergency triage"))
    follow(carla, "Write a gig")
    carla.get_by_label("Title").fill("Read triage answers as a second pair of eyes")
    carla.get_by_label("Domain").select_option("29-1214")
    carla.get_by_label("Kind of task").select_option("review")
    carla.get_by_label("What is to be done").fill("Mark what is wrong, and how dangerous it is.")
    carla.get_by_label("What the work trains").fill("A model that answers physicians.")
    carla.get_by_label("What it may be used in").fill("Our own product. Used by us only.")
    carla.get_by_label("Who owns it").select_option("client")
    carla.get_by_label("How long it is kept").select_option("years_3")
    carla.get_by_label("None of these").check()
    carla.get_by_label("Lowest rate, an hour").fill("120")
    carla.get_by_label("Highest rate, an hour").fill("180")
    carla.get_by_label("Hours a week from each person").fill("10")
    carla.get_by_label("People", exact=True).fill("1")
    carla.get_by_label("First day").fill(monday().isoformat())
    carla.get_by_label("Credential").first.select_option("us_medical_license")
    walk.look(carla, "gig")
    press(carla, "Save and preview")
    walk.look(carla, "preview")
    press(carla, "Publish the gig")
    walk.look(carla, "who-fits")
    return re.sub(r".*/gigs/([0-9a-f-]+)/.*", r"\1", carla.url)


def the_expert_applies(walk: Walk, gig: str) -> None:
    ana = walk.person("ana", "/")
    walk.look(ana, "expert-home")
    ana.goto(f"{walk.site}/gigs")
    walk.look(ana, "gigs")
    follow(ana, re.compile("Read triage answers"))
    ana.get_by_label("A note to the client").fill("Fourteen years in emergency rooms.")
    walk.look(ana, "match")
    press(ana, "Apply for this gig")
    walk.look(ana, "applied")


def the_client_offers(walk: Walk, gig: str) -> None:
    carla = walk.person("carla", f"/gigs/{gig}/applications")
    walk.look(carla, "applications")
    follow(carla, "Make an offer")
    carla.get_by_label("Rate, an hour").fill("150")
    walk.look(carla, "offer")
    press(carla, "Send the offer")
    walk.look(carla, "offered")


def the_expert_signs(walk: Walk) -> None:
    ana = walk.person("ana", "/offers")
    walk.look(ana, "offers")
    follow(ana, "Read and sign")
    ana.get_by_label("Your full name").fill("Ana Alvarez")
    walk.look(ana, "agreement")
    press(ana, "Sign the agreement")
    walk.look(ana, "contract")


def the_expert_sets_up_payouts(walk: Walk) -> None:
    ana = walk.person("ana", "/pay/setup")
    walk.look(ana, "get-paid")
    press(ana, "Set up payouts at Stripe")
    ana.get_by_label("First name").fill("Ana")
    ana.get_by_label("Last name").fill("Alvarez")
    walk.look(ana, "stripe-name")
    press(ana, "Continue")
    walk.look(ana, "stripe-bank")
    press(ana, "Continue")
    ana.get_by_role("checkbox").check()
    walk.look(ana, "stripe-agreement")
    press(ana, "Agree and finish")
    # Stripe takes a moment to check it, and no hour begins before it has.
    for _look in range(40):
        if "You are set up to be paid" in ana.locator("main").inner_text():
            break
        ana.wait_for_timeout(500)
        ana.goto(f"{walk.site}/pay/setup/return")
    walk.look(ana, "set-up")


def the_expert_works(walk: Walk) -> str:
    """An hour by the timer, and the minute more that a slow machine takes; what it earns."""
    ana = walk.person("ana", "/work")
    walk.look(ana, "week")
    press(ana, "Start the timer")
    walk.look(ana, "timer")
    walk.move_clock("An hour")
    ana = walk.person("ana", "/work")
    press(ana, "Stop the timer")
    walk.look(ana, "worked")
    earned = re.search(r"pay so far\s*(\$[\d,.]+)", ana.locator("main").inner_text(), re.IGNORECASE)
    assert earned
    ana.locator("summary", has_text="Submit the week").click()
    walk.look(ana, "submit")
    press(ana, "Submit the week")
    walk.look(ana, "submitted")
    return earned.group(1)


def the_client_approves(walk: Walk) -> None:
    dev = walk.person("dev", "/")
    walk.look(dev, "approver-home")
    dev.goto(f"{walk.site}/timesheets/waiting")
    walk.look(dev, "waiting")
    follow(dev, re.compile("Week|Ana"))
    walk.look(dev, "timesheet")
    press(dev, re.compile("^Approve"))
    walk.look(dev, "approved")


def finance_pays(walk: Walk) -> None:
    fin = walk.person("fin", "/")
    walk.look(fin, "finance-home")
    fin.goto(f"{walk.site}/payouts")
    walk.look(fin, "payouts")
    press(fin, "Prepare the batch")
    walk.look(fin, "batch")
    assert fin.get_by_role("link", name="Release the batch").count() == 0
    gil = walk.person("gil", fin.url.removeprefix(walk.site))
    follow(gil, "Release the batch")
    walk.look(gil, "release")
    press(gil, re.compile("^Release"))
    walk.wait_for(gil, "Sent")
    walk.look(gil, "released")


def finance_sweeps(walk: Walk) -> None:
    fin = walk.person("fin", "/sweeps")
    walk.look(fin, "sweeps")
    press(fin, "Prepare a sweep")
    walk.look(fin, "sweep")
    gil = walk.person("gil", fin.url.removeprefix(walk.site))
    gil.locator("summary", has_text="Release the sweep").click()
    press(gil, re.compile("^Release"))
    walk.wait_for(gil, re.compile("^Sent$|On its way|sent"))
    walk.look(gil, "swept")


def the_expert_sees_why(walk: Walk, pay: str) -> None:
    ana = walk.person("ana", "/pay")
    walk.wait_for(ana, re.compile("^Paid"))
    walk.look(ana, "money")
    follow(ana, "Deposits")
    walk.look(ana, "deposits")
    ana.get_by_role("row", name=re.compile(re.escape(pay))).get_by_role("link").click()
    expect(ana.get_by_role("heading", level=1)).to_have_text(pay)
    walk.look(ana, "deposit")


def finance_reconciles(walk: Walk, folder: Path) -> None:
    fin = walk.person("fin", "/reconciliation")
    walk.look(fin, "reconciliation-before")
    file = folder / "harbour.xml"
    file.write_bytes(the_statement(walk))
    follow(fin, "Import a statement")
    fin.locator("input[type=file]").set_input_files(file)
    walk.look(fin, "import")
    press(fin, "Import the statement")
    walk.look(fin, "imported")
    fin.goto(f"{walk.site}/reconciliation")
    press(fin, "Match again")
    walk.look(fin, "matched")
    press(fin, "Book the opening balance")
    the_banks_charges_are_booked(walk, fin)
    fin.goto(f"{walk.site}/reconciliation")
    expect(fin.get_by_role("heading", level=1)).to_have_text("Everything ties out.")
    walk.look(fin, "reconciliation")


def the_banks_charges_are_booked(walk: Walk, fin: Page) -> None:
    """Whatever nobody knows yet is the bank's monthly price; how many there are depends on the calendar."""
    while True:
        fin.goto(f"{walk.site}/reconciliation")
        press(fin, "Match again")
        fin.goto(f"{walk.site}/reconciliation/items")
        lines = fin.locator("main a[href*='/lines/']")
        if not lines.count():
            return
        lines.first.click()
        expect(fin.get_by_text("ACCOUNT SERVICE CHARGE").first).to_be_visible()
        fin.get_by_label("A charge of the bank").check()
        fin.get_by_label("Say what it is").fill("The account's price for the month")
        walk.look(fin, "bank-charge")
        press(fin, "Book this line")


def the_statement(walk: Walk) -> bytes:
    """Downloaded from Harbour Bank's own page."""
    fin = walk._pages["fin"]
    host, port = walk.site.rsplit(":", 1)
    bank = fin.context.new_page()
    bank.goto(f"{host}:{int(port) + 1}/bank")
    walk.look(bank, "bank")
    with bank.expect_download() as download:
        press(bank, "Download camt.053")
    data = Path(download.value.path()).read_bytes()
    bank.close()
    return data


def every_step_is_ticked(walk: Walk) -> None:
    page = walk.person("fin", "/demo")
    walk.look(page, "path-walked")
    assert page.locator("ol.path > li").count() == page.locator("ol.path > li.step-done").count() == 14
