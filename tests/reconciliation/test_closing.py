"""Before a month closes: statements that reach its end, no open item of it, and every proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, proofs, settings
from marketplace.app import create_app
from marketplace.errors import Refused
from marketplace.ledger import periods
from marketplace.ledger.models import Period
from marketplace.ledger.states import PeriodState
from marketplace.reconciliation import passes
from marketplace.reconciliation.models import StripeBalance
from tests.cast import Cast
from tests.ledger.conftest import book
from tests.reconciliation.camt import Entry
from tests.reconciliation.world import bank_says
from tests.visitor import words

OCTOBER = date(2026, 10, 1)
THE_30TH, THE_2ND = date(2026, 10, 30), date(2026, 11, 2)


@pytest.fixture(autouse=True)
def november() -> Iterator[None]:
    with clock.at(datetime(2026, 11, 4, 17, tzinfo=UTC)):
        yield


def on_hold(session: Session, cast: Cast) -> None:
    book(session, "topup:1", 500, datetime(2026, 10, 20, 12, tzinfo=UTC))
    session.commit()
    periods.hold(session, cast.fin, OCTOBER)


def close(session: Session, cast: Cast) -> Period:
    return periods.close(session, replace(cast.gil, second_factor_at=clock.now()), OCTOBER)


def test_statements_have_to_reach_the_end(session: Session, app: Flask, cast: Cast) -> None:
    bank_says(session, cast.fin, on=THE_30TH)
    on_hold(session, cast)
    with pytest.raises(Refused, match="2345 end on Fri 30 Oct 2026"):
        close(session, cast)
    assert "end on Fri 30 Oct 2026" in words(cast.visitor(app, cast.gil).get("/books/months"))

    # No bank writes a statement for a Saturday: the next one says that nothing is missing.
    bank_says(session, cast.fin, on=THE_2ND)
    assert close(session, cast).state == PeriodState.CLOSED


def test_an_account_that_came_later_is_not_asked(session: Session, app: Flask, cast: Cast) -> None:
    bank_says(session, cast.fin, on=THE_2ND)
    on_hold(session, cast)
    assert close(session, cast).state == PeriodState.CLOSED


def test_open_items_of_the_month_have_to_be_cleared(session: Session, app: Flask, cast: Cast) -> None:
    bank_says(session, cast.fin, Entry(-1_500, "SERVICE CHARGE"), opening=0, on=THE_30TH)
    bank_says(session, cast.fin, Entry(500, "Gift"), opening=-1_500, on=THE_2ND)
    passes.run(session)
    on_hold(session, cast)
    said = "One open item is not cleared: Nobody knows yet, -$15.00, since Fri 30 Oct 2026."
    with pytest.raises(Refused, match="One open item") as refused:
        close(session, cast)
    assert refused.value.sentence.startswith(said)
    # The next month has one of its own, which is no matter of this one.
    assert len(periods.left_to_do(session, date(2026, 11, 1))) == 2


def test_the_site_reads_every_proof_when_it_starts(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(proofs, "every", lambda: asked.append(True))
    create_app(settings.current(), new_session=lambda: session)
    assert asked


def test_every_proof_is_asked_for(session: Session, app: Flask, cast: Cast) -> None:
    on_hold(session, cast)
    balance = StripeBalance(account=None, currency="USD", available=400, pending=0,
                            fetched_at=clock.now() - timedelta(hours=1))  # fmt: skip
    session.add(balance)
    session.commit()
    assert {"P1", "P2", "P3", "P4", "P5", "P6", "P8"} <= {proof.code for proof in periods.before_close}
    answer = cast.visitor(app, cast.gil).post("/books/months/2026-10/closing")
    assert "P2 does not hold" in words(answer)
