"""What the client's tool counted, beside what was entered; and the weeks that agree, approved in one go."""

from __future__ import annotations

import io
import re
from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.approving.rules import set_rule
from marketplace.contracts.ending import end_contract
from marketplace.contracts.entries import Work, add_entry
from marketplace.contracts.models import Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.states import TimeKind, TimesheetState
from marketplace.contracts.timesheets import return_timesheet, submit_timesheet
from marketplace.contracts.usage import comparing, reading
from marketplace.contracts.usage.approving import approve_agreeing, waiting
from marketplace.contracts.usage.comparing import UsageOfDay
from marketplace.contracts.usage.importing import (
    Sorted,
    bring_usage,
    forget_untaken,
    look,
    take_usage,
)
from marketplace.contracts.usage.models import UsageDay, UsageImport
from marketplace.contracts.weeks import week_on
from marketplace.errors import Invalid, NotAllowed, NotFound
from marketplace.money import Money
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, an_entry, an_offer, sign
from tests.factories.gigs import a_client, a_gig, an_expert
from tests.visitor import Visitor, words

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TUESDAY, WEDNESDAY, THURSDAY = MONDAY + DAY, MONDAY + 2 * DAY, MONDAY + 3 * DAY
HEADER = "contract,date,minutes,items"


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session, funds=1_000_000_00)


def another(session: Session, deal: Deal, name: str) -> Deal:
    """Another expert on a gig of the same client."""
    with clock.at(MONDAY):
        gig = a_gig(session, deal.client, deal.project, title=f"Reports of {name}", hours_per_week=10)
        expert = an_expert(session, name)
        contract = sign(session, expert, an_offer(session, deal.client, expert, gig))
    return Deal(deal.client, deal.approver, expert, deal.project, gig, contract)


def file_of(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows]).encode()


def counted(deal: Deal, day: int, minutes: int, items: str = "") -> str:
    """A row for a day of June 2026."""
    return f"{deal.contract.public_id},2026-06-{day:02},{minutes},{items}"


def bring(session: Session, actor: Actor, *rows: str) -> UsageImport:
    return bring_usage(session, actor, "tool.csv", file_of(*rows))


def take(session: Session, actor: Actor, *rows: str) -> UsageImport:
    return take_usage(session, actor, bring(session, actor, *rows).public_id)


def preview(session: Session, actor: Actor, *rows: str) -> Sorted:
    found = look(session, actor, bring(session, actor, *rows))
    assert found is not None
    return found


def refused(session: Session, actor: Actor, *rows: str) -> list[tuple[int, str]]:
    return [(each.line, each.why) for each in preview(session, actor, *rows).refused]


def standing(session: Session) -> list[tuple[date, int, int | None]]:
    query = sa.select(UsageDay).where(UsageDay.replaced_at.is_(None)).order_by(UsageDay.day)
    return [(each.day, each.minutes, each.items) for each in session.scalars(query)]


def counts(found: UsageImport) -> tuple[int | None, ...]:
    return found.new_rows, found.changed_rows, found.same_rows, found.refused_rows


def test_it_works(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        an_entry(session, deal, TUESDAY, 60)
        found = preview(session, deal.client, counted(deal, 2, 55, "12"))
        assert [len(part) for part in (found.new, found.changed, found.same, found.refused)] == [1, 0, 0, 0]
        assert standing(session) == []
        assert counts(take(session, deal.client, counted(deal, 2, 55, "12"))) == (1, 0, 0, 0)
        compared = comparing.of_week(session, deal.contract, week_on(date(2026, 6, 1), "America/New_York"))
    assert standing(session) == [(date(2026, 6, 2), 55, 12)]
    assert compared is not None
    assert [day for day in compared.days if day.entered] == [UsageOfDay(date(2026, 6, 2), 60, 55, 12)]
    assert compared.agrees


def test_the_same_file_again_changes_nothing(session: Session, deal: Deal) -> None:
    rows = [counted(deal, 1, 30), counted(deal, 2, 55, "12")]
    with clock.at(WEDNESDAY):
        assert counts(take(session, deal.client, *rows)) == (2, 0, 0, 0)
        before = session.scalars(sa.select(UsageDay.id)).all()
        assert counts(take(session, deal.client, *rows)) == (0, 0, 2, 0)
    assert session.scalars(sa.select(UsageDay.id)).all() == before


def test_taking_it_twice_is_taking_it_once(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        found = take(session, deal.client, counted(deal, 2, 55))
        assert counts(take_usage(session, deal.client, found.public_id)) == (1, 0, 0, 0)
    assert len(session.scalars(sa.select(UsageDay)).all()) == 1


def test_a_later_file_replaces_a_day_and_the_earlier_value_is_kept(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        take(session, deal.client, counted(deal, 1, 30), counted(deal, 2, 55))
    with clock.at(THURSDAY):
        assert counts(take(session, deal.approver, counted(deal, 2, 58), counted(deal, 3, 10))) == (
            1,
            1,
            0,
            0,
        )
        week = week_on(date(2026, 6, 1), "America/New_York")
        [before] = comparing.earlier(session, deal.contract, week)
    assert [minutes for _day, minutes, _items in standing(session)] == [30, 58, 10]
    assert (before.minutes, before.replaced_at) == (55, THURSDAY)


def test_bad_rows_are_named_and_stop_none_of_the_others(session: Session, deal: Deal) -> None:
    contract = deal.contract.public_id
    with clock.at(WEDNESDAY):
        found = preview(
            session, deal.client,
            counted(deal, 2, 55),
            "not-an-id,2026-06-02,10,",
            f"{uuid4()},2026-06-02,10,",
            f"{contract},02/06/2026,10,",
            f"{contract},2026-06-02,1.5,",
            f"{contract},2026-06-02,1501,",
            f"{contract},2026-06-02,10,many",
            counted(deal, 2, 60),
            counted(deal, 4, 60),
            f"{contract},2026-05-31,60,",
            "",
            counted(deal, 1, 20),
            f"{contract},2026-06-03",
        )  # fmt: skip
    assert [each.row.line for each in found.new] == [2, 13]
    assert [(each.line, each.why) for each in found.refused] == [
        (3, "The contract is not an id as it stands on a contract's page."),
        (4, "There is no contract of yours with this id."),
        (5, "The date is not written as in 2026-11-03."),
        (6, "Minutes are a whole number up to 1500."),
        (7, "Minutes are a whole number up to 1500."),
        (8, "Items are a whole number up to 100000."),
        (9, "This day of the contract stands in line 2 already."),
        (10, "This day has not begun where the contract is kept."),
        (11, "The contract had not begun on this day."),
        (14, "Minutes are a whole number up to 1500."),
    ]


def test_nothing_is_counted_after_the_end(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        end_contract(session, deal.expert, deal.contract.public_id)
    with clock.at(THURSDAY):
        [(line, why)] = refused(session, deal.client, counted(deal, 2, 5), counted(deal, 3, 5))
    assert (line, why) == (3, "The contract was over on this day.")


def test_a_day_is_one_of_the_contracts_zone(session: Session, deal: Deal) -> None:
    """Wednesday has begun in Greenwich; in New York, where the contract is kept, it is Tuesday evening."""
    with clock.at(TUESDAY + 9 * HOUR):
        assert refused(session, deal.client, counted(deal, 2, 5)) == []
        assert len(refused(session, deal.client, counted(deal, 3, 5))) == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing to read"),
        (HEADER.encode(), "no row below the header"),
        (b"contract;date\nx;y", "it lacks minutes"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (file_of("a\0b"), "nothing to read"),
        (file_of('"never closed' + "x" * 200_000), "no CSV file"),
        (file_of(*["x"] * 10_001), "10000 rows at most"),
        (b"x" * 1_000_001, "larger than one megabyte"),
    ],
)
def test_what_is_no_file_of_a_tool(session: Session, deal: Deal, data: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        bring_usage(session, deal.client, "tool.csv", data)


def test_what_spreadsheets_make_of_it_is_read_too(deal: Deal) -> None:
    contract = deal.contract.public_id
    text = reading.decode(f"\ufeffMinutes;Date;Contract\r\n 55 ;2026-06-02;{contract}\r\n;;\r\n".encode())
    [row], bad = reading.read(text)
    assert (row.contract, row.day, row.minutes, row.items) == (contract, date(2026, 6, 2), 55, None)
    assert bad == []


def test_who_brings_it(session: Session, deal: Deal) -> None:
    other, _organization = a_client(session)
    operator = an_actor(session, a_person(session, "Opa Okafor", Role.OPERATOR))
    with clock.at(WEDNESDAY):
        # Another client's contract looks as one that is not there.
        assert refused(session, other, counted(deal, 2, 55)) == refused(
            session, other, f"{uuid4()},2026-06-02,55,"
        )
        with pytest.raises(NotAllowed):
            bring(session, deal.expert, counted(deal, 2, 55))
        mine = bring(session, deal.client, counted(deal, 2, 55)).public_id
        for stranger in (other, deal.approver, operator):
            with pytest.raises(NotFound):
                take_usage(session, stranger, mine)
        assert counts(take(session, operator, counted(deal, 2, 55))) == (1, 0, 0, 0)


def test_what_was_only_looked_at_is_forgotten(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        bring(session, deal.client, counted(deal, 2, 55))
        kept = take(session, deal.client, counted(deal, 1, 55)).public_id
        assert forget_untaken(session) == 0
    with clock.at(WEDNESDAY + DAY):
        assert forget_untaken(session) == 1
    assert [each.public_id for each in session.scalars(sa.select(UsageImport))] == [kept]


@pytest.mark.parametrize("change", ["UPDATE usage_days SET minutes = 1", "DELETE FROM usage_days"])
def test_the_database_keeps_what_was_counted(session: Session, deal: Deal, change: str) -> None:
    with clock.at(WEDNESDAY):
        take(session, deal.client, counted(deal, 2, 55))
    with pytest.raises(DBAPIError, match="permission denied"):
        session.execute(sa.text(change))


@pytest.mark.parametrize(
    ("entered", "tool", "agrees"),
    [
        (60, 60, True), (60, 45, True), (60, 44, False), (45, 60, True), (44, 60, False),
        (480, 432, True), (480, 431, False), (480, 528, True), (480, 529, False),
        (15, None, True), (16, None, False), (0, 15, True), (0, 16, False),
    ],
)  # fmt: skip
def test_how_far_apart_they_may_be(entered: int, tool: int | None, agrees: bool) -> None:
    assert UsageOfDay(date(2026, 6, 2), entered, tool, None).agrees is agrees


def test_a_night_is_parted_at_midnight_and_unpaid_time_is_left_out(session: Session, deal: Deal) -> None:
    midnight = clock.midnight(date(2026, 6, 3), "America/New_York")
    with clock.at(THURSDAY):
        an_entry(session, deal, midnight - 2 * HOUR, 180)
        waited = Work(THURSDAY - 2 * HOUR, THURSDAY - HOUR, "review", kind=TimeKind.UNPAID)
        add_entry(session, deal.expert, deal.contract.public_id, waited)
        take(session, deal.client, counted(deal, 2, 100))
        compared = comparing.of_week(session, deal.contract, week_on(date(2026, 6, 1), "America/New_York"))
    assert compared is not None
    assert [(day.day.day, day.entered, day.counted) for day in compared.days if day.entered] == [
        (2, 120, 100),
        (3, 60, None),
    ]
    assert compared.differing == 2


def three(session: Session, deal: Deal) -> tuple[Deal, Deal, Deal]:
    """Three submitted weeks: one that agrees, one that differs, one of which no file says anything."""
    deals = (deal, another(session, deal, "Dora Differs"), another(session, deal, "Nils Nowhere"))
    with clock.at(WEDNESDAY):
        for each in deals:
            a_submitted_week(session, each, TUESDAY, 60)
        take(session, deal.client, counted(deal, 2, 55), counted(deals[1], 2, 20))
    return deals


def week_of_deal(session: Session, deal: Deal) -> Timesheet:
    return session.scalars(sa.select(Timesheet).filter_by(contract_id=deal.contract.id)).one()


def test_what_waits_is_parted_by_what_the_tool_says(session: Session, deal: Deal) -> None:
    agreeing, differing, without = (week_of_deal(session, each) for each in three(session, deal))
    found = waiting(session, deal.approver)
    assert (found.differing, found.agreeing) == ([differing.id], [agreeing.id])
    assert [each.id for each in session.scalars(found.without)] == [without.id]
    other, _organization = a_client(session)
    nothing = waiting(session, other)
    assert (nothing.differing, nothing.agreeing) == ([], [])
    assert session.scalars(nothing.without).all() == []


def test_all_that_agree_are_approved_in_one_go_and_what_changed_is_left_and_named(
    session: Session, deal: Deal
) -> None:
    _first, differing, without = three(session, deal)
    changed = another(session, deal, "Chet Changed")
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, changed, TUESDAY, 60)
        take(session, deal.client, counted(changed, 2, 60))
        seen = [(each.public_id, each.version) for each in session.scalars(sa.select(Timesheet))]
        return_timesheet(
            session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "Tuesday was shorter."
        )
        submit_timesheet(session, changed.expert, sheet.public_id, sheet.version)
        outcome = approve_agreeing(session, deal.approver, seen)
    assert outcome.approved == 1
    states = {each: week_of_deal(session, each).state for each in (deal, differing, without, changed)}
    assert states.pop(deal) is TimesheetState.APPROVED
    assert set(states.values()) == {TimesheetState.SUBMITTED}
    said = " ".join(outcome.left)
    assert "Chet Changed, week from Mon 1 Jun 2026: This week was changed since you opened it." in said
    assert "Dora Differs, week from Mon 1 Jun 2026: It does not agree with the tool" in said
    assert "Nils Nowhere, week from Mon 1 Jun 2026: It does not agree with the tool" in said
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_one_that_was_approved_meanwhile_is_left_and_named(session: Session, deal: Deal) -> None:
    three(session, deal)
    sheet = week_of_deal(session, deal)
    seen = [(sheet.public_id, sheet.version)]
    with clock.at(WEDNESDAY):
        approve_timesheet(session, deal.client, *seen[0])
        outcome = approve_agreeing(session, deal.approver, seen)
    assert outcome.approved == 0
    assert "already approved" in outcome.left[0]


def test_of_a_week_that_needs_two_it_says_that_it_got_only_the_first(
    app: Flask, session: Session, deal: Deal
) -> None:
    with clock.at(MONDAY):
        set_rule(session, deal.client, deal.project.organization.public_id, Money(180_00, "USD"))
    small = another(session, deal, "Sue Small")
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY, 60)
        little = a_submitted_week(session, small, TUESDAY, 59)
        take(session, deal.client, counted(deal, 2, 60), counted(small, 2, 59))
        seen = [f"{each.public_id} {each.version}" for each in (sheet, little)]
        dev, carla = (Visitor(enter(app.test_client(), session, who)) for who in (deal.approver, deal.client))
        assert "needs two people" in words(dev.get("/timesheets/waiting"))
        said = words(dev.post("/timesheets/approvals", week=seen))
        assert "1 week is approved" in said
        assert "1 week needs two people and has your approval as the first" in said
        assert "Waiting for a second person" in said
        assert "You gave the first approval" in words(dev.post("/timesheets/approvals", week=seen[:1]))
        carla.get("/timesheets/waiting")
        assert "1 week is approved" in words(carla.post("/timesheets/approvals", week=seen[:1]))
    session.refresh(sheet)
    assert sheet.state is TimesheetState.APPROVED


def test_nobody_approves_a_week_of_another_client_or_their_own(session: Session, deal: Deal) -> None:
    three(session, deal)
    sheet = week_of_deal(session, deal)
    seen = [(sheet.public_id, sheet.version)]
    other, _organization = a_client(session)
    with clock.at(WEDNESDAY):
        with pytest.raises(NotFound):
            approve_agreeing(session, other, seen)
        with pytest.raises(NotAllowed):
            approve_agreeing(session, deal.expert, seen)
    session.refresh(sheet)
    assert sheet.state is TimesheetState.SUBMITTED


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def test_by_hand_from_the_file_to_the_approval(app: Flask, session: Session, deal: Deal) -> None:
    late = another(session, deal, "Dora Differs")
    with clock.at(WEDNESDAY):
        sheet, other = (a_submitted_week(session, each, TUESDAY, 60) for each in (deal, late))
        dev, ana = at_browser(app, session, deal.approver), at_browser(app, session, deal.expert)
        dev.get("/usage")
        data = file_of(counted(deal, 2, 55, "12"), counted(late, 2, 20), "nonsense,2026-06-02,1,")
        shown = dev.post("/usage", file=(io.BytesIO(data), "tool.csv"))
        assert "Nothing of it counts yet." in words(shown)
        assert "Line 4 The contract is not an id" in words(shown)
        assert "Beside the client’s tool" not in words(ana.get(f"/timesheets/{sheet.public_id}"))
        [taking] = re.findall(r'action="(/usage/[0-9a-f-]{36}/taking)"', shown.text)
        assert "Take in 2 rows" in words(shown)
        assert "The usage is taken in" in words(dev.post(taking))
        for page in (f"/timesheets/{sheet.public_id}", f"/work/{deal.contract.public_id}?week=2026-06-01"):
            told = words(ana.get(page))
            assert "Beside the client’s tool" in told
            assert "Tue 2 Jun 2026 1 h 00 min 0 h 55 min 0 h 05 min more 12 Agrees" in told
        listed = dev.get("/timesheets/waiting")
        told = words(listed)
        assert told.index("Differs from the tool") < told.index("Agrees with the tool")
        assert "1 day differs" in told
        assert "15 minutes or 10 %, whichever is more" in told
        assert "Approve the 1 that agrees" in told
        seen = re.findall(r'name="week"\s+value="([^"]+)"', listed.text)
        assert seen == [f"{sheet.public_id} {sheet.version}"]
        assert "1 week is approved" in words(dev.post("/timesheets/approvals", week=seen))
    session.refresh(sheet)
    session.refresh(other)
    assert (sheet.state, other.state) == (TimesheetState.APPROVED, TimesheetState.SUBMITTED)


def test_strangers_see_no_file_and_experts_bring_none(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        found = bring(session, deal.client, counted(deal, 2, 55)).public_id
        other, _organization = a_client(session)
        rival = at_browser(app, session, other)
        assert rival.get(f"/usage/{found}").status_code == 404
        assert rival.post(f"/usage/{found}/taking").status_code == 404
        three(session, deal)
        sheet = week_of_deal(session, deal)
        sent = rival.post("/timesheets/approvals", week=f"{sheet.public_id} {sheet.version}")
        assert sent.status_code == 404
        assert at_browser(app, session, deal.expert).get("/usage").status_code in (403, 404)
