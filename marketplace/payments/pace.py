"""How often Stripe may be called, for all workers together: each takes the next free moments beforehand."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace.db import Base, use_case

TRANSFERS = "POST /v1/transfers"

# Seconds that anybody waits at most, also when moments were taken far ahead, as before the clock was set
# back. Well below the time for which a payment is claimed.
MOST_WAIT = 30
# By the database's own clock, which all workers share; the site's may be moved.
TAKE = sa.text("""
    INSERT INTO call_paces AS p (endpoint, next_at)
    VALUES (:endpoint, clock_timestamp() + :all * interval '1 second')
    ON CONFLICT (endpoint) DO UPDATE
        SET next_at = :all * interval '1 second' + least(
            greatest(p.next_at, clock_timestamp()), clock_timestamp() + :most * interval '1 second'
        )
    RETURNING extract(epoch FROM p.next_at - clock_timestamp()) - :all
""")
HOLD = sa.text("""
    INSERT INTO call_paces AS p (endpoint, next_at)
    VALUES (:endpoint, clock_timestamp() + :seconds * interval '1 second')
    ON CONFLICT (endpoint) DO UPDATE SET next_at = greatest(p.next_at, excluded.next_at)
""")


class CallPace(Base):
    """From when on an endpoint may be called again: what was taken before is over then."""

    __tablename__ = "call_paces"

    endpoint: Mapped[str] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]


@use_case
def take(session: Session, endpoint: str, calls: int, spacing: float) -> float:
    """Seconds, at most MOST_WAIT, until the first of so many calls may begin; the others follow, each
    `spacing` seconds later."""
    found = session.execute(
        TAKE, {"endpoint": endpoint, "all": calls * spacing, "most": MOST_WAIT}
    ).scalar_one()
    return max(0.0, float(found))


@use_case
def hold(session: Session, endpoint: str, seconds: float) -> None:
    """Nobody begins a call for so long."""
    session.execute(HOLD, {"endpoint": endpoint, "seconds": seconds})
