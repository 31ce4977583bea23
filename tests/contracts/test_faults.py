"""What can go wrong with time and its approval, by the numbers of the fault list: F40, F41 and F55 to F60.

F54, a rate that changes in the middle of a week, is in test_rates.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger, money
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.audit.models import AuditEvent
from marketplace.contracts import queries
from marketplace.contracts.approvals import approve_overdue, approve_timesheet
from marketplace.contracts.entries import add_entries, add_entry, change_entry, remove_entry
from marketplace.contracts.gaps import heartbeat
from marketplace.contracts.models import Approval, Contract, TimeEntry, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.timer import start_timer, stop_timer
from marketplace.contracts.timesheets import return_timesheet, submit_timesheet
from marketplace.contracts.weeks import Week, week_of
from marketplace.credentials import lapses
from marketplace.credentials.states import Standing
from marketplace.errors import Invalid, Refused
from marketplace.ledger import chart
from marketplace.payments import batches
from tests.conftest import Committed
from tests.contracts.test_at_once import at_once
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, RATE, Deal, a_deal, a_submitted_week, an_entry, work
from tests.factories.credentials import a_verified_credential
from tests.factories.gigs import an_expert, licence
from tests.factories.payments import finance
from tests.visitor import Visitor, words

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
TUESDAY, WEDNESDAY = MONDAY + DAY, MONDAY + 2 * DAY
WHY = "The register says so since this morning."


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def approve(session: Session, deal: Deal, sheet: Timesheet) -> Approval:
    return approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)


@pytest.mark.committed
def test_f40_approve_and_edit_at_the_same_moment(committed: Committed) -> None:
    """What is approved is what was seen: either the edit came first and the approval is refused, or the
    approval did and the edit is."""
    with committed.session() as session:
        with clock.at(MONDAY):
            deal = a_deal(session)
        with clock.at(WEDNESDAY):
            entry = an_entry(session, deal, TUESDAY)
            seen = submit_timesheet(session, deal.expert, entry.timesheet.public_id, entry.timesheet.version)
            sheet, version = seen.public_id, seen.version
        row, at = entry.public_id, entry.version

    def edits(session: Session) -> None:
        """The client sends it back, and the expert mends it and submits it again."""
        returned = return_timesheet(session, deal.client, sheet, version, "work_missing", WHY)
        change_entry(session, deal.expert, row, at, work(TUESDAY, 30))
        submit_timesheet(session, deal.expert, sheet, returned.version)

    def approves(session: Session) -> None:
        approve_timesheet(session, deal.approver, sheet, version)

    answers = at_once(committed, [approves, edits])
    assert answers.count("done") == 1
    with committed.session() as session:
        approved = session.scalars(sa.select(Approval.expert_amount)).all()
        assert approved == ([RATE] if answers[0] == "done" else [])
        no_drift(session)


def test_f40_a_page_that_shows_an_older_version_approves_nothing(
    app: Flask, session: Session, deal: Deal
) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        seen, path = sheet.version, f"/timesheets/{sheet.public_id}"
        dev = Visitor(enter(app.test_client(), session, deal.approver))
        dev.get(path)
        return_timesheet(session, deal.client, sheet.public_id, seen, "work_missing", WHY)
        [entry] = sheet.entries
        change_entry(session, deal.expert, entry.public_id, entry.version, work(TUESDAY, 30))
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        answer = dev.client.post(f"{path}/approval", data={"csrf_token": dev.token, "version": seen})
        assert answer.status_code in (303, 409)
    assert session.scalars(sa.select(Approval)).all() == []
    assert sheet.state is TimesheetState.SUBMITTED


def test_f41_approved_twice_in_two_tabs_by_two_people(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        seen, path = sheet.version, f"/timesheets/{sheet.public_id}"
        tabs = [Visitor(enter(app.test_client(), session, who)) for who in (deal.approver, deal.client)]
        for tab in tabs:
            tab.get(path)
        first, *others = [tab.post(f"{path}/approval", version=seen) for tab in tabs for _click in range(2)]
    assert first.status_code == 200
    for answer in others:
        assert answer.status_code in (200, 409)
        assert "already approved" in words(answer) or "approved by" in words(answer).lower()
    assert len(ledger.entries_for(session, "approval:")) == 1


def test_f55_seven_minutes_at_an_odd_rate_are_the_same_everywhere(app: Flask, session: Session) -> None:
    """133.33 an hour, three times seven minutes: each line is rounded once, and the sum is that of the lines,
    on the page, in what is owed, and in the ledger."""
    with clock.at(MONDAY):
        deal = a_deal(session, rate=133_33)
    with clock.at(WEDNESDAY):
        works = [work(TUESDAY + 7 * n * MINUTE, 7) for n in range(3)]
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        before = queries.amounts(sheet)
        approval = approve(session, deal, sheet)
        shown = words(Visitor(enter(app.test_client(), session, deal.expert)).get("/pay"))
    # 15.5552 to 15.56, and the fee 3.112 to 3.11: of each line, not of the sum.
    assert [(line.expert_amount, line.fee_amount) for line in approval.lines] == [(15_56, 3_11)] * 3
    assert money.for_minutes(133_33, 21) == 46_67
    assert [each.amount for each in before] == [approval.expert_amount, approval.fee_amount] == [46_68, 9_33]
    assert "$46.68" in shown
    owed = chart.expert_payable(deal.contract.person.public_id)
    assert ledger.balance(session, owed, "USD") == -46_68
    [entry] = ledger.entries_for(session, "approval:")
    assert sum(posting.amount for posting in entry.postings) == 0
    no_drift(session)


CHANGES = [
    ("America/New_York", date(2026, 3, 8), 167), ("America/New_York", date(2026, 11, 1), 169),
    ("Europe/London", date(2026, 3, 29), 167), ("Europe/London", date(2026, 10, 25), 169),
    ("Australia/Sydney", date(2026, 10, 4), 167), ("Australia/Sydney", date(2026, 4, 5), 169),
    ("Asia/Kathmandu", date(2026, 3, 29), 168), ("Asia/Kathmandu", date(2026, 10, 25), 168),
    ("Australia/Lord_Howe", date(2026, 10, 4), 167.5), ("Australia/Lord_Howe", date(2026, 4, 5), 168.5),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "sunday", "hours"), CHANGES)
def test_f56_the_night_the_clocks_change_is_paid_as_it_passed(
    session: Session, zone: str, sunday: date, hours: float
) -> None:
    """From midnight to five on the clock of New York, London, Sydney, Kathmandu and Lord Howe."""
    begins, ends = (datetime.combine(sunday, time(hour), ZoneInfo(zone)).astimezone(UTC) for hour in (0, 5))
    with clock.at(begins - 3 * DAY):
        deal = a_deal(session, zone=zone)
    with clock.at(ends):
        entry = add_entry(session, deal.expert, deal.contract.public_id, replace(work(begins), ended_at=ends))
        sheet = submit_timesheet(session, deal.expert, entry.timesheet.public_id, entry.timesheet.version)
        approval = approve(session, deal, sheet)
    assert sheet.week_end_at - sheet.week_start_at == timedelta(hours=hours)
    minutes = 300 + int((hours - 168) * 60)
    assert sheet.paid_minutes == sum(line.minutes for line in approval.lines) == minutes
    assert approval.expert_amount == money.for_minutes(RATE, minutes)
    no_drift(session)


def test_f56_a_day_that_was_skipped_is_not_in_its_week() -> None:
    """Apia had no 30 December 2011."""
    week = Week(date(2011, 12, 26), "Pacific/Apia")
    assert week.end - week.start == timedelta(hours=6 * 24)
    assert week.next.start == week.end


def test_f57_three_zones_a_midnight_and_the_end_of_a_month(app: Flask, session: Session) -> None:
    """The week is the contract's, wherever the others live or move to; so is its day."""
    with clock.at(MONDAY - 7 * DAY):
        deal = a_deal(session, zone="Asia/Kathmandu")
    midnight = clock.midnight(date(2026, 6, 1), "Asia/Kathmandu")
    zones = {
        deal.client: "America/Los_Angeles",
        deal.approver: "Australia/Sydney",
        deal.expert: "Europe/London",
    }
    for who, zone in zones.items():
        session.get_one(Person, who.id).time_zone = zone
    with clock.at(midnight + DAY):
        over = replace(work(midnight - 30 * MINUTE), ended_at=midnight + 30 * MINUTE)
        add_entry(session, deal.expert, deal.contract.public_id, over)
        sheets = session.scalars(sa.select(Timesheet).order_by(Timesheet.week_start_at)).all()
        assert [(each.starts_on, each.zone, each.paid_minutes) for each in sheets] == [
            (date(2026, 5, 25), "Asia/Kathmandu", 30), (date(2026, 6, 1), "Asia/Kathmandu", 30),
        ]  # fmt: skip
        submit_timesheet(session, deal.expert, sheets[0].public_id, sheets[0].version)
        for who in zones:
            page = Visitor(enter(app.test_client(), session, who)).get(f"/timesheets/{sheets[0].public_id}")
            assert "23:30–00:00" in words(page)
    no_drift(session)


SKEW = 10 * MINUTE


@pytest.mark.parametrize("skew", [SKEW, -SKEW], ids=["ahead", "behind"])
def test_f58_a_deadline_is_of_the_sites_clock_whatever_the_machines_says(
    session: Session, deal: Deal, skew: timedelta
) -> None:
    with clock.at(WEDNESDAY + skew):
        sheet = a_submitted_week(session, deal, TUESDAY)
    assert sheet.approve_by is not None
    with clock.at(sheet.approve_by - MINUTE):
        assert approve_overdue(session) == 0
    with clock.at(sheet.approve_by):
        assert approve_overdue(session) == 1


def test_f58_what_happened_is_in_order_though_the_clock_jumps_back(session: Session, deal: Deal) -> None:
    """The later row is the later one, whatever time it carries."""
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
    with clock.at(WEDNESDAY - SKEW):
        return_timesheet(session, deal.client, sheet.public_id, sheet.version, "work_missing", WHY)
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approval = approve(session, deal, sheet)
    events = session.execute(
        sa.select(AuditEvent.verb, AuditEvent.at)
        .where(AuditEvent.subject_id == sheet.public_id)
        .order_by(AuditEvent.id)
    ).all()
    assert [verb for verb, _at in events] == [
        "timesheet.submitted", "timesheet.returned", "timesheet.submitted", "timesheet.approved",
    ]  # fmt: skip
    assert approval.at < events[0].at
    memos = [entry.source.partition(":")[0] for entry in ledger.entries_for(session, "")]
    assert memos.index("approval") > memos.index("reservation")
    no_drift(session)


def test_f58_a_timer_lives_through_a_clock_that_jumps_both_ways(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    for skew in (MINUTE, -SKEW, 2 * MINUTE):
        with clock.at(TUESDAY + skew):
            assert heartbeat(session, deal.expert) is None
    with clock.at(TUESDAY + HOUR):
        [entry] = stop_timer(session, deal.expert).entries
    assert (entry.started_at, entry.ended_at) == (TUESDAY, TUESDAY + HOUR)
    with clock.at(TUESDAY + HOUR):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    # Stopped at a moment before it was started: nothing was worked, nothing is broken, another can start.
    with clock.at(TUESDAY + HOUR - SKEW):
        assert stop_timer(session, deal.expert).entries == []
    with clock.at(TUESDAY + HOUR + MINUTE):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    no_drift(session)


def test_f58_moments_far_ahead_are_kept(session: Session, deal: Deal) -> None:
    """2038 is in the range of the database's times."""
    late = datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)
    assert session.scalar(sa.select(sa.cast(sa.literal(late), sa.DateTime(timezone=True)))) == late
    assert week_of(late, "America/New_York").start < late


def test_f59_the_same_hour_is_entered_once(session: Session, deal: Deal) -> None:
    """Overlapping, a duplicate, on another client's contract, more than a day in a day, and the future."""
    with clock.at(MONDAY):
        other = a_deal(session, expert=deal.expert)
    with clock.at(WEDNESDAY):
        an_entry(session, deal, TUESDAY)
        for contract in (deal.contract, other.contract):
            for shift in (-30, 0, 30):
                with pytest.raises(Refused, match="already covers part of this time"):
                    enter_at(session, deal.expert, contract, TUESDAY + shift * MINUTE)
        with pytest.raises(Invalid, match="twelve hours at most"):
            enter_at(session, deal.expert, other.contract, WEDNESDAY - 13 * HOUR, 12 * 60 + 1)
        for ahead in (0, 1):
            with pytest.raises((Invalid, Refused)):
                enter_at(session, deal.expert, deal.contract, WEDNESDAY + ahead * HOUR)
    counted = session.scalars(sa.select(TimeEntry).filter_by(removed_at=None)).all()
    assert [each.started_at for each in counted] == [TUESDAY]


def enter_at(session: Session, who: Actor, contract: Contract, start: datetime, minutes: int = 60) -> None:
    add_entry(session, who, contract.public_id, work(start, minutes))


def test_f59_an_hour_that_was_taken_out_can_be_entered_again_and_is_paid_once(
    session: Session, deal: Deal
) -> None:
    with clock.at(WEDNESDAY):
        first = an_entry(session, deal, TUESDAY)
        remove_entry(session, deal.expert, first.public_id, first.version)
        sheet = a_submitted_week(session, deal, TUESDAY)
        approval = approve(session, deal, sheet)
    assert approval.expert_amount == RATE
    no_drift(session)


@pytest.fixture
def licensed(session: Session) -> tuple[Deal, uuid.UUID, Actor]:
    """A contract that asks for a licence, which its expert has; and who checks it."""
    with clock.at(MONDAY - DAY):
        expert = an_expert(session)
        rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
        credential = a_verified_credential(session, expert, rev)
    with clock.at(MONDAY):
        made = a_deal(session, expert=expert, requirements=(licence(),))
    return made, credential.public_id, rev


def revoke(session: Session, rev: Actor, credential: uuid.UUID, at: datetime) -> None:
    with clock.at(at):
        lapses.record_lapse(session, rev, credential, Standing.REVOKED, WHY, "https://www.mbc.ca.gov/")


def test_f60_revoked_mid_week_later_work_is_refused_and_earlier_stays_payable(
    session: Session, licensed: tuple[Deal, uuid.UUID, Actor]
) -> None:
    deal, credential, rev = licensed
    with clock.at(TUESDAY + HOUR):
        before = an_entry(session, deal, TUESDAY)
    revoke(session, rev, credential, WEDNESDAY)
    with clock.at(WEDNESDAY + 3 * HOUR):
        with pytest.raises(Refused):
            an_entry(session, deal, WEDNESDAY + HOUR)
        with pytest.raises(Refused):
            start_timer(session, deal.expert, deal.contract.public_id, "review")
        # What was worked before is entered late, submitted, approved and owed.
        late = an_entry(session, deal, TUESDAY + HOUR)
        sheet = submit_timesheet(session, deal.expert, late.timesheet.public_id, late.timesheet.version)
        approval = approve(session, deal, sheet)
    assert ids(approval) == {before.id, late.id}
    assert approval.expert_amount == 2 * RATE
    assert owed(session) == 2 * RATE
    no_drift(session)


def test_f60_revoked_after_submission_and_after_approval_what_was_worked_is_paid(
    session: Session, licensed: tuple[Deal, uuid.UUID, Actor]
) -> None:
    deal, credential, rev = licensed
    with clock.at(TUESDAY + HOUR):
        sheet = a_submitted_week(session, deal, TUESDAY)
    revoke(session, rev, credential, WEDNESDAY)
    with clock.at(WEDNESDAY + HOUR):
        approve(session, deal, sheet)
    revoked_later = WEDNESDAY + DAY
    with clock.at(revoked_later):
        batch = batches.prepare_batch(session, finance(session).fin, clock.now())
    assert [item.amount for item in batch.items] == [RATE]
    no_drift(session)


def test_f60_a_timer_that_runs_when_it_is_revoked_is_paid_until_then(
    session: Session, licensed: tuple[Deal, uuid.UUID, Actor]
) -> None:
    deal, credential, rev = licensed
    with clock.at(WEDNESDAY - HOUR):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    revoke(session, rev, credential, WEDNESDAY)
    with clock.at(WEDNESDAY + HOUR):
        stopped = stop_timer(session, deal.expert)
    assert [each.ended_at for each in stopped.entries] == [WEDNESDAY]
    assert stopped.cut_because is not None
    no_drift(session)


def ids(approval: Approval) -> set[int]:
    return {line.time_entry_id for line in approval.lines}


def owed(session: Session) -> int:
    """What is approved and in no batch."""
    rows: Sequence[sa.Row[Approval, int]] = session.execute(batches.unpaid("USD")).all()
    return sum(approval.expert_amount for approval, _person in rows)
