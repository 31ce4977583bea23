"""Above the limit two people release a batch; whatever changes between them voids the first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, settings
from marketplace.actor import Actor, Role
from marketplace.errors import FreshFactorNeeded, NotAllowed, Refused
from marketplace.payments import batches
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.runs import confirming
from marketplace.payments.runs.models import ReleaseConfirmation
from marketplace.payments.states import BatchState
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal
from tests.factories.payments import Finance, an_approved_week, hire
from tests.payments.test_pages import one_stripe
from tests.payments.test_paying_out import FRIDAY, deal, desk, prepared
from tests.visitor import words

__all__ = ["deal", "desk", "one_stripe"]


@pytest.fixture(autouse=True)
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One person releases up to 100 dollars."""
    low = replace(settings.current(), payout_limit=100_00)
    monkeypatch.setattr(confirming, "current", lambda: low)


@pytest.fixture
def mia(session: Session, desk: Finance) -> Actor:
    with clock.at(FRIDAY):
        return an_actor(session, a_person(session, "Mia Moreau", Role.FINANCE_RELEASER))


def state_of(session: Session, batch: PayoutBatch) -> BatchState:
    session.refresh(batch)
    return batch.state


def test_the_first_confirms_and_the_second_releases(session: Session, deal: Deal, desk: Finance, mia: Actor):
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        batches.release_batch(session, desk.gil, batch.public_id)
        assert state_of(session, batch) is BatchState.PREPARED
        first = confirming.first_of(session, batch)
        assert first is not None
        assert (first.person_id, first.amount) == (desk.gil.id, 150_00)
        with pytest.raises(NotAllowed, match="You confirmed"):
            batches.release_batch(session, desk.gil, batch.public_id)
        with pytest.raises(FreshFactorNeeded):
            batches.release_batch(session, replace(mia, second_factor_at=None), batch.public_id)
        batches.release_batch(session, mia, batch.public_id)
    assert state_of(session, batch) is BatchState.RELEASED
    assert batch.released_by == mia.id


def test_whoever_prepared_is_neither_of_the_two(session: Session, deal: Deal, desk: Finance, mia: Actor):
    with clock.at(FRIDAY):
        both = an_actor(session, a_person(session, "Bo Both", Role.FINANCE_PREPARER, Role.FINANCE_RELEASER))
        batch = batches.prepare_batch(session, both, clock.now())
        with pytest.raises(NotAllowed):
            batches.release_batch(session, both, batch.public_id)
        assert list(confirming.who_may(session, batch)) == ["Gil Garnier", "Mia Moreau"]
        batches.release_batch(session, desk.gil, batch.public_id)
        assert list(confirming.who_may(session, batch)) == ["Mia Moreau"]
        assert session.scalars(confirming.waiting_for(mia)).all() == [batch]
        assert session.scalars(confirming.waiting_for(desk.gil)).all() == []
        assert session.scalars(confirming.waiting_for(desk.fin)).all() == []


def test_what_changed_after_the_first_voids_the_confirmation(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance, mia: Actor
):
    with clock.at(MONDAY):
        ben = hire(session, gateway, deal, "Ben Baker")
    an_approved_week(session, ben, MONDAY)
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        batches.release_batch(session, desk.gil, batch.public_id)
        first = confirming.first_of(session, batch)
        assert first is not None
        seen = confirming.digest(session, batch).hex()
        batches.cancel_item(session, desk.fin, batch.items[0].public_id)
        assert not confirming.still_counts(session, first)
        with pytest.raises(Refused, match="has changed since"):
            batches.release_batch(session, mia, batch.public_id, seen)
        batches.release_batch(session, mia, batch.public_id)
        assert state_of(session, batch) is BatchState.PREPARED
        session.refresh(first)
        assert first.voided_at is not None
        batches.release_batch(session, desk.gil, batch.public_id)
    assert batch.released_by == desk.gil.id


def test_the_database_keeps_two_people_apart(session: Session, deal: Deal, desk: Finance, mia: Actor):
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        row = {
            "batch_id": batch.id, "at": FRIDAY, "amount": 1, "seen_sha256": b"0" * 32,
            "public_id": batch.public_id,
        }  # fmt: skip
        with pytest.raises(DBAPIError, match="by another"), session.begin_nested():
            session.execute(sa.insert(ReleaseConfirmation).values(person_id=desk.fin.id, **row))
        batches.release_batch(session, desk.gil, batch.public_id)
        by_gil = {"released_by": desk.gil.id, "released_at": FRIDAY, "state": "released"}
        with pytest.raises(DBAPIError, match="another than who confirmed"), session.begin_nested():
            session.execute(sa.update(PayoutBatch).values(**by_gil))
        with pytest.raises(DBAPIError, match="permission denied"), session.begin_nested():
            session.execute(sa.update(ReleaseConfirmation).values(person_id=mia.id))


def test_the_page_says_who_is_missing(session: Session, deal: Deal, desk: Finance, mia: Actor, app, cast):
    with clock.at(FRIDAY + timedelta(minutes=1)):
        batch = prepared(session, desk)
        path = f"/payouts/{batch.public_id}"
        gil, second = cast.visitor(app, desk.gil), cast.visitor(app, mia)
        assert "Nobody has yet. It waits for: Gil Garnier, Mia Moreau" in words(gil.get(f"{path}/release"))
        seen = confirming.digest(session, batch).hex()
        assert "So much needs a second person" in words(gil.post(f"{path}/release", seen=seen))
        assert "It waits for: Mia Moreau." in words(second.get(path))
        assert "Release the batch" not in words(gil.get(path))
        second.post(f"{path}/release", seen=seen)
        page = words(second.get(path))
    assert "Confirmed by" in page
    assert "Released by" in page
