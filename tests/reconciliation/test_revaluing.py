"""What is held and owed in other currencies, at a month's end: the rates, the entry, and back on day one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.ledger import NewEntry, chart, periods, queries
from marketplace.ledger.proofs import PROOFS as LEDGER
from marketplace.payments.proofs import PROOFS as PAYMENTS
from marketplace.reconciliation.revaluing import booking, figures, rates
from marketplace.reconciliation.revaluing.models import ExchangeRate, Revaluation
from marketplace.reconciliation.revaluing.proofs import PROOFS
from tests.cast import Cast
from tests.visitor import words

OCTOBER, DAY = date(2026, 10, 1), timedelta(days=1)
THE_5TH, THE_20TH, THE_31ST = date(2026, 10, 5), date(2026, 10, 20), date(2026, 10, 31)
PROJECT = new_id()
SOURCE = "Reference rate of the central bank, read that day."


@pytest.fixture(autouse=True)
def november() -> Iterator[None]:
    with clock.at(datetime(2026, 11, 4, 17, tzinfo=UTC)):
        yield


def a_rate(session: Session, cast: Cast, rate: str, on: date, currency: str = "EUR") -> ExchangeRate:
    """Written down by fin, accepted by gil."""
    made = rates.propose_exchange_rate(
        session, cast.fin, rates.ExchangeDraft(currency, Decimal(rate), on, SOURCE)
    )
    return rates.accept_exchange_rate(session, fresh(cast), made.public_id)


def fresh(cast: Cast) -> Actor:
    return replace(cast.gil, second_factor_at=clock.now())


@use_case
def move(session: Session, on: date, amount: int, currency: str = "EUR") -> None:
    """Clients pay `amount` in their currency, which Stripe changes; below zero it goes back to them."""
    lines = [(chart.currency_clearing(), amount), (chart.project_funds(PROJECT), -amount)]
    at = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    ledger.post_many(session, SITE, [NewEntry(f"test:{new_id()}", "moved", currency, lines, at, "moved")])


def revalued(session: Session, cast: Cast) -> Revaluation:
    made = booking.prepare(session, cast.fin, OCTOBER)
    return booking.book(session, fresh(cast), made.public_id)


def booked(session: Session, made: Revaluation) -> list[tuple[date, dict[str, int]]]:
    return [
        (entry.booked_on, {each.account.code: each.amount for each in entry.postings})
        for entry in ledger.entries_of(session, [made.source])
    ]


def fine(session: Session) -> None:
    session.commit()
    proofs = [*PROOFS, *LEDGER, *(each for each in PAYMENTS if each.code != "P7")]
    assert [(proof.code, drift) for proof in proofs for drift in proof.run(session)] == []


def test_what_is_owed_in_euro_is_worth_more_and_back_on_day_one(session: Session, cast: Cast) -> None:
    """A6: a loss of 20 on 1,000 EUR owed, from 1.08 to 1.10: Dr 6020, Cr 1290; the other way on day one."""
    a_rate(session, cast, "1.08", THE_5TH)
    a_rate(session, cast, "1.10", THE_31ST)
    move(session, THE_5TH, 1_000_00)
    made = revalued(session, cast)
    [line] = made.lines
    assert (line.position, line.stood_at, line.value, line.amount) == (-100_000, -108_000, -110_000, -2_000)
    assert booked(session, made) == [
        (THE_31ST, {"6020": 20_00, "1290": -20_00}),
        (THE_31ST + DAY, {"6020": -20_00, "1290": 20_00}),
    ]
    assert queries.balance_of_code(session, "6020", "USD", THE_31ST) == 20_00
    assert queries.balance_of_code(session, "6020", "USD", THE_31ST + DAY) == 0
    fine(session)


def test_what_left_took_its_average_along(session: Session, cast: Cast) -> None:
    """1,000 at 1.08 and 1,000 at 1.12 stand at 1.10; 500 that go back leave 1,500 that stand at 1.10."""
    for on, rate in ((THE_5TH, "1.08"), (THE_20TH, "1.12"), (THE_31ST, "1.2")):
        a_rate(session, cast, rate, on)
    move(session, THE_5TH, 1_000_00)
    move(session, THE_20TH, 1_000_00)
    move(session, THE_31ST, -500_00)
    [line] = revalued(session, cast).lines
    assert (line.position, line.stood_at, line.value) == (-150_000, -165_000, -180_000)
    fine(session)


def test_what_came_late_books_only_the_rest(session: Session, cast: Cast) -> None:
    a_rate(session, cast, "1.08", THE_5TH)
    a_rate(session, cast, "1.10", THE_31ST)
    move(session, THE_5TH, 1_000_00)
    revalued(session, cast)
    assert list(booking.is_revalued(session, OCTOBER)) == []
    with pytest.raises(Refused, match="Nothing is left"):
        booking.prepare(session, cast.fin, OCTOBER)
    move(session, THE_5TH, 500_00)
    assert "not at the month’s rates" in next(iter(booking.is_revalued(session, OCTOBER)))
    with clock.at(clock.now() + DAY):
        again = revalued(session, cast)
    assert [(line.booked_before, line.amount) for line in again.lines] == [(-20_00, -10_00)]
    assert queries.balance_of_code(session, "6020", "USD", THE_31ST) == 30_00
    assert queries.balance_of_code(session, "6020", "USD") == 0
    fine(session)


def test_what_moved_since_it_was_prepared_is_not_booked(session: Session, cast: Cast) -> None:
    a_rate(session, cast, "1.08", THE_5TH)
    a_rate(session, cast, "1.10", THE_31ST)
    move(session, THE_5TH, 1_000_00)
    made = booking.prepare(session, cast.fin, OCTOBER)
    with pytest.raises(NotAllowed):
        booking.book(session, replace(fresh(cast), person_id=cast.fin.person_id), made.public_id)
    move(session, THE_5TH, 1_00)
    with pytest.raises(Refused, match="prepare another"):
        booking.book(session, fresh(cast), made.public_id)
    booking.decline(session, fresh(cast), made.public_id)
    assert [line.amount for line in revalued(session, cast).lines] == [-20_02]


def test_a_month_waits_for_its_rates(session: Session, cast: Cast) -> None:
    move(session, THE_5TH, 1_000_00)
    with pytest.raises(Refused, match="No rate of EUR counts on"):
        booking.prepare(session, cast.fin, OCTOBER)
    a_rate(session, cast, "1.08", THE_5TH)
    with pytest.raises(Refused, match="at the month’s end"):
        booking.prepare(session, cast.fin, OCTOBER)
    assert [each[:4] for each in booking.is_revalued(session, OCTOBER)] == ["Give"]
    with pytest.raises(Refused, match="not over"):
        booking.prepare(session, cast.fin, date(2026, 11, 1))


def test_a_month_on_hold_is_opened_first(session: Session, app: Flask, cast: Cast) -> None:
    a_rate(session, cast, "1.08", THE_5TH)
    a_rate(session, cast, "1.10", THE_31ST)
    move(session, THE_5TH, 1_000_00)
    periods.hold(session, cast.fin, OCTOBER)
    with pytest.raises(Refused, match="Open it first"):
        booking.prepare(session, cast.fin, OCTOBER)
    with pytest.raises(Refused, match="in other currencies"):
        periods.close(session, fresh(cast), OCTOBER)


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (rates.ExchangeDraft("USD", Decimal("1.1"), THE_5TH, SOURCE), "currency"),
        (rates.ExchangeDraft("EUR", Decimal("0"), THE_5TH, SOURCE), "rate"),
        (rates.ExchangeDraft("EUR", Decimal("NaN"), THE_5TH, SOURCE), "rate"),
        (rates.ExchangeDraft("EUR", Decimal("1.00000000001"), THE_5TH, SOURCE), "rate"),
        (rates.ExchangeDraft("EUR", Decimal("1.1"), date(2026, 11, 5), SOURCE), "from_on"),
        (rates.ExchangeDraft("EUR", Decimal("1.1"), THE_5TH, "ECB"), "source"),
    ],
)
def test_rates_that_cannot_be(session: Session, cast: Cast, draft: rates.ExchangeDraft, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        rates.propose_exchange_rate(session, cast.fin, draft)
    assert refused.value.field == field


def test_a_rate_takes_two_and_stays(session: Session, cast: Cast) -> None:
    made = rates.propose_exchange_rate(
        session, cast.gil, rates.ExchangeDraft("EUR", Decimal("1.08"), THE_5TH, SOURCE)
    )
    with pytest.raises(NotAllowed):
        rates.accept_exchange_rate(session, fresh(cast), made.public_id)
    for change in ("rate = 2", "state = 'accepted', decided_by = made_by, decided_at = now()"):
        with pytest.raises(DBAPIError):
            session.execute(sa.text(f"UPDATE exchange_rates SET {change}"))
        session.rollback()


def drifts(session: Session) -> list[str]:
    session.expire_all()
    return [proof.code for proof in PROOFS for _drift in proof.run(session)]


@pytest.mark.parametrize(("wrong", "codes"), [(0, ["FX3"]), (1, ["FX2", "FX3"])])
def test_proofs_see_another_amount_and_what_was_not_booked(
    session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch, wrong: int, codes: list[str]
) -> None:
    a_rate(session, cast, "1.08", THE_5TH)
    a_rate(session, cast, "1.10", THE_31ST)
    move(session, THE_5TH, 1_000_00)
    right = figures.rounded
    with monkeypatch.context() as wrongly:
        wrongly.setattr(
            figures, "rounded", lambda amount: right(amount) + (wrong if amount == -110_000 else 0)
        )
        booking.prepare(session, cast.fin, OCTOBER)
    last = session.scalar(sa.select(sa.func.max(ledger.JournalEntry.id)))
    session.execute(sa.text(ACCEPT), {"by": cast.gil.person_id, "last": last, "at": clock.now()})
    assert drifts(session) == codes


def test_the_database_keeps_what_was_prepared(session: Session, cast: Cast) -> None:
    a_rate(session, cast, "1.08", THE_5TH)
    a_rate(session, cast, "1.10", THE_31ST)
    move(session, THE_5TH, 1_000_00)
    booking.prepare(session, cast.fin, OCTOBER)
    for change in (
        "UPDATE revaluation_lines SET amount = 0",
        "UPDATE revaluations SET month = '2026-09-01'",
        "UPDATE revaluations SET state = 'accepted', decided_by = made_by, decided_at = now(), up_to = 1",
        "DELETE FROM revaluations",
    ):
        with pytest.raises(DBAPIError):
            session.execute(sa.text(change))
        session.rollback()


def test_a_proof_sees_what_is_not_taken_back_and_what_else_is_on_6020(session: Session, cast: Cast) -> None:
    a_rate(session, cast, "1.08", THE_5TH)
    a_rate(session, cast, "1.10", THE_31ST)
    move(session, THE_5TH, 1_000_00)
    made = booking.prepare(session, cast.fin, OCTOBER)
    lines = booking.lines([-20_00])
    at = datetime(2026, 10, 31, 12, tzinfo=UTC)
    last = session.scalar(sa.select(sa.func.max(ledger.JournalEntry.id)))
    session.execute(sa.text(ACCEPT), {"by": cast.gil.person_id, "last": last, "at": clock.now()})
    session.commit()
    use_case(ledger.post_many)(session, SITE, [NewEntry(made.source, "revalued", "USD", lines, at, "whole")])
    assert drifts(session) == ["FX3"]
    use_case(ledger.post_many)(
        session, SITE, [NewEntry(made.source, "revalued_back", "USD", [(a, -n) for a, n in lines],
                                 at + DAY, "back")])  # fmt: skip
    assert drifts(session) == []
    use_case(ledger.post_many)(session, SITE, [NewEntry("test:1", "x", "USD", lines, at, "by hand")])
    assert drifts(session) == ["FX3"]


ACCEPT = """
    UPDATE revaluations SET state = 'accepted', decided_by = :by, decided_at = :at, up_to = :last
    WHERE state = 'made'
"""


def test_none_and_three_decimals() -> None:
    """157 yen to the dollar; one dinar is 2.65 dollars."""
    [step] = figures.steps([figures.Rate(1, Decimal("0.0064"), THE_5TH)], [(THE_5TH, 10_000)], "JPY", "USD")
    assert step.stood_at == 64_00
    [step] = figures.steps([figures.Rate(1, Decimal("2.65"), THE_5TH)], [(THE_5TH, 1_000)], "BHD", "USD")
    assert step.stood_at == 265


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-(10**9), 10**9)), max_size=12))
def test_nothing_left_stands_at_nothing_and_one_rate_makes_no_difference(
    moves: list[tuple[int, int]],
) -> None:
    days = sorted((THE_5TH + each * DAY, amount) for each, amount in moves)
    some = [figures.Rate(n, Decimal(100 + n) / 100, THE_5TH + n * DAY) for n in range(5)]
    for step in figures.steps(some, days, "EUR", "USD"):
        assert min(some[0].rate, step.rate.rate) * abs(step.position) <= abs(step.stood_at)
        assert abs(step.stood_at) <= max(each.rate for each in some) * abs(step.position)
    for step in figures.steps(some[:1], days, "EUR", "USD"):
        assert step.stood_at == step.position * Fraction(1)


def test_the_pages_from_rate_to_booking(session: Session, app: Flask, cast: Cast) -> None:
    fin, gil = (cast.visitor(app, each) for each in (cast.fin, cast.gil))
    move(session, THE_5TH, 1_000_00)
    assert "No rate of EUR counts on" in words(fin.get("/reconciliation/revaluations"))
    for on, rate in ((THE_5TH, "1.08"), (THE_31ST, "1.1")):
        given = {"currency": "EUR", "rate": rate, "from_on": on.isoformat(), "source": SOURCE}
        answer = fin.post("/reconciliation/exchange-rates/new", **given)
        assert "The rate waits for a colleague" in words(answer)
    assert "Write the rate in digits" in words(
        fin.post("/reconciliation/exchange-rates/new", **given | {"rate": "1,08"})
    )
    for each in session.scalars(sa.select(ExchangeRate)):
        path = f"/reconciliation/exchange-rates/{each.public_id}/acceptance"
        assert fin.post(path).status_code == 404
        assert "The rate counts" in words(gil.post(path))
    assert "1.08 USD" in words(fin.get("/reconciliation/exchange-rates"))
    fin.post("/reconciliation/revaluations/2026-10/preparing")
    made = session.scalars(sa.select(Revaluation)).one()
    page = f"/reconciliation/revaluations/{made.public_id}"
    said = words(gil.get(page))
    for each in (
        "Held less owed -€1,000.00",
        "Worth at 1.1",
        "Left to book -$20.00",
        "2010 Client funds, free",
    ):
        assert each in said
    assert "Booked on the month’s last day" in words(gil.post(f"{page}/booking"))
    session.expire_all()
    assert "Booked, and taken back on day one" in words(fin.get(page))
    entries = words(fin.get(f"/books/journal?source={made.source}"))
    assert "Revalued at the rates" in entries
