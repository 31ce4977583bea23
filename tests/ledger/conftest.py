"""People of finance, and a little history."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor, Grant, Role
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry

PREPARE, RELEASE = Grant(Role.FINANCE_PREPARER), Grant(Role.FINANCE_RELEASER)


@pytest.fixture
def fin() -> Actor:
    """Fin prepares."""
    return Actor(1, "Fin", frozenset({PREPARE}), second_factor_at=clock.now())


@pytest.fixture
def gil() -> Actor:
    """Gil releases, and may prepare too."""
    return Actor(2, "Gil", frozenset({PREPARE, RELEASE}), second_factor_at=clock.now())


def book(session: Session, source: str, amount: int, at: datetime) -> JournalEntry:
    """Capital of `amount` put into the Stripe balance."""
    lines = [(chart.stripe_balance(), amount), (chart.owner_capital(), -amount)]
    return ledger.post(
        session,
        SITE,
        source=source,
        event="paid",
        currency="USD",
        lines=lines,
        occurred_at=at,
        memo="Capital",
    )
