"""Finding what Stripe sent for us and our books have lost, as after a restore from a backup.

Before anything is sent, Stripe's transfers are read back to where they were read the last time, and a little
further. A backup knows an older place, so that all since then is read. What is not known is kept as a row,
and while one stands nothing is sent: whoever was paid by a batch that is gone must not be paid again. What
pays an item that still waits here is recorded at once; about anything else two people decide, see `deciding`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.db import use_case
from marketplace.payments import facts, sending, transfers
from marketplace.payments.backfilling import EventsRead
from marketplace.payments.gateway import Gateway
from marketplace.payments.lost import keeping
from marketplace.payments.lost.models import STANDS, LostTransfer
from marketplace.payments.models import PayoutItem, Transfer
from marketplace.payments.states import ItemState, TransferState

# What Stripe lists late, and a clock of ours that is ahead.
OVERLAP = timedelta(hours=1)
AT_ONCE = 100
KNOWN = (TransferState.SENDING, TransferState.UNKNOWN, TransferState.SENT)
LIST = "transfers"

log = logging.getLogger(__name__)


def catch_up(session: Session, gateway: Gateway) -> None:
    """Record what Stripe sent for items that wait, and stop sending while it sent anything else of ours.

    Raises the gateway's errors, and begins at the same place the next time.
    """
    session.rollback()
    now, since = clock.now(), _since(session)
    listed = takewhile(lambda each: each.created >= since, gateway.transfers())
    while some := list(islice(listed, AT_ONCE)):
        _keep_lost(session, [each for each in some if each.payout_item is not None])
    _read_until(session, now)
    for lost in _standing(session):
        _find_again(session, lost)
    if keeping.look(session):
        log.error("Stripe sent what the books do not know")


def _since(session: Session) -> float:
    """From when on it is read, in seconds since 1970; from the first one when it never was."""
    until = session.scalar(sa.select(EventsRead.until).filter_by(source=LIST))
    session.rollback()
    return (until - OVERLAP).timestamp() if until else 0


@use_case
def _keep_lost(session: Session, some: Sequence[facts.SentTransfer]) -> None:
    groups = [each.transfer_group for each in some]
    ids = [each.id for each in some]
    known = set(session.scalars(sa.select(Transfer.transfer_group).where(_known(groups, ids))))
    known_ids = set(session.scalars(sa.select(Transfer.stripe_id).where(_known(groups, ids))))
    for each in some:
        if each.transfer_group not in known and each.id not in known_ids:
            keeping.keep(session, each)


def _known(groups: Sequence[str], ids: Sequence[str]) -> sa.ColumnElement[bool]:
    """By the name that we gave it, or as what it was decided to be."""
    asked = Transfer.transfer_group.in_(groups) & Transfer.state.in_(KNOWN)
    return asked | Transfer.stripe_id.in_(ids)


@use_case
def _read_until(session: Session, until: datetime) -> None:
    new = insert(EventsRead).values(source=LIST, until=until)
    later = sa.func.greatest(EventsRead.until, new.excluded.until)
    session.execute(new.on_conflict_do_update(index_elements=["source"], set_={"until": later}))


def _standing(session: Session) -> Sequence[int]:
    ids = session.scalars(sa.select(LostTransfer.id).where(STANDS).order_by(LostTransfer.id)).all()
    session.rollback()
    return ids


@use_case
def _find_again(session: Session, lost_id: int) -> None:
    """The books may know it by now; or it is exactly what an item that waits here would send next."""
    lost = session.scalars(
        sa.select(LostTransfer).where(LostTransfer.id == lost_id, STANDS).with_for_update(of=LostTransfer)
    ).one_or_none()
    if lost is None:
        return
    if session.scalar(sa.select(sa.exists().where(_known([lost.transfer_group], [lost.stripe_id])))):
        lost.known_at = clock.now()
    elif (item := _that_would_send(session, lost)) is not None:
        transfer = sending.start(session, item, lost.source_type)
        transfers.record_sent(session, transfer.id, lost.sent)
        lost.known_at = clock.now()
        log.warning("A transfer was found again", extra={"transfer": lost.stripe_id})


def _that_would_send(session: Session, lost: LostTransfer) -> PayoutItem | None:
    """The item, locked."""
    item = session.scalars(
        sa.select(PayoutItem)
        .where(PayoutItem.public_id == _uuid(lost.payout_item), PayoutItem.state == ItemState.RELEASED)
        .with_for_update(of=PayoutItem)
    ).one_or_none()
    if item is None or item.account is None:
        return None
    tries = [each for each in item.transfers if each.state != TransferState.INTENDED]
    group = sending.group_of(item, len(tries) + 1)
    pays = (item.amount, item.batch.currency, item.account.stripe_id, group)
    return item if pays == (lost.amount, lost.currency, lost.destination, lost.transfer_group) else None


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
