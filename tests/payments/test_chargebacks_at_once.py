"""Two workers, and one who signs, at the moment of a chargeback, on a database that really commits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.models import Person
from marketplace.errors import Refused
from marketplace.ledger import chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.payments import tasks
from marketplace.payments.chargebacks import failures, recording
from marketplace.payments.chargebacks.models import Chargeback, ChargebackMove
from marketplace.payments.chargebacks.proofs import PROOFS
from marketplace.payments.facts import ChargeFailure
from tests.conftest import Committed
from tests.factories.accounts import an_actor
from tests.factories.chargebacks import a_dispute, a_move, a_paid_lot
from tests.factories.contracts import MONDAY, an_offer, sign
from tests.factories.gigs import a_client, a_gig, a_project, an_expert

assert tasks
pytestmark = pytest.mark.committed


@pytest.fixture
def session(committed: Committed) -> Iterator[Session]:
    with committed.session() as made:
        yield made


def at_once(committed: Committed, act, times: int = 4) -> list[str]:
    def run(_number: int) -> str:
        with committed.session() as mine, clock.at(MONDAY):
            act(mine)
            return "done"

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(run, range(times)))


def drifts(session: Session) -> list[object]:
    return [drift for proof in (*PROOFS, *LEDGER_PROOFS) for drift in proof.run(session)]


@pytest.fixture
def lot(session: Session):
    with clock.at(MONDAY):
        client, organization = a_client(session)
        return a_paid_lot(session, client, a_project(session, client, organization), 5_000_00)


@pytest.mark.parametrize("status", ["needs_response", "lost"])
def test_f24_copies_at_once_book_once(committed: Committed, session: Session, lot, status: str) -> None:
    found = a_dispute(lot, status, moves=(a_move("a", -3_000_00, 15_00), a_move("b", -2_000_00)))
    session.commit()
    assert at_once(committed, lambda mine: recording.record(mine, found)) == ["done"] * 4
    assert session.scalar(sa.select(sa.func.count()).select_from(Chargeback)) == 1
    assert session.scalar(sa.select(sa.func.count()).select_from(ChargebackMove)) == 2
    assert drifts(session) == []


def test_f49_copies_at_once_book_once(committed: Committed, session: Session, lot) -> None:
    failure = ChargeFailure(lot.charge, None, "insufficient_funds", a_move("gone", -5_000_00))
    session.commit()
    assert at_once(committed, lambda mine: failures.record_failure(mine, failure)) == ["done"] * 4
    assert len(ledger.entries_for(session, "funding_failure:")) == 1
    assert drifts(session) == []


def test_who_signs_meanwhile_and_what_is_set_aside_never_take_the_same_money(
    committed: Committed, session: Session, lot
) -> None:
    """3,600.00 of 5,000.00 are reserved or set aside, never both."""
    with clock.at(MONDAY):
        project = lot.project
        client = an_actor(session, session.get_one(Person, lot.created_by))
        offer = an_offer(session, client, expert := an_expert(session), a_gig(session, client, project))
        found = a_dispute(lot, moves=(a_move("a", -5_000_00, 15_00),))
        session.commit()

    def act(mine: Session) -> None:
        recording.record(mine, found)

    def signs(mine: Session) -> None:
        with suppress(Refused):
            sign(mine, expert, offer)

    with ThreadPoolExecutor(2) as threads:
        for each in [threads.submit(at_once, committed, what, 1) for what in (act, signs)]:
            assert each.result() == ["done"]
    reserved = -ledger.balance(session, chart.project_reserved(project.public_id), "USD")
    aside = -ledger.balance(session, chart.set_aside(project.public_id), "USD")
    assert (reserved, aside) in ((0, 5_000_00), (3_600_00, 1_400_00))
    assert drifts(session) == []
