"""Who is paid and where, as plain rows: for batches of many, where an object for each would take too long."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Person
from marketplace.db import array
from marketplace.payments.models import LIVE_ITEM, ConnectedAccount, PayoutItem
from marketplace.payments.states import TransfersState


class Payee(NamedTuple):
    """A person, by internal id. `busy`: a live item of some batch pays them."""

    id: int
    public_id: uuid.UUID
    full_name: str
    closed_at: datetime | None
    busy: bool


class Door(NamedTuple):
    """A connected account, by internal id: `ready` to be sent to, if nothing else stops it."""

    id: int
    stripe_id: str | None
    ready: bool
    ended_at: datetime | None
    owes: bool


def people(session: Session, ids: Sequence[int]) -> dict[int, Payee]:
    """These people by internal id."""
    live = sa.exists().where(PayoutItem.person_id == Person.id, PayoutItem.state.in_(LIVE_ITEM))
    rows = session.execute(
        sa.select(Person.id, Person.public_id, Person.full_name, Person.closed_at, live).where(
            Person.id == any_of(ids)
        )
    )
    return {row[0]: Payee._make(row) for row in rows}


def doors(session: Session, ids: Sequence[int]) -> dict[int, Door]:
    """These accounts by internal id."""
    rows = session.execute(_doors().where(ConnectedAccount.id == any_of(ids)))
    return {row[1]: Door._make(row[1:]) for row in rows}


def doors_of(session: Session, people: Sequence[int]) -> dict[int, Door]:
    """The account of each of these people (internal ids) who has one."""
    live = ConnectedAccount.ended_at.is_(None)
    rows = session.execute(_doors().where(ConnectedAccount.person_id == any_of(people), live))
    return {row[0]: Door._make(row[1:]) for row in rows}


def any_of(ids: Iterable[int]) -> sa.CollectionAggregate[bool]:
    """One of these, as one parameter however many they are."""
    return sa.any_(sa.cast(sa.literal(array(ids), sa.Text), sa.ARRAY(sa.BigInteger)))


def _doors() -> sa.Select[int, int, str | None, bool, datetime | None, bool]:
    known = sa.and_(
        ConnectedAccount.transfers == TransfersState.ACTIVE, ConnectedAccount.stripe_id.is_not(None)
    )
    return sa.select(
        ConnectedAccount.person_id,
        ConnectedAccount.id,
        ConnectedAccount.stripe_id,
        known,
        ConnectedAccount.ended_at,
        sa.cast(ConnectedAccount.owes, sa.Text) != "{}",
    )
