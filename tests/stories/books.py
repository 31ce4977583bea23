"""The journal of one hour, entry by entry: code, whose account, debit, credit in dollars."""

from __future__ import annotations

from marketplace.money import Money
from tests.ledger.journal import Row

SIGNED: list[Row] = [
    ("funding paid", [
        ("1100", "", "5,000.00", ""),
        ("5010", "", "149.64", ""),
        ("2010", "Lumen", "", "5,000.00"),
        ("4040", "", "", "149.64"),
    ]),
    # Ten hours at $150 and a fee of a fifth, for this week and the next.
    ("reservation reserved", [
        ("2010", "Lumen", "1,800.00", ""),
        ("2020", "Lumen", "", "1,800.00"),
    ]),
    ("reservation reserved", [
        ("2010", "Lumen", "1,800.00", ""),
        ("2020", "Lumen", "", "1,800.00"),
    ]),
]  # fmt: skip
APPROVED: list[Row] = [
    ("approval approved", [
        ("2020", "Lumen", "180.00", ""),
        ("2100", "Ana", "", "150.00"),
        ("4010", "", "", "30.00"),
    ]),
    ("reservation returned", [
        ("2010", "Lumen", "", "1,620.00"),
        ("2020", "Lumen", "1,620.00", ""),
    ]),
]  # fmt: skip
PAID_OUT: list[Row] = [
    ("payout_item released", [
        ("2100", "Ana", "150.00", ""),
        ("2110", "Ana", "", "150.00"),
    ]),
    ("payout_item sent", [
        ("2110", "Ana", "150.00", ""),
        ("1100", "", "", "150.00"),
        ("9110", "Ana", "150.00", ""),
        ("9190", "", "", "150.00"),
    ]),
    # $30.00 of fees; what clients bear of Stripe's price and what Stripe took cancel out.
    ("sweep sent", [
        ("1150", "", "30.00", ""),
        ("1100", "", "", "30.00"),
    ]),
]  # fmt: skip


def arrived(opening: Money) -> list[Row]:
    """What is booked when the second week has begun; `opening` is what the first statement begins with."""
    before = f"{opening.decimal:,}"
    return [
        ("connected_payout created", [
            ("9190", "", "150.00", ""),
            ("9110", "Ana", "", "150.00"),
        ]),
        # The second week has begun, so the third is reserved.
        ("reservation reserved", [
            ("2010", "Lumen", "1,800.00", ""),
            ("2020", "Lumen", "", "1,800.00"),
        ]),
        # What lay at the bank before the first statement was the operator's own.
        ("bank_account opened", [
            ("1010", "", before, ""),
            ("3000", "", "", before),
        ]),
        ("sweep arrived", [
            ("1010", "", "30.00", ""),
            ("1150", "", "", "30.00"),
        ]),
    ]  # fmt: skip
