"""Above the limit two people release a batch; whatever changes between them voids the first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, settings
from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import Actor, Role
from marketplace.errors import FreshFactorNeeded, NotAllowed, Refused
from marketplace.money import Money
from marketplace.payments import batches
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.runs import confirming
from marketplace.payments.runs.models import ReleaseConfirmation
from marketplace.payments.states import BatchState
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, person_of
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
        assert confirming.lapsed(session, first) is confirming.Lapsed.CHANGED
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


def test_the_word_of_who_may_not_release_any_more_does_not_count(
    session: Session, deal: Deal, desk: Finance, mia: Actor, app, cast
):
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        batches.release_batch(session, desk.gil, batch.public_id)
        ended = {"ended_at": clock.now(), "ended_by": mia.id}
        session.execute(sa.update(RoleGrant).where(RoleGrant.person_id == desk.gil.id).values(**ended))
        session.commit()
        by_mia = {"released_by": mia.id, "released_at": FRIDAY, "state": "released"}
        with pytest.raises(DBAPIError, match="may not release any more"), session.begin_nested():
            session.execute(sa.update(PayoutBatch).values(**by_mia))
        page = words(cast.visitor(app, mia).get(f"/payouts/{batch.public_id}/release"))
        assert "Gil Garnier confirmed it" in page
        assert (
            "but may not release any more. Two people have to look again. It waits for: Mia Moreau." in page
        )
        batches.release_batch(session, mia, batch.public_id)
        assert state_of(session, batch) is BatchState.PREPARED
        first = confirming.first_of(session, batch)
        assert first is not None
        assert first.person_id == mia.id


def test_nor_that_of_somebody_whose_account_is_closed(
    session: Session, deal: Deal, desk: Finance, mia: Actor
):
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        batches.release_batch(session, desk.gil, batch.public_id)
        session.execute(sa.update(Person).where(Person.id == desk.gil.id).values(closed_at=clock.now()))
        session.commit()
        batches.release_batch(session, mia, batch.public_id)
    assert state_of(session, batch) is BatchState.PREPARED


def test_after_three_days_the_first_looks_again(session: Session, deal: Deal, desk: Finance, mia: Actor):
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        batches.release_batch(session, desk.gil, batch.public_id)
    with clock.at(FRIDAY + timedelta(days=3)):
        assert session.scalars(confirming.waiting_for(desk.gil)).all() == [batch]
        again = replace(mia, second_factor_at=clock.now())
        batches.release_batch(session, again, batch.public_id)
        assert state_of(session, batch) is BatchState.PREPARED
        batches.release_batch(session, replace(desk.gil, second_factor_at=clock.now()), batch.public_id)
    assert state_of(session, batch) is BatchState.RELEASED


@pytest.fixture
def two(session: Session, gateway: Gateway, deal: Deal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ben is owed 150 dollars too, and one person releases up to 200."""
    monkeypatch.setattr(confirming, "current", lambda: replace(settings.current(), payout_limit=200_00))
    with clock.at(MONDAY):
        ben = hire(session, gateway, deal, "Ben Baker")
    an_approved_week(session, ben, MONDAY)


def test_a_batch_that_fell_below_the_limit_is_released_by_who_confirmed_it(
    session: Session, deal: Deal, desk: Finance, mia: Actor, two: None, app, cast
):
    with clock.at(FRIDAY + timedelta(minutes=1)):
        batch = prepared(session, desk)
        gil, path = cast.visitor(app, desk.gil), f"/payouts/{batch.public_id}/release"
        gil.post(path, seen=confirming.digest(session, batch).hex())
        batches.cancel_item(session, desk.fin, batch.items[0].public_id)
        assert "but it has changed since" in words(gil.get(path))
        gil.post(path, seen=confirming.digest(session, batch).hex())
    assert state_of(session, batch) is BatchState.RELEASED
    assert confirming.first_of(session, batch) is None


def test_splitting_does_not_avoid_the_limit(
    session: Session, deal: Deal, desk: Finance, mia: Actor, two: None, app, cast
):
    with clock.at(FRIDAY):
        one = prepared(session, desk)
        batches.cancel_item(session, desk.fin, one.items[0].public_id)
        batches.release_batch(session, desk.gil, one.public_id)
        assert state_of(session, one) is BatchState.RELEASED
        other = prepared(session, desk)
        page = words(cast.visitor(app, desk.gil).get(f"/payouts/{other.public_id}/release"))
        assert "You released $150.00 alone in the last 24 hours. Nobody has yet." in page
        batches.release_batch(session, desk.gil, other.public_id)
        assert state_of(session, other) is BatchState.PREPARED
        batches.release_batch(session, mia, other.public_id)
        assert state_of(session, other) is BatchState.RELEASED
        assert not confirming.released_alone(session, mia, "USD"), "two released it"
        assert confirming.released_alone(session, desk.gil, "USD") == Money(150_00, "USD")
        assert not confirming.released_alone(session, desk.gil, "EUR")


def test_a_day_later_one_person_is_enough_again(session: Session, deal: Deal, desk: Finance, two: None):
    with clock.at(FRIDAY):
        one = prepared(session, desk)
        batches.cancel_item(session, desk.fin, one.items[0].public_id)
        batches.release_batch(session, desk.gil, one.public_id)
        other = prepared(session, desk)
    with clock.at(FRIDAY + timedelta(days=1)):
        batches.release_batch(session, replace(desk.gil, second_factor_at=clock.now()), other.public_id)
    assert state_of(session, other) is BatchState.RELEASED


def test_nobody_releases_a_batch_that_pays_them(
    session: Session, deal: Deal, desk: Finance, mia: Actor, app, cast
):
    ana = person_of(session, deal.expert)
    with clock.at(FRIDAY):
        session.add(RoleGrant(person_id=ana.id, role=Role.FINANCE_RELEASER, granted_at=clock.now()))
        session.commit()
        me = an_actor(session, ana)
        batch = prepared(session, desk)
        with pytest.raises(NotAllowed, match="pays you"):
            batches.release_batch(session, me, batch.public_id)
        assert confirming.first_of(session, batch) is None
        assert list(confirming.who_may(session, batch)) == ["Gil Garnier", "Mia Moreau"]
        assert session.scalars(confirming.waiting_for(me)).all() == []
        visitor = cast.visitor(app, me)
        assert "This batch pays you" in words(visitor.get(f"/payouts/{batch.public_id}"))
        assert "Pay $150.00 to" not in words(visitor.get(f"/payouts/{batch.public_id}/release"))
        by_me = {"released_by": me.id, "released_at": FRIDAY, "state": "released"}
        with pytest.raises(DBAPIError, match="pays somebody who lets it go"), session.begin_nested():
            session.execute(sa.update(PayoutBatch).values(**by_me))


def test_nor_one_whose_preparer_it_pays(session: Session, deal: Deal, desk: Finance, mia: Actor, app, cast):
    ana = person_of(session, deal.expert)
    with clock.at(FRIDAY):
        session.add(RoleGrant(person_id=ana.id, role=Role.FINANCE_PREPARER, granted_at=clock.now()))
        session.commit()
        me = an_actor(session, ana)
        batch = batches.prepare_batch(session, me, clock.now())
        with pytest.raises(NotAllowed, match="pays the person who prepared it"):
            batches.release_batch(session, desk.gil, batch.public_id)
        assert "Take that payment out" in words(
            cast.visitor(app, desk.gil).get(f"/payouts/{batch.public_id}")
        )


def test_whoever_sends_no_hash_has_seen_nothing(
    session: Session, deal: Deal, desk: Finance, monkeypatch: pytest.MonkeyPatch, app, cast
):
    monkeypatch.setattr(confirming, "current", settings.current)
    with clock.at(FRIDAY + timedelta(minutes=1)):
        batch = prepared(session, desk)
        gil, path = cast.visitor(app, desk.gil), f"/payouts/{batch.public_id}/release"
        assert "has changed since you opened this page" in words(gil.post(path))
        assert state_of(session, batch) is BatchState.PREPARED
        gil.post(path, seen=confirming.digest(session, batch).hex())
    assert state_of(session, batch) is BatchState.RELEASED
