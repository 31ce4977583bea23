"""What a proof that does not hold makes unsafe, and so stops: exactly that, until it holds again.

See docs/decisions/proofs.md for why. A proof that is not named here only raises its alarm; those that the
close of a month asks for keep it open besides, see `ledger.periods`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from marketplace.i18n import gettext as _


class Stops(StrEnum):
    """What is stopped."""

    NOTHING = "nothing"
    SENDING = "sending"
    TRANSFERS = "transfers"
    ACCOUNT = "account"
    SWEEPS = "sweeps"
    TOP_UPS = "top_ups"
    REFUNDS = "refunds"


STOPS: Mapping[str, Stops] = {
    # Who is owed how much, and what was paid of it, is not certain.
    **dict.fromkeys(
        ("P1", "P4", "P5", "L1", "C3", "C20", "I4", "I5", "I6", "I7", "I8", "I9", "FX1", "H1"),
        Stops.SENDING,
    ),
    # Whether Stripe sent it already is not certain; what it did send is booked as a batch that waits.
    "LT1": Stops.TRANSFERS,
    # Of one connected account what lies there is not certain.
    "P6": Stops.ACCOUNT,
    # Whether what we call ours is ours is not certain.
    **dict.fromkeys(("P2", "P7", "P8", "S1", "C24"), Stops.SWEEPS),
    # What is on its way from the bank to Stripe is not certain.
    "T1": Stops.TOP_UPS,
    # What of a project's money is there and free is not certain.
    **dict.fromkeys(
        (
            "C1",
            "C2",
            "C6",
            "I3",
            "BD1",
            "R1",
            "R2",
            "R3",
            "W1",
            "CB1",
            "CB2",
            "CB3",
            "CB4",
            "CB5",
            "CB6",
            "CD1",
            "CD2",
        ),
        Stops.REFUNDS,
    ),
}


def of(code: str) -> Stops:
    """What the proof of this code stops."""
    return STOPS.get(code, Stops.NOTHING)


def codes(stopped: Stops) -> list[str]:
    """The proofs that stop it."""
    return [code for code, each in STOPS.items() if each is stopped]


def words(stopped: Stops) -> str:
    """What stands still meanwhile, as a sentence."""
    return {
        Stops.NOTHING: _("No money is stopped by it."),
        Stops.SENDING: _("No batch is released and no transfer is sent until it holds again."),
        Stops.TRANSFERS: _("No transfer is sent until it holds again. Batches may be released."),
        Stops.ACCOUNT: _("Nothing is sent to this account until it holds again. All others are paid."),
        Stops.SWEEPS: _("None of our own fees leave Stripe until it holds again. Experts are paid."),
        Stops.TOP_UPS: _("No top-up is released until it holds again."),
        Stops.REFUNDS: _("No refund is released until it holds again. Experts are paid."),
    }[stopped]
