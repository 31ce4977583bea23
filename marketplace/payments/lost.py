"""What Stripe sent for us and our books have lost, as after a database was restored from a backup.

Before anything is sent, Stripe's newest transfers are looked at until one is met that the books know, which
is the first one as long as nothing was lost. What pays an item that still waits here is recorded. Anything
else raises an alarm that stops sending: whoever was paid by a batch that is gone must not be paid again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms
from marketplace.db import use_case
from marketplace.payments import facts, sending, transfers
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutItem, Transfer
from marketplace.payments.runs.models import SendingPause
from marketplace.payments.states import ItemState, TransferState
from marketplace.proof import Drift, Proof

# So far back it is looked at most; an alarm names far fewer.
MOST = 1_000
KNOWN = (TransferState.SENDING, TransferState.UNKNOWN, TransferState.SENT)
TITLE = "Stripe sent nothing that the books have lost"

log = logging.getLogger(__name__)


def catch_up(session: Session, gateway: Gateway) -> None:
    """Record what Stripe sent for items that wait, and stop sending while it sent anything else of ours.

    Raises the gateway's errors.
    """
    session.rollback()
    drifts = [
        Drift(
            f"transfer {found.id} to {found.destination}",
            "known",
            f"unknown, {found.amount} {found.currency}",
        )
        for found in _unknown(session, gateway)
        if not _adopted(session, found) and not _decided(session, found)
    ]
    if drifts:
        log.error("Stripe sent what the books do not know", extra={"transfers": len(drifts)})
    alarms.record(session, Proof("I4", TITLE, lambda _session: drifts), drifts)


def _unknown(session: Session, gateway: Gateway) -> Iterator[facts.SentTransfer]:
    """Stripe's transfers that we made and do not know, back to the newest one that we do."""
    for found in islice(gateway.transfers(), MOST):
        if found.payout_item is None:
            continue
        state = session.scalar(sa.select(Transfer.state).filter_by(transfer_group=found.transfer_group))
        session.rollback()
        if state in KNOWN:
            return
        yield found


def _adopted(session: Session, found: facts.SentTransfer) -> bool:
    """Record it as sent, when it is exactly what an item that waits here would send next."""
    transfer_id = _take_up(session, found)
    if transfer_id is not None:
        transfers.record_sent(session, transfer_id, found)
        log.warning("A transfer was found again", extra={"transfer": found.id})
    return transfer_id is not None


@use_case
def _take_up(session: Session, found: facts.SentTransfer) -> int | None:
    """The row of the transfer, as it was before Stripe answered; from there it is as any other."""
    item = session.scalars(
        sa.select(PayoutItem)
        .where(PayoutItem.public_id == _uuid(found.payout_item), PayoutItem.state == ItemState.RELEASED)
        .with_for_update(of=PayoutItem)
    ).one_or_none()
    if item is None or item.account is None:
        return None
    tries = [each for each in item.transfers if each.state != TransferState.INTENDED]
    group = sending.group_of(item, len(tries) + 1)
    pays = (item.amount, item.batch.currency, item.account.stripe_id, group)
    if pays != (found.amount, found.currency, found.destination, found.transfer_group):
        return None
    return sending.start(session, item, found.source_type).id


def _decided(session: Session, found: facts.SentTransfer) -> bool:
    """Did somebody who may release pause all sending after it was made, and let it go on?"""
    made = datetime.fromtimestamp(found.created, UTC)
    later = sa.exists().where(
        SendingPause.batch_id.is_(None), SendingPause.paused_at >= made, SendingPause.resumed_at.is_not(None)
    )
    return bool(session.scalar(sa.select(later)))


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None
