"""What must hold of held accounts at every moment."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.payments.models import ConnectedAccount, Transfer
from marketplace.payments.setup.models import BankHold
from marketplace.proof import Drift, Proof


def nothing_is_sent_while_held(session: Session) -> Iterator[Drift]:
    """F62: no transfer is begun to an account between the start of a hold and its end."""
    # What was denied lasts until two people end it; the rest for its 72 hours, whenever a job noted the end.
    lasts = sa.or_(
        sa.and_(BankHold.denied_at.is_not(None), BankHold.ended_at.is_(None)),
        sa.and_(BankHold.ended_by.is_not(None), Transfer.first_tried_at < BankHold.ended_at),
        sa.and_(BankHold.ended_by.is_(None), Transfer.first_tried_at < BankHold.until),
    )
    rows = session.execute(
        sa.select(Transfer.public_id, BankHold.public_id)
        .join(ConnectedAccount, ConnectedAccount.stripe_id == Transfer.destination)
        .join(BankHold, BankHold.connected_account_id == ConnectedAccount.id)
        .where(Transfer.first_tried_at > BankHold.begun_at, lasts)
    )
    for transfer, hold in rows:
        yield Drift(f"transfer {transfer}", f"nothing sent during hold {hold}", "sent")


PROOFS = [
    Proof("H1", "Nothing is sent to an account whose changed bank is held", nothing_is_sent_while_held),
]
