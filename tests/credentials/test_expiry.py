"""Notices 60, 30 and 7 days before, each once; then the end. And the proofs that watch over it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.credentials import proofs, tasks
from marketplace.credentials.models import Credential
from marketplace.credentials.states import CredentialState
from marketplace.notifications.models import Notification
from tests.factories.credentials import a_verified_credential

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


def a_licence_for_100_days(session: Session, ana: Actor, rev: Actor) -> Credential:
    with clock.at(START):
        return a_verified_credential(session, ana, rev, expires_on=(START + timedelta(days=100)).date())


def heads(session: Session, ana: Actor) -> list[str]:
    query = sa.select(Notification.title).filter_by(person_id=ana.id).order_by(Notification.id)
    return [title for title in session.scalars(query) if "expire" in title]


def run_after(session: Session, days: int) -> None:
    with clock.at(START + timedelta(days=days)):
        tasks.expire(session)
        tasks.expire(session)


def test_each_notice_comes_once(session: Session, ana: Actor, rev: Actor) -> None:
    a_licence_for_100_days(session, ana, rev)
    for days in (10, 41, 42, 71, 80, 94):
        run_after(session, days)
    assert heads(session, ana) == [
        "Your credential expires in 59 days",
        "Your credential expires in 29 days",
        "Your credential expires in 6 days",
    ]


def test_a_worker_that_slept_gives_only_the_nearest_notice(session: Session, ana: Actor, rev: Actor) -> None:
    a_licence_for_100_days(session, ana, rev)
    run_after(session, 95)
    assert heads(session, ana) == ["Your credential expires in 5 days"]


def test_it_expires_after_its_last_day_where_it_was_issued(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_licence_for_100_days(session, ana, rev)
    run_after(session, 100)
    assert credential.state is CredentialState.EXPIRING
    run_after(session, 101)
    session.refresh(credential)
    assert credential.state is CredentialState.EXPIRED
    assert heads(session, ana)[-1] == "Your credential has expired"


def test_the_proofs_see_what_the_job_missed(session: Session, ana: Actor, rev: Actor) -> None:
    a_licence_for_100_days(session, ana, rev)
    with clock.at(START + timedelta(days=50)):
        assert list(proofs.verified_are_attested(session)) == []
    with clock.at(START + timedelta(days=103)):
        assert len(list(proofs.verified_are_attested(session))) == 1
    run_after(session, 103)
    with clock.at(START + timedelta(days=103)):
        assert list(proofs.verified_are_attested(session)) == []
        assert list(proofs.expired_do_not_count(session)) == []
