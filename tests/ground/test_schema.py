"""The schema goes all the way up, and all the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from marketplace import clock, schema
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.taking import hand_in
from marketplace.embedded import ServerError
from tests.conftest import Committed
from tests.factories.contracts import FEE_BPS, MONDAY
from tests.factories.gigs import an_application, an_expert
from tests.factories.sittings import ANSWERS, a_trial, begun

LEFT_OVER = sa.text(
    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
)


def test_down_to_nothing_and_up_again(committed: Committed) -> None:
    with committed.owner() as owner:
        before = owner.scalar(LEFT_OVER)
    schema.downgrade(committed.server.owner_url, "base")
    with committed.owner() as owner:
        assert owner.scalar(LEFT_OVER) == 0
    schema.upgrade(committed.server.owner_url)
    with committed.owner() as owner:
        assert owner.scalar(LEFT_OVER) == before


def test_not_back_to_before_tests_while_one_is_taken(committed: Committed) -> None:
    owner_url, states = committed.server.owner_url, sa.text("SELECT state FROM offers ORDER BY id")
    with committed.session() as session:
        with clock.at(MONDAY):
            trial = a_trial(session)
            ben = an_application(session, an_expert(session, "Ben Expert"), trial.gig).public_id
        with clock.at(MONDAY + timedelta(hours=1)):
            sitting = begun(session, trial).public_id
            ask(session, trial.deal.client, ben, fee_bps=FEE_BPS)
            session.rollback()
        with pytest.raises(ServerError, match=r"taking paid tests \(1\)"):
            schema.downgrade(owner_url, "0037")
        schema.upgrade(owner_url)
        with clock.at(MONDAY + timedelta(hours=1, minutes=30)):
            hand_in(session, trial.ana, sitting, ANSWERS, 0)
        session.rollback()
    schema.downgrade(owner_url, "0037")
    with committed.owner() as owner:
        # What was begun was paid; what was only asked cannot be taken for an offer of work.
        assert list(owner.scalars(states)) == ["accepted", "accepted", "withdrawn"]
        assert set(owner.scalars(sa.text("SELECT state FROM contracts WHERE ended_at IS NOT NULL"))) == {
            "ended"
        }
    schema.upgrade(owner_url)
