"""Credit lines: two people give one, projects take it up to its amount, and over it stops new hours only."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor, Role
from marketplace.contracts import entries, proofs, reservations, rolling
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.credit import cover, lines
from marketplace.contracts.credit.models import CreditLine
from marketplace.contracts.timer import start_timer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.db import use_case
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.gigs.models import Project
from marketplace.ledger import NotCovered, chart
from marketplace.ledger import proofs as books
from marketplace.ledger.periods import day_of
from tests.conftest import Committed
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, a_deal, work
from tests.factories.gigs import a_client, a_project, fund

TODAY = date(2026, 6, 1)
# Two weeks of ten hours at 150 with the fee.
TWO_WEEKS = 3_600_00


@pytest.fixture(autouse=True)
def monday() -> Iterator[None]:
    with clock.at(MONDAY):
        yield


@pytest.fixture
def opa(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Opa Olsen", Role.OPERATOR))


@pytest.fixture
def gil(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Gil Garnier", Role.FINANCE_RELEASER))


def prepared(
    session: Session, opa: Actor, project: Project, amount: int, until: date = TODAY + timedelta(days=30)
) -> CreditLine:
    organization = project.organization.public_id
    return lines.prepare_line(session, opa, organization, amount, TODAY, until, "Pays each month")


def given_line(
    session: Session, opa: Actor, gil: Actor, project: Project, amount: int, **more: date
) -> CreditLine:
    line = prepared(session, opa, project, amount, **more)
    return lines.confirm_line(session, replace(gil, second_factor_at=clock.now()), line.public_id)


@use_case
def take(session: Session, project: Project, amount: int) -> None:
    """Reserve `amount`, as a contract would."""
    cover.require_cover(session, project, amount)
    funds, held = chart.project_funds(project.public_id), chart.project_reserved(project.public_id)
    ledger.post(
        session, SITE, source=f"reservation:{uuid.uuid4()}", event="reserved", currency="USD",
        occurred_at=clock.now(), memo="", lines=[(funds, amount), (held, -amount)],
    )  # fmt: skip


def free(session: Session, project: Project) -> int:
    return -ledger.balance(session, chart.project_funds(project.public_id), "USD")


def drifts(session: Session) -> list[str]:
    found = [*books.client_funds_hold(session), *proofs.never_more_than_funded(session)]
    return [drift.subject for drift in found]


def two_projects(session: Session) -> tuple[Project, Project]:
    client, organization = a_client(session)
    return tuple(a_project(session, client, organization, name) for name in ("A", "B"))  # type: ignore[return-value]


def test_without_a_line_nothing_is_lent(session: Session) -> None:
    one, _two = two_projects(session)
    fund(session, one.public_id, 100)
    take(session, one, 100)
    with pytest.raises(NotCovered):
        take(session, one, 1)
    assert cover.standing_of(session, one).line.amount == 0


def test_a_line_counts_once_somebody_else_confirmed_it(session: Session, opa, gil) -> None:
    one, two = two_projects(session)
    line = prepared(session, opa, one, 1_000)
    with pytest.raises(NotCovered):
        take(session, one, 1)
    with pytest.raises(NotAllowed, match="somebody else"):
        lines.confirm_line(session, opa, line.public_id)
    with pytest.raises(FreshFactorNeeded):
        lines.confirm_line(session, replace(gil, second_factor_at=None), line.public_id)
    lines.confirm_line(session, gil, line.public_id)
    take(session, one, 600)
    take(session, two, 400)
    for project in (one, two):
        with pytest.raises(NotCovered):
            take(session, project, 1)
    found = cover.standing_of(session, one)
    assert (found.line.amount, found.used.amount, found.left.amount) == (1_000, 1_000, 0)
    assert found.until == TODAY + timedelta(days=30)
    assert drifts(session) == []


def test_what_is_paid_in_frees_the_line_again(session: Session, opa, gil) -> None:
    one, two = two_projects(session)
    given_line(session, opa, gil, one, 1_000)
    take(session, one, 1_000)
    fund(session, one.public_id, 400)
    take(session, two, 400)
    with pytest.raises(NotCovered):
        take(session, two, 1)


def test_one_projects_own_money_pays_for_no_other(session: Session, opa, gil) -> None:
    one, two = two_projects(session)
    given_line(session, opa, gil, one, 100)
    fund(session, one.public_id, 5_000)
    with pytest.raises(NotCovered):
        take(session, two, 101)
    take(session, two, 100)
    take(session, one, 5_000)


@pytest.mark.parametrize(
    ("amount", "until", "field"), [(0, 9, "amount"), (-1, 9, "amount"), (5, -1, "until_on")]
)
def test_a_line_needs_an_amount_and_days_to_come(session: Session, opa, amount, until, field) -> None:
    one, _two = two_projects(session)
    with pytest.raises(Invalid) as refused:
        prepared(session, opa, one, amount, TODAY + timedelta(days=until))
    assert refused.value.field == field


def test_only_an_operator_prepares_one(session: Session, gil) -> None:
    one, _two = two_projects(session)
    with pytest.raises(NotAllowed):
        prepared(session, gil, one, 5)


def test_it_counts_on_its_days_and_on_no_other(session: Session, opa, gil) -> None:
    one, _two = two_projects(session)
    given_line(session, opa, gil, one, 1_000, until=TODAY + timedelta(days=1))
    for days, lent in ((-1, False), (0, True), (1, True), (2, False)):
        with clock.at(MONDAY + timedelta(days=days)):
            assert (cover.available(session, one) == 1_000) is lent
            if not lent:
                with pytest.raises(NotCovered):
                    take(session, one, 1)


def test_ended_by_one_it_lends_nothing_more_and_what_was_taken_is_overdue(session: Session, opa, gil) -> None:
    one, _two = two_projects(session)
    line = given_line(session, opa, gil, one, 1_000)
    take(session, one, 700)
    with pytest.raises(Invalid, match="Say why"):
        lines.end_line(session, gil, line.public_id, "  ")
    lines.end_line(session, gil, line.public_id, "Did not pay in May")
    found = cover.standing_of(session, one)
    assert (found.overdue.amount, found.over_since) == (700, clock.now())
    with pytest.raises(NotCovered):
        take(session, one, 1)
    with pytest.raises(Refused, match="already"):
        lines.end_line(session, opa, line.public_id, "again")
    # What is owed was lent, so it is no drift.
    assert drifts(session) == []


def test_overdue_since_does_not_move_when_another_line_ends(session: Session, opa, gil) -> None:
    one, _two = two_projects(session)
    big = given_line(session, opa, gil, one, 1_000)
    small = given_line(session, opa, gil, one, 10)
    take(session, one, 700)
    over = MONDAY + timedelta(days=2)
    with clock.at(over):
        lines.end_line(session, opa, big.public_id, "Did not pay")
    with clock.at(MONDAY + timedelta(days=9)):
        lines.end_line(session, opa, small.public_id, "No use")
        assert cover.standing_of(session, one).over_since == over


HALF = timedelta(minutes=30)


@st.composite
def lines_of_some_days(draw: st.DrawFn) -> CreditLine:
    """Confirmed on a full hour, begun and over at midnight, or ended at half past."""
    first, confirmed = draw(st.integers(0, 5)), draw(st.integers(0, 5 * 24))
    last = max(first, (MONDAY + timedelta(hours=confirmed)).date().toordinal() - TODAY.toordinal())
    ended = draw(st.none() | st.integers(confirmed, 10 * 24))
    return CreditLine(
        amount=draw(st.integers(1, 4)),
        from_on=TODAY + timedelta(days=first),
        until_on=TODAY + timedelta(days=last + draw(st.integers(0, 3))),
        confirmed_at=MONDAY + timedelta(hours=confirmed),
        ended_at=None if ended is None else MONDAY + timedelta(hours=ended) + HALF,
    )


@hypothesis_settings(max_examples=60, deadline=None)
@given(found=st.lists(lines_of_some_days(), max_size=4), used=st.integers(1, 9), hours=st.integers(1, 240))
def test_overdue_since_is_what_looking_at_each_half_hour_finds(found, used, hours) -> None:
    def counts(each: CreditLine, at: datetime) -> bool:
        ended = each.ended_at is not None and each.ended_at <= at
        return each.confirmed_at <= at and each.from_on <= day_of(at) <= each.until_on and not ended

    moments = [MONDAY - timedelta(days=1) + HALF * step for step in range(hours * 2)]
    since = None
    for before, at in itertools.pairwise(moments):
        if sum(each.amount for each in found if counts(each, at)) >= used:
            since = None
        elif since is None and any(counts(each, before) and not counts(each, at) for each in found):
            since = at
    with clock.at(moments[-1]):
        assert cover.over_since(found, used) == since


def test_work_begins_on_credit_and_stops_when_it_is_over_but_is_paid(session: Session, opa, gil) -> None:
    deal = a_deal(session, funds=TWO_WEEKS)
    line = given_line(session, opa, gil, deal.project, TWO_WEEKS)
    over, tuesday = MONDAY + timedelta(days=2), MONDAY + timedelta(days=1)
    with clock.at(over):
        take(session, deal.project, 1_800_00)
        lines.end_line(session, opa, line.public_id, "Over")
    with clock.at(over + timedelta(hours=5)):
        with pytest.raises(Refused, match="credit is over"):
            entries.add_entry(session, deal.expert, deal.contract.public_id, work(over + timedelta(hours=1)))
        with pytest.raises(Refused, match="credit is over"):
            start_timer(session, deal.expert, deal.contract.public_id, "review")
        # Before that moment the hours count, and are approved and owed.
        entry = entries.add_entry(session, deal.expert, deal.contract.public_id, work(tuesday))
        sheet = submit_timesheet(session, deal.expert, entry.timesheet.public_id, entry.timesheet.version)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        person = chart.expert_payable(deal.contract.person.public_id)
        assert ledger.balance(session, person, "USD") == -150_00
        fund(session, deal.project.public_id, TWO_WEEKS)
        assert cover.standing_of(session, deal.project).over_since is None


def test_p4_sees_who_owes_more_than_was_ever_lent(session: Session, opa, gil) -> None:
    one, _two = two_projects(session)
    given_line(session, opa, gil, one, 1_000)
    take(session, one, 1_000)
    assert drifts(session) == []
    ledger.post(
        session, SITE, source="wrong:1", event="x", currency="USD", occurred_at=clock.now(), memo="",
        lines=[(chart.project_funds(one.public_id), 1), (chart.stripe_balance(), -1)],
    )  # fmt: skip
    assert f"2010 project:{one.public_id}:funds" in drifts(session)


def test_lines_at_different_times_do_not_add_up_for_the_proof(session: Session, opa, gil) -> None:
    one, _two = two_projects(session)
    first = given_line(session, opa, gil, one, 1_000)
    lines.end_line(session, opa, first.public_id, "Another one")
    with clock.at(MONDAY + timedelta(days=40)):
        line = lines.prepare_line(
            session, opa, one.organization.public_id, 500,
            TODAY + timedelta(days=40), TODAY + timedelta(days=50), "Again",
        )  # fmt: skip
        lines.confirm_line(session, replace(gil, second_factor_at=clock.now()), line.public_id)
        take(session, one, 500)
        assert drifts(session) == []
        ledger.post(
            session, SITE, source="wrong:2", event="x", currency="USD", occurred_at=clock.now(), memo="",
            lines=[(chart.project_funds(one.public_id), 501), (chart.stripe_balance(), -501)],
        )  # fmt: skip
        assert drifts(session)


@pytest.mark.parametrize("change", [{"amount": 5}, {"confirmed_by": None, "confirmed_at": None}])
def test_the_database_keeps_what_was_decided(session: Session, opa, gil, change) -> None:
    one, _two = two_projects(session)
    line = given_line(session, opa, gil, one, 1_000)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.update(CreditLine).where(CreditLine.id == line.id).values(**change))


def test_the_database_refuses_a_line_of_one_person(session: Session, opa) -> None:
    one, _two = two_projects(session)
    line = prepared(session, opa, one, 5)
    change = {"confirmed_by": opa.id, "confirmed_at": clock.now()}
    with pytest.raises(DBAPIError, match="two_people"), session.begin_nested():
        session.execute(sa.update(CreditLine).where(CreditLine.id == line.id).values(**change))


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_spent_and_reserved_never_exceed_funded_and_credit(session: Session, opa, gil, data) -> None:
    projects = two_projects(session)
    credit = data.draw(st.integers(1, 1_000))
    given_line(session, opa, gil, projects[0], credit)
    for number in range(data.draw(st.integers(1, 12))):
        project = projects[data.draw(st.integers(0, 1))]
        amount = data.draw(st.integers(1, 700))
        if data.draw(st.booleans()):
            fund(session, project.public_id, amount)
        else:
            before = free(session, project)
            others = sum(max(0, -free(session, each)) for each in projects if each is not project)
            fits = others + max(0, amount - before) <= credit or amount <= before
            with clock.at(MONDAY + timedelta(seconds=number)):
                try:
                    take(session, project, amount)
                except NotCovered:
                    assert not fits
                else:
                    assert fits
        assert sum(max(0, -free(session, each)) for each in projects) <= credit
        assert drifts(session) == []


def test_two_at_once_do_not_both_take_the_last_of_a_line(committed: Committed) -> None:
    with committed.session() as session, clock.at(MONDAY):
        one, two = two_projects(session)
        opa = an_actor(session, a_person(session, "Opa Olsen", Role.OPERATOR))
        gil = an_actor(session, a_person(session, "Gil Garnier", Role.FINANCE_RELEASER))
        given_line(session, opa, gil, one, 1_000)
        session.commit()
        ids = [one.id, two.id, one.id, two.id]

    def act(project_id: int) -> bool:
        with committed.session() as own, clock.at(MONDAY + timedelta(seconds=project_id)):
            try:
                take(own, own.get_one(Project, project_id), 600)
            except (NotCovered, Refused):
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(act, ids)) == 1
    with committed.session() as session:
        assert sum(max(0, -free(session, session.get_one(Project, each))) for each in set(ids)) == 600


def test_the_database_refuses_a_reservation_that_nothing_covers(committed: Committed, monkeypatch) -> None:
    with committed.session() as session, clock.at(MONDAY):
        deal = a_deal(session, funds=TWO_WEEKS)
        session.commit()
        monkeypatch.setattr(reservations.credit, "require_cover", lambda *args: None)
        with (
            clock.at(MONDAY + timedelta(days=14)),
            pytest.raises(DBAPIError, match="than was paid in and lent"),
        ):
            use_case(lambda own: rolling._reserve_ahead(own, deal.contract))(session)
