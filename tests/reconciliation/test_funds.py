"""What lies at Stripe is kept by the source type that it can be spent from."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.payments.facts import of_balance
from marketplace.reconciliation import fetching
from marketplace.reconciliation.models import StripeFunds


def kept(session: Session) -> dict[str, tuple[int, int]]:
    rows = session.scalars(sa.select(StripeFunds)).all()
    return {each.source_type: (each.available, each.pending) for each in rows}


def says(available: dict[str, int], pending: dict[str, int]) -> dict[str, object]:
    """Stripe's answer, in dollars."""
    sides = {"available": available, "pending": pending}
    return {
        side: [{"amount": sum(parts.values()), "currency": "usd", "source_types": parts}]
        for side, parts in sides.items()
    }


def test_the_parts_of_the_platforms_balance_are_kept_as_last_said(session: Session) -> None:
    answer = says({"card": 700, "bank_account": 300}, {"card": 50, "bank_account": 0})
    fetching.keep_balance(session, None, of_balance(answer))
    assert kept(session) == {"card": (700, 50), "bank_account": (300, 0)}
    fetching.keep_balance(session, None, of_balance(says({"card": 10}, {"card": 5})))
    assert kept(session) == {"card": (10, 5), "bank_account": (0, 0)}


def test_an_experts_balance_is_none_of_the_platforms(session: Session) -> None:
    fetching.keep_balance(session, "acct_1", of_balance(says({"card": 700}, {"card": 0})))
    assert kept(session) == {}
