"""Every proof of every slice, run together."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.proof import Drift, Proof, every

__all__ = ["every", "failing", "run"]


def run(session: Session, only: Collection[str] | None = None) -> Iterator[tuple[Proof, list[Drift]]]:
    """Each proof, or those of these codes, with the drifts that it found: none when it holds."""
    for proof in every():
        if only is not None and proof.code not in only:
            continue
        session.rollback()
        _hold_still(session)
        yield proof, list(proof.run(session))
    session.rollback()


def _hold_still(session: Session) -> None:
    """Let one proof read everything as of one moment, while others go on working."""
    if isinstance(session.get_bind(), sa.Engine):
        session.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


def failing(session: Session) -> list[str]:
    """A line for each drift."""
    return [
        f"{proof.code} {drift.subject}: expected {drift.expected}, found {drift.found}"
        for proof, drifts in run(session)
        for drift in drifts
    ]
