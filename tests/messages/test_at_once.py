"""A double click, and two who write and read at the same moment, on a database that really commits."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, tasks
from marketplace.actor import Actor
from marketplace.errors import Refused
from marketplace.messages import reading, threads
from marketplace.messages.models import Message, ReadMark, Thread, UnreadThread
from marketplace.messages.sending import send
from marketplace.notifications.models import Notification
from tests.conftest import Committed
from tests.factories.contracts import MONDAY, a_deal

pytestmark = pytest.mark.committed
CLICKS = 4


def a_contract(committed: Committed) -> tuple[Actor, Actor, uuid.UUID]:
    tasks.register()
    with committed.session() as session, clock.at(MONDAY):
        deal = a_deal(session)
        return deal.expert, deal.client, deal.contract.public_id


def at_once(committed: Committed, acts: list[Callable[[Session], object]]) -> None:
    def run(act: Callable[[Session], object]) -> None:
        with committed.session() as session, clock.at(MONDAY):
            # On a slow machine some wait for their turn longer than the database lets them.
            for _try in range(20):
                try:
                    act(session)
                except Refused:
                    continue
                return

    with ThreadPoolExecutor(len(acts)) as pool:
        list(pool.map(run, acts))


def writing(actor: Actor, contract: uuid.UUID, key: uuid.UUID | None = None) -> Callable[[Session], object]:
    return lambda session: send(session, actor, "contract", contract, key or uuid.uuid4(), "Hello.")


def opening(actor: Actor, contract: uuid.UUID) -> Callable[[Session], object]:
    return lambda session: reading.read(session, actor, threads.stand(session, actor, "contract", contract))


def count(session: Session, table: type, **which: object) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table).filter_by(**which)) or 0


def test_clicks_at_the_same_moment_send_once(committed: Committed) -> None:
    ana, carla, contract = a_contract(committed)
    key = uuid.uuid4()
    at_once(committed, [writing(ana, contract, key)] * CLICKS)
    with committed.session() as session:
        assert (count(session, Thread), count(session, Message)) == (1, 1)
        assert count(session, Notification, person_id=carla.id, kind="message.written") == 1


def test_whatever_is_not_marked_as_read_stays_unread(committed: Committed) -> None:
    """Reading and writing cross: either the mark covers the last message, or the thread is unread."""
    ana, carla, contract = a_contract(committed)
    for _round in range(3):
        at_once(committed, [writing(ana, contract), opening(carla, contract), writing(ana, contract)])
        with committed.session() as session:
            newest = session.scalar(sa.select(sa.func.max(Message.id)))
            marks = sa.select(sa.func.max(ReadMark.message_id)).filter_by(person_id=carla.id)
            assert (session.scalar(marks) == newest) != bool(count(session, UnreadThread, person_id=carla.id))
