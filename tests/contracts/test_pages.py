"""The path of an hour by hand, at a browser without JavaScript, and who sees nothing of it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.entries import add_entry
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.contracts.offers import decline_offer, withdraw_offer
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.contracts.views import deals, waiting
from marketplace.gigs.models import Application, ExpertProfile
from marketplace.gigs.states import TaskKind
from marketplace.ledger.sources import link_for
from marketplace.money import Money
from marketplace.web import paged
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, an_entry, an_offer, sign, work
from tests.factories.credentials import a_verified_credential, in_days
from tests.factories.gigs import a_client, a_gig, a_project, an_application, an_expert, fund, licence
from tests.visitor import Visitor, words

TUESDAY = MONDAY + timedelta(days=1)
RANKED = {"task_kind": "rank", "kind": "paid"}
WEDNESDAY = MONDAY + timedelta(days=2)


def further(browser: Visitor, page: TestResponse) -> TestResponse:
    """The next page of the list."""
    [url] = re.findall(r'rel="next"\s+href="([^"]+)"', page.text)
    return browser.get(html.unescape(url))


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def test_the_whole_path_by_hand(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, 10_000_00)
        gig, ana = a_gig(session, client, project), an_expert(session)
        expert, carla = at_browser(app, session, ana), at_browser(app, session, client)
        expert.get(f"/gigs/{gig.public_id}")
        applied = expert.post(f"/gigs/{gig.public_id}/applications", note="I read 40 studies a day.")
        assert "Your application is with the client" in words(applied)
        application = session.scalars(sa.select(Application)).one()
        carla.get(f"/applications/{application.public_id}/offer")
        offered = carla.post(
            f"/applications/{application.public_id}/offer",
            rate="150.00", hours_per_week="10", starts_on="2026-06-01",
        )  # fmt: skip
        assert "seven days to sign" in words(offered)
        [offer] = re.findall(r"/offers/([0-9a-f-]{36})", expert.get("/offers").text)[:1]
        expert.get(f"/offers/{offer}")
        assert "Type your name as it stands" in words(
            expert.post(f"/offers/{offer}/signature", signed_name="X")
        )
        signed = expert.post(f"/offers/{offer}/signature", signed_name="Ana Expert")
        assert "You have a contract" in words(signed)
    contract = session.scalars(sa.select(Contract)).one().public_id
    with clock.at(TUESDAY):
        expert, carla = at_browser(app, session, ana), at_browser(app, session, client)
        expert.get(f"/work/{contract}")
        assert "Stop the timer" in words(
            expert.post(f"/work/{contract}/timer", task_kind="review", kind="paid")
        )
    with clock.at(TUESDAY + timedelta(minutes=90)):
        assert "1 h 30 min" in words(expert.post("/work/timer/stop"))
        by_hand = {
            "day": "2026-06-02",
            "begins": "09:00",
            "ends": "10:00",
            "task_kind": "rank",
            "kind": "paid",
        }
        assert "2 h 30 min" in words(expert.post(f"/work/{contract}/entries", **by_hand))
        sheet = session.scalars(sa.select(Timesheet)).one()
        expert.post(f"/timesheets/{sheet.public_id}/submission", version=sheet.version)
        assert "Ana Expert" in words(carla.get("/timesheets/waiting"))
        page = carla.get(f"/timesheets/{sheet.public_id}")
        assert "Approve $450.00" in words(page)
        done = carla.post(f"/timesheets/{sheet.public_id}/approval", version=sheet.version)
        assert "The week is approved" in words(done)
    session.refresh(sheet)
    assert sheet.state is TimesheetState.APPROVED


@pytest.mark.parametrize(("asked", "suggested"), [(80_00, "100.00"), (120_00, "120.00"), (250_00, "200.00")])
def test_an_offer_starts_from_what_the_expert_asks_for_within_the_band(
    app: Flask, session: Session, asked: int, suggested: str
) -> None:
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, 10_000_00)
        expert = an_expert(session)
        application = an_application(session, expert, a_gig(session, client, project))
        session.get_one(ExpertProfile, expert.id).min_rate = asked
        session.commit()
        page = at_browser(app, session, client).get(f"/applications/{application.public_id}/offer")
    assert re.search(rf'name="rate"[^>]*value="{suggested}"', page.text)
    assert f"The expert asks for {Money(asked, 'USD')} or more." in words(page)
    assert "The gig advertises $100.00 to $200.00" in words(page)


def test_an_offer_for_a_gig_that_has_begun_starts_today(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, 10_000_00)
        application = an_application(session, an_expert(session), a_gig(session, client, project))
    with clock.at(WEDNESDAY):
        page = at_browser(app, session, client).get(f"/applications/{application.public_id}/offer")
    assert re.search(r'name="starts_on"[^>]*value="2026-06-03"', page.text)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def test_a_mistyped_entry_comes_back_with_its_sentence(app: Flask, session: Session, deal: Deal) -> None:
    expert = at_browser(app, session, deal.expert)
    with clock.at(WEDNESDAY):
        expert.get(f"/work/{deal.contract.public_id}")
        future = {
            "day": "2026-06-04",
            "begins": "09:00",
            "ends": "10:00",
            "task_kind": "rank",
            "kind": "paid",
        }
        answer = expert.post(f"/work/{deal.contract.public_id}/entries", **future)
    assert answer.status_code == 422
    assert "has not passed yet" in words(answer)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30", "soon"])
def test_a_week_at_the_end_of_time_is_no_accident(app: Flask, session: Session, deal: Deal, day: str) -> None:
    expert = at_browser(app, session, deal.expert)
    assert expert.get(f"/work/{deal.contract.public_id}?week={day}").status_code == 200
    entered = expert.post(
        f"/work/{deal.contract.public_id}/entries", day=day, begins="09:00", ends="10:00", **RANKED
    )
    assert entered.status_code == 422


def test_equal_times_are_refused_and_midnight_is_said_beforehand(
    app: Flask, session: Session, deal: Deal
) -> None:
    expert = at_browser(app, session, deal.expert)
    with clock.at(WEDNESDAY):
        page = expert.get(f"/work/{deal.contract.public_id}")
        assert "“To” earlier than “From” means past midnight" in words(page)
        equal = {"day": "2026-06-02", "begins": "09:00", "ends": "09:00", **RANKED}
        answer = expert.post(f"/work/{deal.contract.public_id}/entries", **equal)
        assert answer.status_code == 422
        assert "Start and end are the same" in words(answer)
        over_midnight = {"day": "2026-06-01", "begins": "23:30", "ends": "00:30", **RANKED}
        assert "1 h 00 min" in words(expert.post(f"/work/{deal.contract.public_id}/entries", **over_midnight))


def test_an_entry_is_changed_and_removed(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        entry = an_entry(session, deal, TUESDAY)
        expert = at_browser(app, session, deal.expert)
        assert 'value="12:00"' in expert.get(f"/work/entries/{entry.public_id}").text
        changed = expert.post(
            f"/work/entries/{entry.public_id}", version=1,
            day="2026-06-02", begins="12:00", ends="12:30", task_kind="review", kind="paid",
        )  # fmt: skip
        assert "0 h 30 min" in words(changed)
        new = session.scalars(sa.select(TimeEntry).filter_by(removed_at=None)).one()
        expert.post(f"/work/entries/{new.public_id}/removal", version=2)
        assert session.scalars(sa.select(TimeEntry).filter_by(removed_at=None)).all() == []


def test_work_says_when_a_credential_stands_in_the_way(app: Flask, session: Session) -> None:
    rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
    with clock.at(MONDAY):
        expert = an_expert(session)
        a_verified_credential(session, expert, rev, expires_on=in_days(1))
        deal = a_deal(session, expert=expert, requirements=(licence(),))
    path = f"/work/{deal.contract.public_id}"
    with clock.at(MONDAY):
        assert "Paid time cannot be entered now" not in words(at_browser(app, session, expert).get(path))
    with clock.at(MONDAY + timedelta(days=3)):
        answer = at_browser(app, session, expert).get(path)
    assert "Paid time cannot be entered now" in words(answer)
    assert "the last check counted until Wed 3 Jun 2026, 03:00, New York time" in words(answer)
    assert re.search(r'<input checked id="timer-kind-1"[^>]*value="unpaid"', answer.text)


def test_work_after_a_week_was_submitted_early_says_what_comes_next(
    app: Flask, session: Session, deal: Deal
) -> None:
    path = f"/work/{deal.contract.public_id}"
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        expert = at_browser(app, session, deal.expert)
        page = words(expert.get(path))
        assert "counts as approved on Mon 8 Jun 2026, 12:00, New York time" in page
        assert "Your next week begins on Mon 8 Jun 2026 at midnight, New York time" in page
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
        assert "See where its pay is" in words(expert.get(path))
    with clock.at(WEDNESDAY + timedelta(days=7)):
        past = words(at_browser(app, session, deal.expert).get(f"{path}?week=2026-06-01"))
    assert "Go to the present week" in past
    assert "Your next week begins" not in past


def test_whoever_submits_early_is_told_what_that_means(app: Flask, session: Session, deal: Deal) -> None:
    path = f"/work/{deal.contract.public_id}?week=2026-06-01"
    early = "This week is not over. What you work before Mon 8 Jun 2026 could not be entered any more."
    with clock.at(WEDNESDAY):
        sheet = an_entry(session, deal, TUESDAY).timesheet
        assert early in words(at_browser(app, session, deal.expert).get(path))
    with clock.at(WEDNESDAY + timedelta(days=7)):
        expert = at_browser(app, session, deal.expert)
        late = words(expert.get(path))
        assert "Submit the week to the client?" in late
        assert early not in late
        after = expert.post(f"/timesheets/{sheet.public_id}/submission", version=sheet.version)
        assert "See where its pay is" in words(after)
        theirs = at_browser(app, session, deal.client).get(f"/timesheets/{sheet.public_id}")
    assert "See where its pay is" not in words(theirs)


def test_time_is_entered_for_the_kind_of_task_that_the_gig_is_about(
    app: Flask, session: Session, deal: Deal
) -> None:
    deal.gig.task_kind = TaskKind.RANK
    session.commit()
    with clock.at(WEDNESDAY):
        page = at_browser(app, session, deal.expert).get(f"/work/{deal.contract.public_id}").text
    assert len(re.findall(r'<option selected value="rank">', page)) == 2


def test_an_offer_that_is_over_says_so_and_cannot_be_signed(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        bea, cee, dea = (an_expert(session, f"{name} Expert") for name in ("Bea", "Cee", "Dea"))
        withdrawn, declined, late = (an_offer(session, deal.client, who, deal.gig) for who in (bea, cee, dea))
        withdraw_offer(session, deal.client, withdrawn.public_id)
        decline_offer(session, cee, declined.public_id)
    with clock.at(WEDNESDAY + timedelta(days=8)):
        said = {
            "The client took this offer back": (bea, withdrawn),
            "You declined this offer": (cee, declined),
            "Nobody signed this offer by": (dea, late),
            "This offer was taken back": (deal.client, withdrawn),
            "The expert declined this offer": (deal.client, declined),
        }
        for sentence, (who, offer) in said.items():
            page = words(at_browser(app, session, who).get(f"/offers/{offer.public_id}"))
            assert sentence in page
            assert "cannot be signed any more" in page
            assert "Sign the agreement" not in page
            assert "Waiting for an answer" not in page
        signed = at_browser(app, session, deal.expert).get(f"/offers/{deal.contract.offer.public_id}")
    assert f"/contracts/{deal.contract.public_id}" in signed.text


def test_every_offer_and_every_waiting_week_is_reached(
    app: Flask, session: Session, deal: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for views in (deals, waiting):
        monkeypatch.setattr(views, "paged", partial(paged, size=1))
    with clock.at(WEDNESDAY):
        a_submitted_week(session, deal, TUESDAY)
        other = a_gig(session, deal.client, deal.project, title="Another gig")
        offer = an_offer(session, deal.client, deal.expert, other)
        expert = at_browser(app, session, deal.expert)
        page = words(expert.get("/offers"))
        assert page.index("Read and sign") < page.index("Answered, or over")
        sign(session, deal.expert, offer)
        first = expert.get("/offers")
        assert further(expert, first).text.count("Accepted") == first.text.count("Accepted") == 1
    with clock.at(WEDNESDAY + timedelta(days=1)):
        contract = session.scalars(sa.select(Contract).filter_by(offer_id=offer.id)).one()
        entry = add_entry(session, deal.expert, contract.public_id, work(WEDNESDAY + timedelta(hours=2)))
        submit_timesheet(session, deal.expert, entry.timesheet.public_id, entry.timesheet.version)
        carla = at_browser(app, session, deal.client)
        first = carla.get("/timesheets/waiting")
        assert deal.gig.title in words(first)
        assert "Another gig" not in words(first)
        assert "Another gig" in words(further(carla, first))


def test_a_cent_of_rounding_is_said(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, rate=170_00)
    with clock.at(WEDNESDAY):
        first = an_entry(session, deal, MONDAY + timedelta(hours=1), minutes=95).timesheet
        path = f"/timesheets/{first.public_id}"
        assert "A cent of rounding" not in words(at_browser(app, session, deal.client).get(path))
        an_entry(session, deal, MONDAY + timedelta(hours=4), minutes=95)
        an_entry(session, deal, MONDAY + timedelta(hours=7), minutes=95)
        page = words(at_browser(app, session, deal.expert).get(path))
    assert "$807.51" in page
    assert "Rounding each line made it $0.01 more than the hours taken together" in page


def test_returning_needs_words(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        carla = at_browser(app, session, deal.client)
        carla.get(f"/timesheets/{sheet.public_id}")
        where = f"/timesheets/{sheet.public_id}/return"
        assert carla.post(where, version=sheet.version, reason_code="entry_wrong").status_code == 422
        said = "You worked on Monday, not on Tuesday."
        carla.post(where, version=sheet.version, reason_code="entry_wrong", explanation=said)
        expert = at_browser(app, session, deal.expert)
        assert said in words(expert.get(f"/timesheets/{sheet.public_id}"))


def test_a_late_second_approval_hears_so(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        seen = sheet.version
        where = f"/timesheets/{sheet.public_id}"
        for who in (deal.client, deal.approver):
            browser = at_browser(app, session, who)
            browser.get(where)
            browser.client.post(f"{where}/approval", data={"csrf_token": browser.token, "version": seen})
        answer = browser.client.post(
            f"{where}/approval",
            data={"csrf_token": browser.token, "version": seen},
            headers={"Referer": f"http://localhost{where}"},
            follow_redirects=True,
        )
    assert "already approved" in words(answer)


def test_strangers_see_nothing(app: Flask, session: Session, deal: Deal) -> None:
    rival, _organization = a_client(session, "Rival AI")
    zed = an_actor(session, a_person(session, "Zed Nobody"))
    with clock.at(WEDNESDAY):
        entry = an_entry(session, deal, TUESDAY)
        bea = an_expert(session, "Bea Expert")
        offer = an_offer(session, deal.client, bea, deal.gig)
        paths = [
            f"/contracts/{deal.contract.public_id}",
            f"/timesheets/{entry.timesheet.public_id}",
            f"/offers/{offer.public_id}",
            f"/projects/{deal.project.public_id}/funds",
            f"/gigs/{deal.gig.public_id}/offers",
            f"/work/entries/{entry.public_id}",
        ]
        cee = an_expert(session, "Cee Expert")
        seen = {
            (who.name, path): at_browser(app, session, who).get(path).status_code
            for who in (rival, zed, cee)
            for path in paths
        }
    assert set(seen.values()) == {404}


def test_a_client_does_not_learn_the_name_before_the_signature(
    app: Flask, session: Session, deal: Deal
) -> None:
    with clock.at(WEDNESDAY):
        offer = an_offer(session, deal.client, an_expert(session, "Quirina Secret"), deal.gig)
        carla = at_browser(app, session, deal.client)
        for path in ("experts", "applications", "offers"):
            assert "Quirina" not in carla.get(f"/gigs/{deal.gig.public_id}/{path}").text
        assert "Quirina" not in carla.get(f"/offers/{offer.public_id}").text


def test_finance_follows_an_entry_to_what_it_comes_from(app: Flask, session: Session, deal: Deal) -> None:
    fin = an_actor(session, a_person(session, "Fin Finance", Role.FINANCE_PREPARER))
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
        browser = at_browser(app, session, fin)
        with app.test_request_context():
            sought = [f"approval:{approval.public_id}", f"reservation:{deal.contract.public_id}:2026-06-01"]
            paths = [link_for(source).path for source in [*sought, f"project:{deal.project.public_id}:funds"]]
        assert [browser.get(str(path)).status_code for path in paths] == [200, 200, 200]


def test_the_books_name_whose_account_it_is(app: Flask, session: Session, deal: Deal) -> None:
    fin = an_actor(session, a_person(session, "Fin Finance", Role.FINANCE_PREPARER))
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
        browser = at_browser(app, session, fin)
        project = f"{deal.project.organization.name} · {deal.project.name}"
        reserved = words(browser.get("/books/codes/2020/USD"))
        assert project in reserved
        assert "together $1,800.00" in reserved
        assert "Ana Expert" in words(browser.get("/books/codes/2100/USD"))
        journal = words(browser.get("/books/journal?source=approval:"))
        assert project in journal
        assert "Ana Expert" in journal
