"""Having read a thread, and what somebody has not read yet."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.db import use_case
from marketplace.messages import threads
from marketplace.messages.models import Message, ReadMark, Thread, UnreadThread
from marketplace.messages.threads import Standing
from marketplace.notifications import notices


@use_case
def read(session: Session, actor: Actor, standing: Standing) -> int:
    """Note that the actor has read the thread to its end; the newest message (internal id) read before.

    Who only looks, as an operator does, leaves no mark for the others but an event in the audit trail.
    """
    if not standing.takes_part:
        return _look(session, actor, standing)
    before = _read_up_to(session, standing)
    if _newest(session, standing) > before:
        _mark(session, actor, standing)
    return before


def unread_count(session: Session, actor: Actor) -> int:
    """How many threads the actor has to read."""
    query = (
        sa.select(sa.func.count())
        .select_from(UnreadThread)
        .join(Thread, Thread.id == UnreadThread.thread_id)
        .where(UnreadThread.person_id == actor.id, Thread.visible_to(actor))
    )
    return session.scalar(query) or 0


def new_messages(session: Session, actor: Actor, kind: str, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How many messages the actor has not read, by subject; nothing for one that has none."""
    seen = Message.visible_to(actor)
    query = (
        sa.select(Thread.subject_id, sa.func.count(Message.id))
        .join(UnreadThread, UnreadThread.thread_id == Thread.id)
        .join(Message, (Message.thread_id == Thread.id) & (Message.id >= UnreadThread.from_id))
        .where(UnreadThread.person_id == actor.id, Message.author_id != actor.id, seen)
        .where(Thread.subject_kind == kind, Thread.subject_id.in_(ids))
    )
    rows = session.execute(query.group_by(Thread.subject_id))
    return {row[0]: row[1] for row in rows}


def _look(session: Session, actor: Actor, standing: Standing) -> int:
    newest = _newest(session, standing)
    if newest:
        audit.record(session, actor, "read_messages", standing.kind, standing.subject_id)
    return newest


def _mark(session: Session, actor: Actor, standing: Standing) -> None:
    # Who writes at this moment is waited for: a message that comes after the mark stays unread.
    threads.hold(session, standing)
    session.add(
        ReadMark(
            thread_id=standing.thread_id,
            person_id=actor.id,
            message_id=_newest(session, standing),
            side=standing.side,
            at=clock.now(),
        )
    )
    session.execute(sa.delete(UnreadThread).filter_by(person_id=actor.id, thread_id=standing.thread_id))
    notices.read_about(session, actor.id, standing.path)


def _newest(session: Session, standing: Standing) -> int:
    """The newest message that others wrote; 0 when they have not."""
    query = sa.select(sa.func.max(Message.id)).where(standing.seen, Message.author_id != standing.person_id)
    return session.scalar(query) or 0


def _read_up_to(session: Session, standing: Standing) -> int:
    query = sa.select(sa.func.max(ReadMark.message_id)).filter_by(
        thread_id=standing.thread_id, person_id=standing.person_id
    )
    return session.scalar(query) or 0
