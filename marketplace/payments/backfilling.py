"""After an outage: Stripe gives up on an event in the end, but its list knows all of the last 30 days.

Where the list was read to is kept, and it is read on from a little before that: what is listed late is found,
and what is found twice is stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace import clock
from marketplace.db import Base, use_case
from marketplace.payments import facts
from marketplace.payments.events import Source, store_events
from marketplace.payments.gateway import Gateway

OVERLAP = timedelta(minutes=10)
# How far the first look goes back.
AT_FIRST = timedelta(days=1)
# Stripe lists no older ones.
LISTED = timedelta(days=30)
AT_ONCE = 500


class EventsRead(Base):
    """Until when one of Stripe's lists was read: its events, and its transfers (`lost.finding`)."""

    __tablename__ = "events_read"

    source: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


def backfill(session: Session, gateway: Gateway) -> int:
    """Store every event that nobody told us of; how many there were. Applying them is for the worker.

    Raises GatewayError, and begins at the same place the next time.
    """
    session.rollback()
    now, new = clock.now(), 0
    listed = iter(gateway.events(_since(session, now)))
    while some := list(islice(listed, AT_ONCE)):
        new += _store(session, some)
    _read_until(session, now)
    return new


def _store(session: Session, notices: Sequence[facts.Notice]) -> int:
    ours = [each for each in notices if each.account is None]
    theirs = [each for each in notices if each.account is not None]
    new = store_events(session, Source.PLATFORM, ours) if ours else 0
    return new + (store_events(session, Source.CONNECT, theirs) if theirs else 0)


def _since(session: Session, now: datetime) -> datetime:
    until = session.scalar(sa.select(EventsRead.until).filter_by(source=Source.PLATFORM.value))
    session.rollback()
    return max(until - OVERLAP, now - LISTED) if until else now - AT_FIRST


@use_case
def _read_until(session: Session, moment: datetime) -> None:
    session.execute(
        insert(EventsRead)
        .values(source=Source.PLATFORM.value, until=moment)
        .on_conflict_do_update(index_elements=["source"], set_={"until": moment})
    )
