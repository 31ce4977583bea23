"""Events of entries, as finance reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import SITE
from marketplace.ledger import chart
from marketplace.ledger.words import event_name
from tests.cast import Cast
from tests.visitor import words


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("refused", "Refused by Stripe, and owed again"),
        ("arrived 2", "Arrived at our bank (2)"),
        ("booked 01a214c2-7322-7468-a816-a8ad48db9741", "Booked by hand"),
        ("undone 01a214c2-7322-7468-a816-a8ad48db9741", "Taken back"),
        ("some_thing new", "Some thing"),
    ],
)
def test_an_event_is_said_in_words(event: str, said: str) -> None:
    assert event_name(event) == said


def test_the_books_say_what_happened(session: Session, app: Flask, cast: Cast) -> None:
    entry = ledger.post(
        session,
        SITE,
        source="topup:1",
        event="sent",
        currency="USD",
        lines=[(chart.stripe_balance(), 500), (chart.owner_capital(), -500)],
        occurred_at=datetime(2026, 10, 20, 12, tzinfo=UTC),
        memo="Capital",
    )
    session.commit()
    fin = cast.visitor(app, cast.fin)

    for path in ("journal", f"journal/{entry.public_id}", "accounts/stripe:balance/USD"):
        assert "Sent by Stripe" in words(fin.get(f"/books/{path}"))
