"""What Stripe tells: how long a delivery waits for its answer, and how fast what waits is drained.

A delivery goes through the whole site, without a wire; its floor is one row a commit by a session of the
same kind. Draining asks a Stripe in memory, with the official client's share of the processor, and its floor
is those calls alone. `BENCH_EVENTS` says how many are delivered, and how many drained (default 500).

Rows that end in "a second" are rates: the same number twice, since there is one run.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import sqlalchemy as sa
import stripe as library
from sqlalchemy.orm import Session

from marketplace import clock, embedded, schema, settings
from marketplace.app import create_app
from marketplace.db import new_session
from marketplace.payments import events, facts, tasks, webhooks
from marketplace.payments.facts import Account, Balance, Bank
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount
from marketplace.settings import Settings
from tests.bench import Row, payables

EVENTS = int(os.environ.get("BENCH_EVENTS", "500"))
SECRET = "whsec_bench"
CLIENT = 0.0015
NOTE = sa.text("INSERT INTO bare_notes DEFAULT VALUES")
BARE = "CREATE TABLE bare_notes (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now())"
assert tasks


class Quick(Gateway):
    """Stripe without a wire: every account may be sent transfers, and none has a bank that we know."""

    def __init__(self) -> None:
        super().__init__("sk_test_bench", "http://localhost:1", 0)

    def account(self, account_id: str) -> Account:
        _spend()
        return Account(account_id, "active", (), closed=False)

    def banks(self, account_id: str) -> list[Bank]:
        _spend()
        return []

    def balance(self, account: str | None = None) -> Balance:
        _spend()
        return Balance({}, {})


def rows() -> Iterator[Row]:
    chosen = settings.current()
    server = embedded.ensure(chosen)
    try:
        schema.upgrade(server.owner_url)
        plain = server.owner_url.replace("postgresql+psycopg", "postgresql")
        with new_session(server.app_url) as session, psycopg.connect(plain, autocommit=True) as owner:
            owner.execute(BARE)
            payables.owed(session, owner, EVENTS)
            secured = replace(chosen, stripe_platform_secret=(SECRET,))
            yield from _answered(session, secured, server.app_url)
            yield from _drained(session)
    finally:
        server.stop()


def _answered(session: Session, chosen: Settings, url: str) -> Iterator[Row]:
    """Both take turns, so that what else the machine does meets them all."""
    webhooks.current = lambda: chosen
    client = create_app(chosen, new_session=lambda: new_session(url)).test_client()
    times: dict[str, list[float]] = {"floor: one row a commit": [], "a delivery, answered": []}
    for number in range(EVENTS + 20):
        body = _event(f"evt_told_{number}", "invoice.created", f"in_{number}")
        signed = library.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))

        def deliver(body: str = body, signed: str = signed) -> None:
            answer = client.post("/stripe/webhooks/platform", data=body, headers={"Stripe-Signature": signed})
            assert answer.status_code == 200, answer.text

        for what, act in zip(times, (lambda: _note(session), deliver), strict=True):
            times[what].append(_took(act))
    for what, all_of_them in times.items():
        found = sorted(all_of_them[20:])  # the first are to warm up
        yield Row(what, EVENTS, found[0], statistics.median(found), found[int(len(found) * 0.99)])


def _drained(session: Session) -> Iterator[Row]:
    gateway = Quick()
    with clock.at(payables.WHEN):
        waits = _took(lambda: _all_drained(session, gateway, EVENTS))
        yield _rate("kept and noted, nothing to ask, a second", EVENTS, waits)
        ids = session.scalars(sa.select(ConnectedAccount.stripe_id).limit(EVENTS)).all()
        told = [_notice(f"evt_account_{n}_{id_}", "account.updated", id_) for id_ in ids for n in range(3)]
        events.store_events(session, events.Source.CONNECT, told)
        calls = _took(lambda: [_spend() for _call in range(3 * len(ids))])
        yield _rate("floor: the calls alone, objects a second", len(ids), calls)
        took = _took(lambda: _all_drained(session, gateway, len(told)))
        yield _rate("asked about and applied, objects a second", len(ids), took)
        yield _rate("the same, three events of each, a second", len(told), took)


def _all_drained(session: Session, gateway: Gateway, expected: int) -> None:
    done = events.drain_webhooks(session, gateway)
    assert done >= expected, f"{done} of {expected} were drained"


def _event(event_id: str, kind: str, object_id: str) -> str:
    inside = {"id": object_id, "object": "thing", "metadata": {"about": "x" * 1_000}}
    return json.dumps({"id": event_id, "object": "event", "type": kind, "data": {"object": inside}})


def _notice(event_id: str, kind: str, object_id: str) -> facts.Notice:
    return facts.of_event(json.loads(_event(event_id, kind, object_id)))


def _note(session: Session) -> None:
    session.execute(NOTE)
    session.commit()


def _spend() -> None:
    until = time.thread_time() + CLIENT
    while time.thread_time() < until:
        pass


def _took(act: Callable[[], object]) -> float:
    """In milliseconds."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def _rate(what: str, number: int, took: float) -> Row:
    rate = number / took * 1000
    return Row(what, number, rate, rate)
