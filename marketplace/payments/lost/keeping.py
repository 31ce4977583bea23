"""Keeping a transfer that Stripe made and the books do not know, so that nothing is sent until they do."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import alarms, audit, clock
from marketplace.actor import SITE
from marketplace.db import new_id
from marketplace.payments import facts
from marketplace.payments.lost.models import LostTransfer
from marketplace.payments.lost.proofs import NOTHING_LOST


def keep(session: Session, found: facts.SentTransfer) -> None:
    """As a row that stands until it is known again or decided about; once for each transfer at Stripe."""
    new = session.scalar(
        insert(LostTransfer)
        .values(
            public_id=new_id(), stripe_id=found.id, amount=found.amount, currency=found.currency,
            destination=found.destination, transfer_group=found.transfer_group,
            destination_payment=found.destination_payment, balance_transaction=found.balance_transaction,
            source_type=found.source_type,
            payout_item=found.payout_item, made_at=datetime.fromtimestamp(found.created, UTC),
            found_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["stripe_id"])
        .returning(LostTransfer.public_id)
    )  # fmt: skip
    if new is not None:
        audit.record(
            session, SITE, "find", "lost_transfer", new, transfer=found.id, amount=found.amount,
            currency=found.currency, destination=found.destination,
        )  # fmt: skip


def look(session: Session) -> int:
    """Stop sending while one stands, and end that when none does; how many stand."""
    return alarms.look(session, NOTHING_LOST, partial(NOTHING_LOST.run, session))
