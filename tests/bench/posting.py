"""One of several processes that post to the same accounts; it knows the ledger and nothing above it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from marketplace import ledger
from marketplace.actor import SITE
from marketplace.db import new_id, new_session
from marketplace.ledger.chart import Account

SECONDS = 3.0
NOW = datetime(2026, 11, 3, 17, tzinfo=UTC)


def warm(url: str) -> None:
    """Connect, and make the accounts."""
    keep_on((url, True), 0.5)


def keep_on(how: tuple[str, bool], seconds: float = SECONDS) -> int:
    """Post one entry a transaction until the time is over; how many."""
    url, hot = how
    word, done = "hot" if hot else "plain", 0
    accounts = [Account(code, f"bench:{word}:{code}", hot) for code in ("2020", "2100", "4010")]
    until = time.perf_counter() + seconds
    with new_session(url) as session:
        while time.perf_counter() < until:
            lines = list(zip(accounts, (620_00, -500_00, -120_00), strict=True))
            ledger.post(
                session, SITE, source=f"bench:{new_id()}", event="approved", currency="USD",
                lines=lines, occurred_at=NOW, memo="One",
            )  # fmt: skip
            session.commit()
            done += 1
    return done
