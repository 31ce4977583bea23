"""Proofs run by themselves, each as often as it should, and raise alarms where they do not hold."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from sqlalchemy.orm import Session

from marketplace import alarms, proofs

# What stops sending is looked at all the time, and again by whoever releases a batch.
CONTINUOUSLY = frozenset({"P1", "P4", "P5", "I4", "I6", "I8", "LT1"})
# What is held against Stripe and the bank, after each fetch; a statement's closing, soon after it came in.
AFTER_FETCHING = frozenset({"P2", "P3", "P6", "P8", "T1", "W1"})


def watch(session: Session, only: Collection[str] | None = None) -> int:
    """Run these proofs, or all, and keep at once what each found as alarms; how many alarms stand of them."""
    return sum(
        alarms.look(session, proof, partial(proofs.look_at_once, session, proof))
        for proof in proofs.every()
        if only is None or proof.code in only
    )
