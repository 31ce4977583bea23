"""A closed laptop, a lost network: the timer goes on, asks afterwards, and drops nothing by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts import gaps, guidelines
from marketplace.contracts.entries import Work, add_entry, change_entry
from marketplace.contracts.gaps import TimerGap, answer_gap, heartbeat
from marketplace.contracts.models import TimeEntry, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.timer import running, start_timer, stop_spent_timers, stop_timer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.errors import NotFound, Refused
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal, work
from tests.factories.gigs import an_expert
from tests.visitor import Visitor, words

TUESDAY = MONDAY + timedelta(days=1)


def at(minutes: float) -> datetime:
    return TUESDAY + timedelta(minutes=minutes)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        made = a_deal(session)
    with clock.at(TUESDAY):
        start_timer(session, made.expert, made.contract.public_id, "review", "Chest studies")
    return made


def beat(session: Session, deal: Deal, *minutes: float) -> list[TimerGap]:
    found = []
    for each in minutes:
        with clock.at(at(each)):
            gap = heartbeat(session, deal.expert)
        found += [gap] if gap else []
    return found


def entered(session: Session) -> list[tuple[int, int | None]]:
    """Start and end of each entry that counts, in minutes after the start."""
    query = sa.select(TimeEntry).filter_by(removed_at=None).order_by(TimeEntry.started_at)
    return [
        (int((each.started_at - TUESDAY).total_seconds()) // 60,
         int((each.ended_at - TUESDAY).total_seconds()) // 60 if each.ended_at else None)
        for each in session.scalars(query)
    ]  # fmt: skip


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_a_page_that_is_there_makes_no_gap(session: Session, deal: Deal) -> None:
    assert beat(session, deal, 0, 1, 2, 11.5, 21) == []


def test_a_closed_laptop_is_asked_about_and_counts_until_then(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 0, 1, 2, 62, 63)
    assert (gap.from_at, gap.to_at, gap.minutes) == (at(2), at(62), 60)
    assert gaps.unanswered(session, deal.contract) == [gap]
    with clock.at(at(90)):
        stop_timer(session, deal.expert)
    assert entered(session) == [(0, 90)]


def test_what_was_worked_stays(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 2, 62)
    with clock.at(at(63)):
        answer_gap(session, deal.expert, gap.public_id, worked=True)
        with pytest.raises(Refused, match="answered this already"):
            answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session) == [(0, None)]
    assert gaps.unanswered(session, deal.contract) == []


def test_what_was_not_is_taken_out_while_the_timer_goes_on(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 2, 62)
    with clock.at(at(63)):
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session) == [(0, 2), (62, None)]
    with clock.at(at(90)):
        stop_timer(session, deal.expert)
    assert entered(session) == [(0, 2), (62, 90)]
    sheet = session.scalars(sa.select(Timesheet)).one()
    assert sheet.paid_minutes == 30
    [before] = sheet.earlier_versions
    assert (before.started_at, before.ended_at) == (at(0), at(62))
    notes = {(each.note, each.task_kind) for each in sheet.all_entries}
    assert notes == {("Chest studies", "review")}
    no_drift(session)


def test_or_after_it_was_stopped_and_the_old_version_is_kept(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 2, 62)
    with clock.at(at(90)):
        [old] = stop_timer(session, deal.expert).entries
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session) == [(0, 2), (62, 90)]
    assert old.removed_at is not None
    assert old.replaced_by_id is not None
    assert old in old.timesheet.earlier_versions
    no_drift(session)


def test_a_stop_after_a_long_silence_asks_too(session: Session, deal: Deal) -> None:
    beat(session, deal, 2)
    with clock.at(at(90)):
        stop_timer(session, deal.expert)
    [gap] = gaps.unanswered(session, deal.contract)
    assert (gap.from_at, gap.to_at) == (at(2), at(90))
    with clock.at(at(91)):
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session) == [(0, 2)]


def test_a_timer_that_the_site_stops_asks_too(session: Session, deal: Deal) -> None:
    beat(session, deal, 2)
    with clock.at(at(601)):
        assert stop_spent_timers(session) == 1
    [gap] = gaps.unanswered(session, deal.contract)
    assert (gap.from_at, gap.to_at) == (at(2), at(600))


def test_without_script_nothing_is_asked(session: Session, deal: Deal) -> None:
    with clock.at(at(90)):
        stop_timer(session, deal.expert)
    assert gaps.unanswered(session, deal.contract) == []


def test_all_of_it_can_be_taken_out(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 0, 30)
    with clock.at(at(30)):
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session) == [(30, None)]
    assert running(session, deal.expert.id) is not None


def test_a_week_that_is_submitted_asks_nothing(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 2, 62)
    with clock.at(at(90)):
        sheet = stop_timer(session, deal.expert).entries[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        assert gaps.unanswered(session, deal.contract) == []
        with pytest.raises(Refused, match="stay as they are"):
            answer_gap(session, deal.expert, gap.public_id, worked=False)


def test_it_is_nobody_elses_to_answer(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 2, 62)
    for other in (an_expert(session, "Zed Stranger"), deal.client):
        with pytest.raises(NotFound):
            answer_gap(session, other, gap.public_id, worked=False)


def test_the_page_asks(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(at(62)):
        browser = Visitor(enter(app.test_client(), session, deal.expert))
        browser.get(f"/work/{deal.contract.public_id}")
        assert "HX-Refresh" not in browser.post("/work/timer/heartbeat").headers
    with clock.at(at(122)):
        browser = Visitor(enter(app.test_client(), session, deal.expert))
        browser.get("/")
        assert browser.post("/work/timer/heartbeat").headers["HX-Refresh"] == "true"
    with clock.at(at(182)):
        browser = Visitor(enter(app.test_client(), session, deal.expert))
        page = browser.get(f"/work/{deal.contract.public_id}")
        assert words(page).count("Nothing was heard of your timer from") == 2
        assert "HX-Refresh" not in browser.post("/work/timer/heartbeat").headers
        _first, second = gaps.unanswered(session, deal.contract)
        browser.post(f"/work/gaps/{second.public_id}", worked="yes")
        page = browser.get(f"/work/{deal.contract.public_id}")
        assert "Nothing was heard of your timer from" in words(page)
        [path] = {each for each in page.text.split('"') if each.startswith("/work/gaps/")}
        done = words(browser.post(path, worked="no"))
        assert "It is taken out." in done
        assert "Nothing was heard" not in done
    assert entered(session) == [(0, 62), (122, None)]


def test_taking_out_leaves_no_more_than_is_reserved(session: Session, deal: Deal) -> None:
    """Time entered by hand while the timer ran has used up what the timer counted on."""
    [gap] = beat(session, deal, 500, 520)
    with clock.at(at(520)):
        add_entry(session, deal.expert, deal.contract.public_id, work(MONDAY + timedelta(minutes=30), 600))
        answer_gap(session, deal.expert, gap.public_id, worked=False)
        stop_spent_timers(session)
    sheet = session.scalars(sa.select(Timesheet)).one()
    assert sheet.paid_minutes == 600
    assert running(session, deal.expert.id) is None
    no_drift(session)


def test_nor_more_than_a_timer_may_run(session: Session, deal: Deal) -> None:
    """Nobody stopped it where it had to stop."""
    beat(session, deal, 0, 5)
    with clock.at(at(790)):
        gap = heartbeat(session, deal.expert)
        assert gap is not None
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session)[0] == (0, 5)
    assert session.scalars(sa.select(Timesheet)).one().paid_minutes == 5
    no_drift(session)


def test_a_timer_that_was_over_before_the_gap_does_not_go_on(session: Session, deal: Deal) -> None:
    """Ten hours are reserved, and nobody stopped it there."""
    [gap] = beat(session, deal, *range(0, 612, 9), 700)
    with clock.at(at(700)):
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session) == [(0, 600)]
    assert running(session, deal.expert.id) is None
    no_drift(session)


def test_reading_the_guidelines_still_ends_the_timer_that_was_started_for_it(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        contract = deal.contract.public_id
    with clock.at(TUESDAY):
        guidelines.begin_reading(session, deal.expert, contract)
    [gap] = beat(session, deal, 5, 20)
    with clock.at(at(20)):
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    with clock.at(at(25)):
        guidelines.finish_reading(session, deal.expert, contract, 1)
    assert entered(session) == [(0, 5), (20, 25)]


def test_pieces_that_were_finished_stay_with_what_is_left(session: Session, deal: Deal) -> None:
    [gap] = beat(session, deal, 0, 20)
    with clock.at(at(60)):
        [entry] = stop_timer(session, deal.expert).entries
        done = Work(entry.started_at, entry.ended_at or at(60), "review", "Chest studies", 40)
        change_entry(session, deal.expert, entry.public_id, entry.version, done)
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    [left] = session.scalars(sa.select(TimeEntry).filter_by(removed_at=None))
    assert (left.minutes, left.items) == (40, 40)


def test_a_gap_over_the_end_of_a_week_is_asked_of_each(session: Session) -> None:
    midnight = MONDAY + timedelta(days=6, hours=12)
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(midnight - timedelta(hours=1)):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
        heartbeat(session, deal.expert)
    with clock.at(midnight + timedelta(hours=1)):
        heartbeat(session, deal.expert)
        first = stop_timer(session, deal.expert).entries[0].timesheet
        one, other = gaps.unanswered(session, deal.contract)
        assert (one.to_at, other.from_at) == (midnight, midnight)
        submit_timesheet(session, deal.expert, first.public_id, first.version)
        assert gaps.unanswered(session, deal.contract) == [other]
        answer_gap(session, deal.expert, other.public_id, worked=False)
        assert gaps.unanswered(session, deal.contract) == []


def test_the_same_silence_is_written_down_once(session: Session, deal: Deal) -> None:
    beat(session, deal, 0, 30)
    session.add(TimerGap(contract_id=deal.contract.id, from_at=at(0), to_at=at(40)))
    with pytest.raises(DBAPIError, match="uq_timer_gaps"):
        session.flush()


def test_stop_pressed_without_a_network_ends_the_timer_when_it_was_pressed(
    session: Session, deal: Deal, app: Flask
) -> None:
    beat(session, deal, 2, 62)
    with clock.at(at(63)):
        browser = Visitor(enter(app.test_client(), session, deal.expert))
        page = words(browser.post("/work/timer/stop", pressed_at=at(40).isoformat()))
    assert entered(session) == [(0, 40)]
    when = at(40).astimezone(deal.contract.zone).strftime("%H:%M")
    assert f"The timer ended at {when}, when you first pressed Stop. Enter later time by hand." in page
    # The gap is still asked about, and taken out where it was entered.
    [gap] = gaps.unanswered(session, deal.contract)
    with clock.at(at(63)):
        answer_gap(session, deal.expert, gap.public_id, worked=False)
    assert entered(session) == [(0, 2)]
    no_drift(session)


@pytest.mark.parametrize(
    "pressed",
    [
        "2026-06-02T15:00+00:00",
        "2199-01-01T00:00+00:00",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
        "2026-06-02T16:40",
        "noon",
        "",
    ],
)
def test_a_moment_at_which_this_timer_did_not_run_is_no_end_of_it(
    session: Session, deal: Deal, app: Flask, pressed: str
) -> None:
    with clock.at(at(50)):
        browser = Visitor(enter(app.test_client(), session, deal.expert))
        page = browser.post("/work/timer/stop", pressed_at=pressed)
    assert entered(session) == [(0, 50)]
    assert "first pressed Stop" not in words(page)


def test_stop_that_was_heard_in_the_same_minute_ends_the_timer_without_a_word(
    session: Session, deal: Deal, app: Flask
) -> None:
    with clock.at(at(50.5)):
        browser = Visitor(enter(app.test_client(), session, deal.expert))
        page = browser.post("/work/timer/stop", pressed_at=at(50.2).isoformat())
    assert entered(session) == [(0, 50)]
    assert "first pressed Stop" not in words(page)
