"""Finance stops sending and lets it go on, of one batch or of all. What is asked of Stripe at that moment is
finished; nothing more begins until somebody who may release lets it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from marketplace import alarms, audit, clock, jobs
from marketplace.actor import FINANCE, Actor, Role
from marketplace.alarms.stops import Stops
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.payments.models import PayoutBatch
from marketplace.payments.runs.models import SendingPause
from marketplace.payments.states import BatchState
from marketplace.text import line

MOST_OF_A_REASON = 500
MAY_BE_PAUSED = (BatchState.RELEASED, BatchState.SENDING)


@use_case
def pause(session: Session, actor: Actor, batch: uuid.UUID | None, reason: str) -> SendingPause:
    """Begin no more transfers of the batch; None: of any. Raises NotFound, Invalid or Refused."""
    actor.require(*FINANCE)
    kept = line(reason)
    if not kept or len(kept) > MOST_OF_A_REASON:
        raise Invalid(_("Say why, in at most 500 characters."), field="reason")
    found = _moving(session, batch) if batch else None
    made = session.scalar(
        insert(SendingPause)
        .values(
            public_id=new_id(), batch_id=found.id if found else None, reason=kept,
            paused_by=actor.id, paused_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(SendingPause.id)
    )  # fmt: skip
    if made is None:
        raise Refused(_("It is paused already. Nothing was changed."))
    lasting = session.get_one(SendingPause, made)
    audit.record(session, actor, "pause", *_subject(lasting), reason=kept)
    return lasting


@use_case
def resume(session: Session, actor: Actor, public_id: uuid.UUID) -> SendingPause:
    """Let it go on, by one who may release. Raises NotFound, NotAllowed, FreshFactorNeeded or Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    found = session.scalars(
        sa.select(SendingPause).filter_by(public_id=public_id).with_for_update(of=SendingPause)
    ).one_or_none()
    if found is None:
        raise NotFound(_("There is no such pause."))
    if found.resumed_at is not None:
        raise Refused(_("Sending goes on already. Nothing was changed."))
    found.resumed_by, found.resumed_at = actor.id, clock.now()
    audit.record(session, actor, "resume", *_subject(found))
    jobs.defer(session, "payments.send_waiting", once="payments.send_waiting")
    return found


def is_paused(session: Session, batch_id: int) -> bool:
    """May nothing more of the batch (internal id) begin now, by a pause or by an alarm?"""
    return bool(session.scalar(sa.select(_still(batch_id))))


def stands_still(session: Session, public_id: uuid.UUID) -> bool:
    """The same between two payments, by the batch's public id; leaves no transaction open."""
    batch = sa.select(PayoutBatch.id).filter_by(public_id=public_id).scalar_subquery()
    paused = session.scalar(sa.select(_still(batch)))
    session.rollback()
    return bool(paused)


def pauses_of(session: Session, batch_id: int | None = None) -> Sequence[SendingPause]:
    """The pauses that hold the batch; without one, those that hold everything."""
    return session.scalars(_lasting(batch_id).options(joinedload(SendingPause.pauser))).all()


def all_pauses(session: Session) -> Sequence[SendingPause]:
    """Every pause that lasts, for those who look whether something stands still."""
    return session.scalars(
        sa.select(SendingPause)
        .where(SendingPause.resumed_at.is_(None))
        .options(joinedload(SendingPause.pauser), joinedload(SendingPause.batch))
        .order_by(SendingPause.id)
    ).all()


def _subject(found: SendingPause) -> tuple[str, uuid.UUID]:
    return ("payout_batch", found.batch.public_id) if found.batch else ("sending_pause", found.public_id)


def _still(batch_id: int | sa.ScalarSelect[int]) -> sa.ColumnElement[bool]:
    paused = sa.exists(_lasting(batch_id).with_only_columns(SendingPause.id))
    return paused | alarms.stops_all(Stops.SENDING) | alarms.stops_all(Stops.TRANSFERS)


def _lasting(batch_id: int | sa.ScalarSelect[int] | None) -> sa.Select[SendingPause]:
    everything = SendingPause.batch_id.is_(None)
    mine = everything if batch_id is None else sa.or_(everything, SendingPause.batch_id == batch_id)
    return sa.select(SendingPause).where(SendingPause.resumed_at.is_(None), mine).order_by(SendingPause.id)


def _moving(session: Session, public_id: uuid.UUID) -> PayoutBatch:
    batch = session.scalars(
        sa.select(PayoutBatch).filter_by(public_id=public_id).with_for_update(key_share=True)
    ).one_or_none()
    if batch is None:
        raise NotFound(_("There is no such batch."))
    if batch.state not in MAY_BE_PAUSED:
        raise Refused(_("Only a batch that is being sent can be paused. Look at it again."))
    return batch
