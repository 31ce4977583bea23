"""One of several processes that post to the same accounts; it knows the ledger and nothing above it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from threading import Barrier

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import SITE
from marketplace.db import new_id, new_session
from marketplace.ledger.chart import Account

SECONDS = 3.0
NOW = datetime(2026, 11, 3, 17, tzinfo=UTC)
NOTE = sa.text("INSERT INTO bare_notes DEFAULT VALUES")


def keep_on(how: tuple[str, str, Barrier]) -> int:
    """Once all are there, post one entry a transaction until the time is over; how many. As the `floor`, one
    row is written into a table that has nothing to check."""
    url, way, together = how
    accounts = [Account(code, f"bench:{way}:{code}", way == "hot") for code in ("2020", "2100", "4010")]
    work, done = _note if way == "floor" else partial(_post, accounts=accounts), 0
    with new_session(url) as session:
        work(session)
        together.wait(120)
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            work(session)
            done += 1
    return done


def _note(session: Session) -> None:
    session.execute(NOTE)
    session.commit()


def _post(session: Session, accounts: list[Account]) -> None:
    lines = list(zip(accounts, (620_00, -500_00, -120_00), strict=True))
    ledger.post(
        session, SITE, source=f"bench:{new_id()}", event="approved", currency="USD",
        lines=lines, occurred_at=NOW, memo="One",
    )  # fmt: skip
    session.commit()
