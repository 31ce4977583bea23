"""The chain over the journal: entries get their place once committed, and `verify` recomputes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import LoaderOption

from marketplace import clock
from marketplace.audit import chain
from marketplace.db import use_case
from marketplace.ledger.models import JournalEntry, JournalSeal, Posting
from marketplace.proof import Drift


@use_case
def seal(session: Session, limit: int = 5_000) -> int:
    """Chain up to `limit` committed entries that have no place yet; the number of them."""
    if not chain.only_sealer(session, "journal"):
        return 0
    last = session.scalars(sa.select(JournalSeal).order_by(JournalSeal.seq.desc()).limit(1)).first()
    waiting = session.scalars(
        sa.select(JournalEntry)
        .where(~sa.exists().where(JournalSeal.entry_id == JournalEntry.id))
        .options(_with_postings())
        .order_by(JournalEntry.id)
        .limit(limit)
    ).all()
    links = chain.extend(
        last.seq if last else 0, last.hash if last else chain.START, ((e.id, _row(e)) for e in waiting)
    )
    now = max(clock.now(), last.sealed_at) if last else clock.now()
    session.add_all(
        JournalSeal(seq=k.seq, entry_id=k.row_id, hash=k.hash, previous_hash=k.previous_hash, sealed_at=now)
        for k in links
    )
    return len(waiting)


def verify(session: Session) -> Iterator[Drift]:
    """A Drift for each sealed entry that is not as it was sealed, or is gone."""
    previous, seq = chain.START, 0
    pairs = session.execute(
        sa.select(JournalSeal, JournalEntry)
        .outerjoin(JournalEntry, JournalEntry.id == JournalSeal.entry_id)
        .options(_with_postings())
        .order_by(JournalSeal.seq)
        .execution_options(yield_per=1_000, populate_existing=True)
    )
    for link, entry in pairs:
        seq += 1
        found = chain.digest(previous, _row(entry)) if entry else b""
        if (link.seq, link.previous_hash, link.hash) != (seq, previous, found):
            subject = f"{entry.source} {entry.event}" if entry else f"entry {link.entry_id}"
            yield Drift(subject, link.hash.hex(), found.hex() or "missing")
        previous, seq = link.hash, link.seq


def _with_postings() -> LoaderOption:
    return selectinload(JournalEntry.postings).options(joinedload(Posting.account))


def _row(entry: JournalEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "source": [entry.source, entry.event],
        "occurred": entry.occurred_at.astimezone(UTC).isoformat(),
        "booked": entry.booked_on.isoformat(),
        "memo": entry.memo,
        "person": entry.person_id,
        "request": entry.request_id,
        "reverses": entry.reverses_id,
        "postings": [[p.id, p.account.key, p.account.code, p.amount, p.currency] for p in entry.postings],
    }
