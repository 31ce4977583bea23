"""What counts as tying out: every side to the last line, not only in sum."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from marketplace.reconciliation.differences import BankPart, BankSide, StripeSide
from marketplace.reconciliation.models import BankAccount
from marketplace.reconciliation.overview import Overview, headline
from marketplace.reconciliation.states import Kind

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
STRIPE = StripeSide("USD", ledger=500, stripe=500, newer=0, not_booked=0, not_shown=0, as_of=NOW)
PART = BankPart(BankAccount(number="1", currency="USD"), ledger=70, bank=70, unexplained=0, opening=0,
                as_of=NOW.date())  # fmt: skip
BANK = BankSide("USD", ledger=70, in_transit=0, parts=[PART])
AGREED = Overview(
    stripe=[STRIPE], bank=[BANK], accounts=3, off=0, open={Kind.TIMING: 1}, proposed=0, unbooked=[]
)


def test_what_agrees_and_only_waits_for_time_ties_out() -> None:
    assert AGREED.ties_out
    assert headline(AGREED)[0] == "Everything ties out."


@pytest.mark.parametrize(
    "off",
    [
        replace(AGREED, stripe=[replace(STRIPE, stripe=501)]),
        replace(AGREED, stripe=[replace(STRIPE, not_booked=25, not_shown=25)]),
        replace(AGREED, bank=[replace(BANK, ledger=71)]),
        replace(AGREED, bank=[replace(BANK, parts=[replace(PART, unexplained=25, opening=-25)])]),
        replace(AGREED, off=1),
        replace(AGREED, proposed=1),
        replace(AGREED, open={Kind.UNIDENTIFIED: 1}),
    ],
)
def test_nothing_else_does(off: Overview) -> None:
    assert not off.ties_out
    assert headline(off)[0] != "Everything ties out."
