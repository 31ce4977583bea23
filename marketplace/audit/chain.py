"""A hash chain over rows that are already committed.

Rows get their place after they are committed, by one sealer at a time, so that writing them never waits
for the row before. The trail and the journal are both sealed this way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

START = bytes(32)


@dataclass(frozen=True)
class Link:
    """`row_id` at place `seq`, with `hash` = SHA-256(previous hash, the row in canonical JSON)."""

    seq: int
    row_id: int
    hash: bytes
    previous_hash: bytes


def digest(previous: bytes, row: dict[str, Any]) -> bytes:
    """The hash of `row` following `previous`. Keys are sorted; moments and ids are written as text."""
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False)
    return hashlib.sha256(previous + canonical.encode()).digest()


def extend(seq: int, previous: bytes, rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[Link]:
    """The links for `rows`, going on from place `seq` whose hash is `previous`."""
    for row_id, row in rows:
        seq += 1
        link = Link(seq, row_id, digest(previous, row), previous)
        yield link
        previous = link.hash


def only_sealer(session: Session, name: str) -> bool:
    """Take the lock that one sealer holds until its transaction ends; False when another has it."""
    return bool(session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_key(name)))))


def wait_for_sealer(session: Session, name: str) -> None:
    """Let the sealer that is at work finish, and no other begin until this transaction ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_key(name))))


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
