"""One of several processes that post to the same accounts; it knows the ledger and nothing above it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Barrier

from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import SITE
from marketplace.db import new_id, new_session
from marketplace.ledger.chart import Account

SECONDS = 3.0
NOW = datetime(2026, 11, 3, 17, tzinfo=UTC)


def keep_on(how: tuple[str, bool, Barrier]) -> int:
    """Once all are there, post one entry a transaction until the time is over; how many."""
    url, hot, together = how
    word, done = "hot" if hot else "plain", 0
    accounts = [Account(code, f"bench:{word}:{code}", hot) for code in ("2020", "2100", "4010")]
    with new_session(url) as session:
        _post(session, accounts)
        together.wait(120)
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            _post(session, accounts)
            done += 1
    return done


def _post(session: Session, accounts: list[Account]) -> None:
    lines = list(zip(accounts, (620_00, -500_00, -120_00), strict=True))
    ledger.post(
        session, SITE, source=f"bench:{new_id()}", event="approved", currency="USD",
        lines=lines, occurred_at=NOW, memo="One",
    )  # fmt: skip
    session.commit()
