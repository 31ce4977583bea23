"""What must hold of what Stripe sent for us."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.payments.lost.models import STANDS, LostTransfer
from marketplace.proof import Drift, Proof


def the_books_know_every_transfer(session: Session) -> Iterator[Drift]:
    """LT1: what was found at Stripe and lost here is known again, or two people decided about it."""
    for each in session.scalars(sa.select(LostTransfer).where(STANDS).order_by(LostTransfer.id)):
        yield Drift(
            f"transfer {each.stripe_id} to {each.destination}",
            "known",
            f"unknown, {each.amount} {each.currency}",
        )


NOTHING_LOST = Proof("LT1", "Stripe sent nothing that the books have lost", the_books_know_every_transfer)
PROOFS = [NOTHING_LOST]
