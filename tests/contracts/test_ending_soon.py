"""Thirty and ten minutes before a timer stops, its expert is told, once each."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.ending_soon import warn_of_ends
from marketplace.contracts.states import TimeKind
from marketplace.contracts.timer import start_timer, stop_timer
from marketplace.notifications.models import Notification
from tests.factories.contracts import MONDAY, Deal, a_deal

TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture
def deal(session: Session) -> Deal:
    """Two hours a week, and the timer runs."""
    with clock.at(MONDAY):
        made = a_deal(session, hours=2)
    with clock.at(TUESDAY):
        start_timer(session, made.expert, made.contract.public_id, "review")
    return made


def warned(session: Session, *minutes: float) -> list[int]:
    found = []
    for each in minutes:
        with clock.at(TUESDAY + timedelta(minutes=each)):
            found.append(warn_of_ends(session))
    return found


def said(session: Session) -> list[str]:
    query = sa.select(Notification.title).where(Notification.kind.startswith("timer.ends"))
    return list(session.scalars(query.order_by(Notification.id)))


def test_each_warning_comes_once(session: Session, deal: Deal) -> None:
    assert warned(session, 1, 89, 90, 91, 109, 110, 111, 119) == [0, 0, 1, 0, 0, 1, 0, 0]
    assert said(session) == ["Your timer stops in 30 minutes", "Your timer stops in 10 minutes"]
    body = session.scalars(sa.select(Notification.body).where(Notification.kind == "timer.ends_in_10")).one()
    assert "That is where the reserved hours of the week end." in body


def test_whoever_looks_late_is_told_how_long_it_really_is(session: Session, deal: Deal) -> None:
    assert warned(session, 113.5, 119) == [1, 0]
    assert said(session) == ["Your timer stops in 7 minutes"]


def test_the_next_timer_is_warned_of_anew(session: Session, deal: Deal) -> None:
    assert warned(session, 95) == [1]
    with clock.at(TUESDAY + timedelta(minutes=96)):
        stop_timer(session, deal.expert)
    with clock.at(TUESDAY + timedelta(minutes=100)):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    assert warned(session, 101, 102) == [1, 0]


def test_unpaid_time_needs_nothing_reserved(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + timedelta(minutes=10)):
        stop_timer(session, deal.expert)
        start_timer(session, deal.expert, deal.contract.public_id, "review", kind=TimeKind.UNPAID)
    assert warned(session, 95, 119, 300) == [0, 0, 0]
