"""Every proof of every slice, run together."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.proof import Drift, Proof, every, look

__all__ = ["every", "failing", "look_at_once", "run"]


def run(session: Session, only: Collection[str] | None = None) -> Iterator[tuple[Proof, list[Drift]]]:
    """Each proof, or those of these codes, with the drifts that it found: none when it holds."""
    for proof in every():
        if only is not None and proof.code not in only:
            continue
        session.rollback()
        yield proof, look_at_once(session, proof)
    session.rollback()


def look_at_once(session: Session, proof: Proof) -> list[Drift]:
    """Let one proof read everything as of one moment, from now on, while others go on working."""
    bind = session.get_bind()
    if not isinstance(bind, sa.Engine):
        return look(session, proof)
    with Session(bind) as beside:
        beside.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        return look(beside, proof)


def failing(session: Session) -> list[str]:
    """A line for each drift."""
    return [
        f"{proof.code} {drift.subject}: expected {drift.expected}, found {drift.found}"
        for proof, drifts in run(session)
        for drift in drifts
    ]
