"""Stripe made a transfer of which the books had said that nothing left: its pay is owed again, and perhaps
paid again by now. No known way leads there; should one, nothing more is sent until people have decided."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms, audit, clock
from marketplace.actor import SITE
from marketplace.payments import facts
from marketplace.payments.models import PayoutItem, Transfer
from marketplace.payments.runs.models import SendingPause
from marketplace.proof import Drift, Proof

MADE_AFTER_ALL = "made_after_all"

log = logging.getLogger(__name__)


def note(session: Session, transfer: Transfer, item: PayoutItem, made: facts.SentTransfer) -> None:
    """Keep that Stripe made it, and stop sending. Once."""
    if transfer.failure == MADE_AFTER_ALL:
        return
    transfer.failure, item.changed_at = MADE_AFTER_ALL, clock.now()
    session.flush()
    log.error("Stripe made what the books had let go", extra={"transfer": made.id, "item": item.public_id})
    audit.record(session, SITE, "find_out", "payout_item", item.public_id, transfer=made.id)
    alarms.record(session, PROOF, made_after_all(session))


def made_after_all(session: Session) -> Iterator[Drift]:
    """I10: what failed was not made. Whoever may release says that it was looked into by pausing all sending
    and letting it go on."""
    decided = sa.exists().where(
        SendingPause.batch_id.is_(None),
        SendingPause.paused_at >= PayoutItem.changed_at,
        SendingPause.resumed_at.is_not(None),
    )
    rows = session.scalars(
        sa.select(Transfer).join(Transfer.item).where(Transfer.failure == MADE_AFTER_ALL, ~decided)
    )
    for each in rows:
        subject = f"transfer {each.transfer_group} to {each.destination}"
        yield Drift(subject, "not made", f"made, {each.amount} {each.currency}")


PROOF = Proof("I10", "What was let go was not made at Stripe after all", made_after_all)
