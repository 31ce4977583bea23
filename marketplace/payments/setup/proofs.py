"""What must hold of held accounts at every moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.payments.models import ConnectedAccount, Transfer
from marketplace.payments.setup.models import BankHold
from marketplace.proof import Drift, Proof


def nothing_is_sent_while_held(session: Session) -> Iterator[Drift]:
    """F62: no transfer is begun, or tried again, between the start of a hold and its end: none to the account
    that is held, and once the change was denied, none to any other of the person."""
    held, to = sa.orm.aliased(ConnectedAccount), sa.orm.aliased(ConnectedAccount)
    rows = session.execute(
        sa.select(Transfer.public_id, BankHold.public_id)
        .join(to, to.stripe_id == Transfer.destination)
        .join(held, held.person_id == to.person_id)
        .join(BankHold, BankHold.connected_account_id == held.id)
        .where(
            sa.or_(
                *(
                    _within(moment, sa.case((held.id == to.id, BankHold.begun_at), else_=BankHold.denied_at))
                    for moment in (Transfer.first_tried_at, Transfer.last_tried_at)
                )
            )
        )
    )
    for transfer, hold in rows:
        yield Drift(f"transfer {transfer}", f"nothing sent during hold {hold}", "sent")


def _within(
    moment: sa.orm.InstrumentedAttribute[datetime | None], begin: sa.ColumnElement[datetime | None]
) -> sa.ColumnElement[bool]:
    """Was it done after the begin of the hold, and before its end?"""
    # What was denied lasts until two people end it; the rest for its 72 hours, whenever a job noted the end.
    lasts = sa.or_(
        sa.and_(BankHold.denied_at.is_not(None), BankHold.ended_at.is_(None)),
        sa.and_(BankHold.ended_by.is_not(None), moment < BankHold.ended_at),
        sa.and_(BankHold.ended_by.is_(None), moment < BankHold.until),
    )
    return sa.and_(moment > begin, lasts)


PROOFS = [
    Proof("H1", "Nothing is sent to an account whose changed bank is held", nothing_is_sent_while_held),
]
