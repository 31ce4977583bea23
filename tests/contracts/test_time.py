"""Time: every minute is the expert's, funded, qualified, and only once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts.entries import Work, add_entries, add_entry, change_entry, remove_entry
from marketplace.contracts.gaps import heartbeat
from marketplace.contracts.models import TimeEntry
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.states import Source, TimeKind
from marketplace.contracts.timer import start_timer, stop_spent_timers, stop_timer
from marketplace.credentials.claims import submit_credential
from marketplace.credentials.reviews import attest, claim_review
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal, an_entry, work
from tests.factories.gigs import an_expert, licence

TUESDAY = MONDAY + timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_it_works(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 4 * HOUR):
        entry = an_entry(session, deal, TUESDAY, 90)
    assert entry.minutes == 90
    assert entry.source is Source.MANUAL
    assert entry.timesheet.starts_on == date(2026, 6, 1)
    no_drift(session)


@pytest.mark.parametrize("shift", [-30, 0, 30])
def test_two_entries_never_share_a_minute(session: Session, deal: Deal, shift: int) -> None:
    with clock.at(TUESDAY + 4 * HOUR):
        an_entry(session, deal, TUESDAY)
        with pytest.raises(Refused, match="already covers"):
            an_entry(session, deal, TUESDAY + timedelta(minutes=shift))
        an_entry(session, deal, TUESDAY + HOUR)


def test_nor_on_another_clients_contract(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        other = a_deal(session, expert=deal.expert)
    with clock.at(TUESDAY + 4 * HOUR):
        an_entry(session, deal, TUESDAY)
        with pytest.raises(Refused, match="already covers"):
            an_entry(session, other, TUESDAY + HOUR / 2)


def test_the_database_refuses_an_overlap_too(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 4 * HOUR):
        entry = an_entry(session, deal, TUESDAY)
    columns = {
        c.name: getattr(entry, c.name)
        for c in TimeEntry.__table__.columns
        if c.name not in ("id", "public_id")
    }
    with pytest.raises(IntegrityError, match="ex_time_entries_overlap"):
        session.execute(sa.insert(TimeEntry).values(**columns))


def test_the_future_is_not_entered(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY), pytest.raises(Invalid, match="not passed"):
        an_entry(session, deal, TUESDAY - HOUR / 2)


def test_nor_what_was_before_the_signature(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY), pytest.raises(Refused, match="begins on"):
        an_entry(session, deal, MONDAY - HOUR)


def test_half_a_day_is_the_longest_entry(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 24 * HOUR), pytest.raises(Invalid, match="twelve hours"):
        an_entry(session, deal, TUESDAY, 12 * 60 + 1)


def test_more_than_is_reserved_is_refused_with_what_is_left(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 30 * HOUR):
        an_entry(session, deal, TUESDAY, 9 * 60)
        with pytest.raises(Refused) as refusal:
            an_entry(session, deal, TUESDAY + 10 * HOUR, 61)
        assert "1 h 00 min" in refusal.value.sentence
        an_entry(session, deal, TUESDAY + 10 * HOUR, 60)


def test_unpaid_time_takes_nothing_from_it(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 30 * HOUR):
        an_entry(session, deal, TUESDAY, 10 * 60)
        reading = Work(
            TUESDAY + 10 * HOUR, TUESDAY + 11 * HOUR, "review", "Guidelines", None, TimeKind.UNPAID
        )
        assert add_entry(session, deal.expert, deal.contract.public_id, reading).kind is TimeKind.UNPAID


def test_a_week_that_nobody_reserved_takes_no_time(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + timedelta(days=16)), pytest.raises(Refused, match="0 h 00 min"):
        an_entry(session, deal, MONDAY + timedelta(days=15))


def test_several_are_entered_together_or_not_at_all(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 4 * HOUR):
        works = [work(TUESDAY), work(TUESDAY + 2 * HOUR), work(TUESDAY + 2 * HOUR)]
        with pytest.raises(Refused):
            add_entries(session, deal.expert, deal.contract.public_id, works)
        assert session.scalars(sa.select(TimeEntry)).all() == []
        assert len(add_entries(session, deal.expert, deal.contract.public_id, works[:2])) == 2


def test_work_over_the_end_of_the_week_is_an_entry_in_each(session: Session, deal: Deal) -> None:
    midnight = datetime(2026, 6, 8, 4, 0, tzinfo=UTC)
    with clock.at(midnight + 3 * HOUR):
        entry = an_entry(session, deal, midnight - HOUR, 150)
    rows = session.scalars(sa.select(TimeEntry).order_by(TimeEntry.started_at)).all()
    assert [row.minutes for row in rows] == [60, 90]
    assert rows[0] is entry
    assert rows[0].timesheet.week_end_at == rows[1].timesheet.week_start_at == midnight
    no_drift(session)


def test_a_change_keeps_the_old_version(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 4 * HOUR):
        old = an_entry(session, deal, TUESDAY)
        new = change_entry(session, deal.expert, old.public_id, 1, work(TUESDAY + HOUR / 2, 30, "Shorter"))
        with pytest.raises(Refused, match="changed meanwhile"):
            change_entry(session, deal.expert, old.public_id, 1, work(TUESDAY))
    session.refresh(old)
    assert old.removed_at is not None
    assert old.replaced_by_id == new.id
    assert old.minutes == 60
    assert (new.version, new.minutes) == (2, 30)
    assert new.timesheet.entries == [new]


def test_a_change_that_is_refused_leaves_all_as_it_was(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 4 * HOUR):
        an_entry(session, deal, TUESDAY + HOUR)
        old = an_entry(session, deal, TUESDAY)
        with pytest.raises(Refused):
            change_entry(session, deal.expert, old.public_id, 1, work(TUESDAY, 90))
        session.refresh(old)
        assert old.removed_at is None


def test_removing_keeps_the_row(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 4 * HOUR):
        entry = an_entry(session, deal, TUESDAY)
        remove_entry(session, deal.expert, entry.public_id, 1)
        assert an_entry(session, deal, TUESDAY).timesheet.entries != [entry]


def test_only_the_expert_enters_time(session: Session, deal: Deal) -> None:
    bea = an_expert(session, "Bea Expert")
    with clock.at(TUESDAY + 4 * HOUR):
        with pytest.raises(NotAllowed):
            add_entry(session, deal.client, deal.contract.public_id, work(TUESDAY))
        with pytest.raises(NotFound):
            add_entry(session, bea, deal.contract.public_id, work(TUESDAY))
        entry = an_entry(session, deal, TUESDAY)
        with pytest.raises(NotFound):
            remove_entry(session, deal.client, entry.public_id, 1)


def test_the_timer_counts_whole_minutes(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + timedelta(seconds=40)):
        start_timer(session, deal.expert, deal.contract.public_id, "review", "Chest studies")
    with clock.at(TUESDAY + timedelta(minutes=50)):
        heartbeat(session, deal.expert)
    with clock.at(TUESDAY + timedelta(minutes=65, seconds=10)):
        stopped = stop_timer(session, deal.expert)
    [entry] = stopped.entries
    assert entry.minutes == 65
    assert entry.heartbeat_at == TUESDAY + timedelta(minutes=50)
    assert stopped.cut_because is None


def test_one_timer_for_each_person(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        other = a_deal(session, expert=deal.expert)
    with clock.at(TUESDAY):
        running = start_timer(session, deal.expert, deal.contract.public_id, "review")
        with pytest.raises(Refused, match="already running"):
            start_timer(session, deal.expert, other.contract.public_id, "review")
        with pytest.raises(Refused, match="Stop it first"):
            change_entry(session, deal.expert, running.public_id, 1, work(TUESDAY - HOUR))


def test_less_than_a_minute_leaves_nothing(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + timedelta(seconds=5)):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(TUESDAY + timedelta(seconds=50)):
        assert stop_timer(session, deal.expert).entries == []
        with pytest.raises(Refused, match="No timer"):
            stop_timer(session, deal.expert)


def test_a_timer_over_the_end_of_the_week_is_cut_there(session: Session, deal: Deal) -> None:
    midnight = datetime(2026, 6, 8, 4, 0, tzinfo=UTC)
    with clock.at(midnight - HOUR):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(midnight + HOUR):
        stopped = stop_timer(session, deal.expert)
    assert [entry.minutes for entry in stopped.entries] == [60, 60]
    no_drift(session)


def test_a_timer_stops_where_the_reserved_hours_end(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(TUESDAY + 9 * HOUR):
        assert stop_spent_timers(session) == 0
    with clock.at(TUESDAY + 13 * HOUR):
        assert stop_spent_timers(session) == 1
        assert stop_spent_timers(session) == 0
    [entry] = session.scalars(sa.select(TimeEntry)).all()
    assert entry.minutes == 10 * 60
    no_drift(session)


def test_a_timer_that_was_forgotten_stops_after_twelve_hours(session: Session) -> None:
    with clock.at(MONDAY):
        expert = an_expert(session, hours_per_week=40)
        deal = a_deal(session, hours=40, funds=50_000_00, expert=expert)
    for kind, start in ((TimeKind.PAID, TUESDAY), (TimeKind.UNPAID, TUESDAY + 24 * HOUR)):
        with clock.at(start):
            start_timer(session, deal.expert, deal.contract.public_id, "review", kind=kind)
        with clock.at(start + 20 * HOUR):
            assert stop_spent_timers(session) == 1
    assert [entry.minutes for entry in session.scalars(sa.select(TimeEntry))] == [12 * 60, 12 * 60]
    no_drift(session)


def test_a_week_in_which_a_timer_runs_keeps_its_money_until_the_timer_is_stopped(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    evening = datetime(2026, 6, 8, 2, 0, tzinfo=UTC)  # Sunday, 22:00
    with clock.at(evening):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(evening + 60 * HOUR):
        # As after days without a worker: the weeks roll before the timers are looked at.
        roll_weeks(session)
        assert stop_spent_timers(session) == 1
    minutes = [entry.minutes for entry in session.scalars(sa.select(TimeEntry).order_by(TimeEntry.id))]
    assert minutes == [2 * 60, 10 * 60]
    no_drift(session)


def test_no_reserved_minute_no_start(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 12 * HOUR):
        an_entry(session, deal, TUESDAY, 10 * 60)
        with pytest.raises(Refused, match="0 h 00 min"):
            start_timer(session, deal.expert, deal.contract.public_id, "review")


def licensed(session: Session, until: date) -> Actor:
    """An expert whose California licence a reviewer saw, valid through `until`."""
    ana = an_expert(session)
    rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
    claim = submit_credential(session, ana, "us_medical_license", "US-CA", "A 123456", "Ana Expert", until)
    claim_review(session, rev, claim.public_id)
    attest(
        session, rev, claim.public_id, "https://mbc.ca.gov", clock.now().date(),
        ("number", "name", "status", "expiry", "conditions"), valid_to=until,
    )  # fmt: skip
    return ana


def test_a_lapsed_licence_stops_new_time_at_its_minute(session: Session) -> None:
    with clock.at(MONDAY):
        ana = licensed(session, date(2026, 6, 3))
        deal = a_deal(session, expert=ana, requirements=(licence(),))
    lapse = datetime(2026, 6, 4, 7, 0, tzinfo=UTC)  # midnight in California
    with clock.at(lapse + 5 * HOUR):
        an_entry(session, deal, lapse - HOUR)
        with pytest.raises(Refused, match="California"):
            an_entry(session, deal, lapse)


def test_a_timer_stops_where_the_licence_ends(session: Session) -> None:
    with clock.at(MONDAY):
        ana = licensed(session, date(2026, 6, 3))
        deal = a_deal(session, expert=ana, requirements=(licence(),))
    lapse = datetime(2026, 6, 4, 7, 0, tzinfo=UTC)
    with clock.at(lapse - HOUR):
        start_timer(session, ana, deal.contract.public_id, "review")
    with clock.at(lapse + HOUR):
        stopped = stop_timer(session, ana)
        assert [entry.ended_at for entry in stopped.entries] == [lapse]
        assert stopped.cut_because is not None
        with pytest.raises(Refused, match="California"):
            start_timer(session, ana, deal.contract.public_id, "review")


def test_an_entry_over_the_lapse_is_refused_whole(session: Session) -> None:
    with clock.at(MONDAY):
        ana = licensed(session, date(2026, 6, 3))
        deal = a_deal(session, expert=ana, requirements=(licence(),))
    lapse = datetime(2026, 6, 4, 7, 0, tzinfo=UTC)
    with clock.at(lapse + 5 * HOUR), pytest.raises(Refused, match="before that moment"):
        an_entry(session, deal, lapse - HOUR, 61)


def test_spring_forward_and_fall_back_are_paid_as_they_passed(session: Session) -> None:
    saturday = datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    with clock.at(saturday):
        deal = a_deal(session)
    start = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # midnight; until 03:00 on the clock four hours pass
    with clock.at(start + 12 * HOUR):
        entry = an_entry(session, deal, start, 240)
    assert entry.minutes == 240
    assert entry.timesheet.week_end_at - entry.timesheet.week_start_at == timedelta(hours=169)
    no_drift(session)
