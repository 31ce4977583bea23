"""Recording, sealing and verifying the audit trail."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.audit import chain
from marketplace.audit.models import AuditEvent, AuditSeal
from marketplace.db import use_case
from marketplace.proof import Drift, Proof


def record(
    session: Session, actor: Actor, verb: str, subject_kind: str, subject_id: uuid.UUID, **facts: object
) -> None:
    """Add an event to the running transaction; it is kept exactly when the act itself is."""
    event = AuditEvent(
        at=clock.now(),
        person_id=actor.person_id,
        verb=verb,
        subject_kind=subject_kind,
        subject_id=subject_id,
        request_id=actor.request_id,
        facts={name: _plain(value) for name, value in facts.items()},
    )
    session.add(event)


@use_case
def seal(session: Session, limit: int = 5_000) -> int:
    """Chain up to `limit` committed events that have no place yet; the number of them."""
    if not chain.only_sealer(session, "audit"):
        return 0
    last = session.scalars(sa.select(AuditSeal).order_by(AuditSeal.seq.desc()).limit(1)).first()
    waiting = session.scalars(
        sa.select(AuditEvent)
        .where(~sa.exists().where(AuditSeal.event_id == AuditEvent.id))
        .order_by(AuditEvent.id)
        .limit(limit)
    ).all()
    links = chain.extend(
        last.seq if last else 0, last.hash if last else chain.START, ((e.id, _row(e)) for e in waiting)
    )
    session.add_all(
        AuditSeal(seq=k.seq, event_id=k.row_id, hash=k.hash, previous_hash=k.previous_hash) for k in links
    )
    return len(waiting)


def verify(session: Session) -> Iterator[Drift]:
    """A Drift for each event whose seal does not follow from it and the seal before."""
    previous, seq = chain.START, 0
    pairs = session.execute(
        sa.select(AuditSeal, AuditEvent)
        .outerjoin(AuditEvent, AuditEvent.id == AuditSeal.event_id)
        .order_by(AuditSeal.seq)
        .execution_options(yield_per=1_000)
    )
    for link, event in pairs:
        seq += 1
        found = chain.digest(previous, _row(event)) if event else b""
        if (link.seq, link.previous_hash, link.hash) != (seq, previous, found):
            yield Drift(f"audit event {link.event_id}", link.hash.hex(), found.hex() or "missing")
        previous, seq = link.hash, link.seq


PROOFS = [Proof("A1", "The audit trail is as it was sealed", verify)]


def _row(event: AuditEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": event.at.isoformat(),
        "person": event.person_id,
        "verb": event.verb,
        "subject": [event.subject_kind, str(event.subject_id)],
        "request": event.request_id,
        "facts": event.facts,
    }


def _plain(value: object) -> object:
    return value if isinstance(value, int | bool | list | dict | None) else str(value)
