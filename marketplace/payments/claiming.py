"""Taking up, one by one, what was released and has to be sent: for the time of a lease nobody else does.

States have the same words wherever something is sent: released, sending, unknown.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.db import use_case
from marketplace.gigs.find import there
from marketplace.payments.gateway import Gateway
from marketplace.payments.rounds import Round
from marketplace.payments.sending import LEASE
from marketplace.payments.states import move

UNRESOLVED = ("sending", "unknown")


class Sendable(Protocol):
    """Something that two people released, with its tries."""

    id: Any
    public_id: Any
    state: Any
    attempt: Any
    first_tried_at: Any
    tries: Any
    retry_at: Any
    failure: Any


@dataclass(frozen=True)
class Order:
    """A committed row as its call needs it. One that was `tried_before` may be at Stripe already."""

    public_id: uuid.UUID
    key: str
    first_tried_at: datetime
    tried_before: bool


S = TypeVar("S", bound=Sendable)
T = TypeVar("T", bound=Order)


def send_each(
    session: Session,
    gateway: Gateway,
    claim: Callable[[Session], T | None],
    send: Callable[[Session, Gateway, T], None],
) -> int:
    """Claim and send until nothing is due; how many were taken up."""
    session.rollback()
    done, turn = 0, Round(session, gateway)
    for order in turn.over(iter(lambda: claim(session), None)):
        done += 1
        with turn.one(order.public_id):
            send(session, gateway, order)
    return done


def take(
    session: Session, kind: type[S], name: str
) -> tuple[S, tuple[uuid.UUID, str, datetime, bool]] | None:
    """The next that is due, locked and marked as being sent or looked into, and the first fields of its
    order, whose key begins with `name`. None when nothing is due. To be committed before the call."""
    now = clock.now()
    due = sa.or_(kind.retry_at.is_(None), kind.retry_at <= now)
    query = sa.select(kind).where(kind.state.in_(("released", *UNRESOLVED)), due).order_by(kind.id).limit(1)
    found = session.scalars(query.with_for_update(of=kind, skip_locked=True)).one_or_none()
    if found is None:
        return None
    tried_before = found.state in UNRESOLVED
    if not tried_before:
        move(found, type(found.state).SENDING)
    found.first_tried_at = found.first_tried_at or now
    found.tries += 1
    found.retry_at = now + LEASE
    key = f"{name}:{found.public_id}:{found.attempt}"
    return found, (found.public_id, key, found.first_tried_at, tried_before)


def held(session: Session, kind: type[S], public_id: uuid.UUID) -> S | None:
    """The row, locked and read anew."""
    query = sa.select(kind).filter_by(public_id=public_id).with_for_update(of=kind)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


@use_case
def record_unknown(session: Session, kind: type[S], order: Order, code: str) -> None:
    """Nobody knows: it is looked up later, less and less often."""
    thing = there(held(session, kind, order.public_id))
    if thing.state == "sending":
        move(thing, type(thing.state).UNKNOWN)
    thing.failure = code
    thing.retry_at = clock.now() + timedelta(minutes=min(2 ** min(thing.tries, 6), 60))


def send_anew(thing: Sendable, code: str | None, at: datetime) -> None:
    """It was surely not made: it is tried again then, under a new key."""
    move(thing, type(thing.state).RELEASED)
    thing.attempt, thing.first_tried_at = thing.attempt + 1, None
    thing.failure, thing.retry_at = code, at
