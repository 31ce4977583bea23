"""Sending a batch while the database refuses some of it: nobody is passed over, nobody is held up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.payments import sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.proofs import PROOFS
from marketplace.payments.states import ItemState
from tests.conftest import Committed
from tests.factories.contracts import MONDAY
from tests.factories.payments import a_paid_deal, a_released_batch, an_approved_week, hire

pytestmark = pytest.mark.committed
FRIDAY = MONDAY + timedelta(days=4)
# A sequence is not undone with its transaction, so that only the first try is refused.
REFUSES = """
CREATE SEQUENCE tries; GRANT USAGE ON SEQUENCE tries TO marketplace_app;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF {when} THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def session(committed: Committed) -> Iterator[Session]:
    """One that really commits, and is really rolled back."""
    with committed.session() as made:
        yield made


@pytest.fixture
def two(session: Session, gateway: Gateway) -> PayoutBatch:
    """A batch that pays Ana and Ben 150 dollars each."""
    with clock.at(MONDAY):
        ana = a_paid_deal(session, gateway)
        ben = hire(session, gateway, ana, "Ben Baker")
    for deal in (ana, ben):
        an_approved_week(session, deal, MONDAY)
    with clock.at(FRIDAY):
        return a_released_batch(session)


def database_refuses(committed: Committed, when: str, code: str) -> None:
    with committed.owner() as owner:
        owner.execute(sa.text(REFUSES.format(when=when, code=code)))
        owner.commit()


def states(session: Session, batch: PayoutBatch) -> list[ItemState]:
    session.expire_all()
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []
    return [item.state for item in batch.items]


@pytest.mark.parametrize("code", ["40001", "40P01"], ids=["serialization", "deadlock"])
def test_a_claim_that_the_database_repeats_draws_once_and_passes_over_nobody(
    committed: Committed, session: Session, gateway: Gateway, two: PayoutBatch, code: str
):
    with clock.at(FRIDAY):
        available = gateway.balance().spendable("USD")["card"]
        # Enough for both, and for nothing else.
        gateway.send_payout("p", amount=available - 300_00, currency="USD", source_type="card", metadata={})
        database_refuses(committed, "nextval('tries') = 1", code)
        assert sending.send_batch(session, gateway, two.public_id) == 2
    assert states(session, two) == [ItemState.SENT, ItemState.SENT]


def test_an_item_that_the_database_never_takes_holds_up_no_other(
    committed: Committed, session: Session, gateway: Gateway, two: PayoutBatch
):
    first = two.items[0].id
    database_refuses(committed, f"NEW.payout_item_id = {first}", "P0001")
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, two.public_id)
    assert states(session, two) == [ItemState.RELEASED, ItemState.SENT]
