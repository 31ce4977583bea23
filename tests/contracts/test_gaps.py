"""A closed laptop, a lost network: the timer goes on, asks afterwards, and drops nothing by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts import gaps
from marketplace.contracts.gaps import TimerGap, answer_gap, heartbeat
from marketplace.contracts.models import TimeEntry, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.timer import running, start_timer, stop_spent_timers, stop_timer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.errors import NotFound, Refused
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal
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
        browser.get(f"/work/{deal.contract.public_id}")
        assert browser.post("/work/timer/heartbeat").headers["HX-Refresh"] == "true"
        page = browser.get(f"/work/{deal.contract.public_id}")
        assert "Nothing was heard of your timer from" in words(page)
        [path] = {each for each in page.text.split('"') if each.startswith("/work/gaps/")}
        done = words(browser.post(path, worked="no"))
        assert "It is taken out." in done
        assert "Nothing was heard" not in done
    assert entered(session) == [(0, 62), (122, None)]
