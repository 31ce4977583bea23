"""Paying many experts: preparing and releasing a batch, and sending it to a Stripe in memory.

The floor of preparing is the same items and approvals written into the same tables by one statement each, as
the owner, without looking at anything. `BENCH_PEOPLE` says how many experts are owed a week (default 2,000;
the promise is for 100,000), `BENCH_SENT` how many of them are sent (default 400). The peer of sending is the
bare call in one thread, which costs what the official client costs. `BENCH_LIMITED` says for how many
seconds it is sent at 25 a second with a fifth of a second of latency (default 8).

Rows that end in "a second" are rates, and "MB" is the memory of the process at its highest.
"""

from __future__ import annotations

import os
import resource
import time
import uuid
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from threading import Barrier

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, embedded, schema, settings
from marketplace.actor import Role
from marketplace.db import new_session
from marketplace.payments import batches, sending, tasks
from marketplace.payments.facts import Balance, SentTransfer
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from tests.bench import Row, payables
from tests.factories.accounts import a_person, an_actor
from tests.factories.payments import finance

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "2000"))
SENT = int(os.environ.get("BENCH_SENT", "400"))
LIMITED = int(os.environ.get("BENCH_LIMITED", "8"))
RATE, LATENCY, CLIENT = 25, 0.2, 0.0015
assert tasks

FLOOR = (
    """INSERT INTO payout_items (public_id, batch_id, person_id, connected_account_id, amount, state,
        frozen_sha256, changed_at)
    SELECT uuidv7(), %(batch)s, c.person_id, c.id, 15000, 'prepared', sha256(c.stripe_id::bytea), now()
    FROM connected_accounts c""",
    """INSERT INTO payout_item_approvals (payout_item_id, approval_id, amount)
    SELECT i.id, a.id, a.expert_amount FROM payout_items i JOIN contracts c USING (person_id)
    JOIN timesheets t ON t.contract_id = c.id JOIN approvals a ON a.timesheet_id = t.id
    WHERE i.batch_id = %(batch)s""",
)


class Quick(Gateway):
    """Stripe without a wire: the client's share of the processor, then as long as an answer takes."""

    def __init__(self, latency: float = 0.0, spacing: float = 0.0) -> None:
        super().__init__("sk_test_bench", "http://localhost:1", spacing)
        self._latency = latency

    def balance(self, account: str | None = None) -> Balance:
        return Balance({"USD": {"card": 10**12}}, {})

    def send_transfer(self, key: str, **asked: object) -> SentTransfer:
        until = time.thread_time() + CLIENT
        while time.thread_time() < until:
            pass
        time.sleep(self._latency)
        amount, to, group = int(str(asked["amount"])), str(asked["destination"]), str(asked["group"])
        return SentTransfer(f"tr_{key}", amount, "USD", to, group, f"py_{key}", f"txn_{key}")


def rows() -> Iterator[Row]:
    server = embedded.ensure(settings.current())
    try:
        schema.upgrade(server.owner_url)
        plain = server.owner_url.replace("postgresql+psycopg", "postgresql")
        with new_session(server.app_url) as session, psycopg.connect(plain, autocommit=True) as owner:
            payables.owed(session, owner, PEOPLE)
            yield from _prepared(session, owner)
            yield from _sent(session, server.app_url)
    finally:
        server.stop()


def _prepared(session: Session, owner: psycopg.Connection) -> Iterator[Row]:
    with clock.at(payables.WHEN):
        desk = finance(session)
        mia = an_actor(session, a_person(session, "Mia Moser", Role.FINANCE_RELEASER))
        session.commit()
        started = time.perf_counter()
        made = batches.prepare_batch(session, desk.fin, clock.now())
        yield _took(f"prepare {PEOPLE:,} experts", started)
        yield _floor(owner, made)
        started = time.perf_counter()
        # So much needs two.
        for actor in (desk.gil, mia):
            batches.release_batch(session, actor, made.public_id)
        yield _took("confirm, then release them", started)
        # As the server does by itself soon after.
        owner.execute("ANALYZE")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield Row("the most memory, with what made the crowd, MB", 1, memory, memory)


def _floor(owner: psycopg.Connection, made: PayoutBatch) -> Row:
    """Written once more, into a batch of its own, and undone."""
    with owner.transaction(force_rollback=True):
        owner.execute("DELETE FROM payout_item_approvals")
        owner.execute("DELETE FROM payout_items")
        started = time.perf_counter()
        for statement in FLOOR:
            owner.execute(statement, {"batch": made.id})
        return _took("floor: the same rows in two statements", started)


def _took(what: str, started: float) -> Row:
    took = (time.perf_counter() - started) * 1000
    return Row(what, 1, took, took)


def _sent(session: Session, url: str) -> Iterator[Row]:
    batch = session.scalars(sa.select(PayoutBatch.public_id)).one()
    session.rollback()
    bare, order = Quick(), {"amount": 1, "destination": "acct", "group": "item"}
    started = time.perf_counter()
    for n in range(SENT):
        bare.send_transfer(str(n), **order)
    yield _rate("floor: bare calls in one thread, a second", [(SENT, time.perf_counter() - started)])
    for workers in (1, 2):
        together = get_context("spawn").Manager().Barrier(workers)
        with get_context("spawn").Pool(workers) as pool:
            found = pool.starmap(_work, [(url, batch, SENT, together)] * workers, chunksize=1)
        yield _rate(f"sent and recorded, {workers} at work, a second", found)
    found = [_work(url, batch, RATE * LIMITED, None, LATENCY, 1 / RATE)]
    yield _rate("sent at 25 a second and 200 ms, a second", found)


def _work(
    url: str, batch: uuid.UUID, many: int, together: Barrier | None, latency: float = 0, spacing: float = 0
) -> tuple[int, float]:
    """How many were sent, and in how many seconds."""
    every = sending._released
    # Whoever has not been sent by then is left for the next row.
    sending._released = lambda *about: every(*about)[:many]
    try:
        with new_session(url) as session, clock.at(payables.WHEN):
            session.execute(sa.text("SELECT 1"))
            if together is not None:
                together.wait(120)
            started = time.perf_counter()
            made = sending.send_batch(session, Quick(latency, spacing), batch)
            return made, time.perf_counter() - started
    finally:
        sending._released = every


def _rate(what: str, found: Sequence[tuple[int, float]]) -> Row:
    rate = sum(made for made, _took in found) / max(took for _made, took in found)
    return Row(what, sum(made for made, _took in found), rate, rate)
