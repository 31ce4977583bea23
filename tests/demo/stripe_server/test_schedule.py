"""What falls due, and requests that are dated: none of them sees a day before that day's work was done."""

from __future__ import annotations

import threading
from pathlib import Path

from marketplace.demo.stripe_server import moments, schedule
from marketplace.demo.stripe_server.api import Api, Asked
from marketplace.demo.stripe_server.schedule import Scheduler
from marketplace.demo.stripe_server.store import Store, Transaction

DAY = "2026-09-15T12:00:00+00:00"
NOON = 1_789_473_600
STEP = "step"


def test_a_dated_request_waits_for_what_was_due_before_it(tmp_path: Path) -> None:
    store, answered = _store_with(tmp_path, due=NOON - 1), threading.Event()
    asking = threading.Thread(target=lambda: (_ask(store, DAY), answered.set()))
    asking.start()
    assert not answered.wait(0.3)
    scheduler = Scheduler(store, {STEP: _nothing})
    scheduler.start()
    assert answered.wait(10)
    scheduler.stop()
    asking.join()
    store.close()


def test_what_is_due_later_and_requests_of_the_present_are_not_waited_for(tmp_path: Path) -> None:
    store = _store_with(tmp_path, due=NOON + 1)
    assert _ask(store, DAY) == 200
    with store.writing() as transaction:
        schedule.plan(transaction, STEP, "overdue", moments.now() - 1)
    assert _ask(store, None) == 200
    store.close()


def _store_with(folder: Path, due: int) -> Store:
    store = Store(folder / "stripe.sqlite3")
    with store.writing() as transaction:
        schedule.plan(transaction, STEP, "subject", due)
    return store


def _nothing(_transaction: Transaction, _subject: str) -> None:
    """The step has no effect: only that it was done counts."""


def _ask(store: Store, moment: str | None) -> int:
    headers = {"authorization": "Bearer sk_test_local", **({"marketplace-clock": moment} if moment else {})}
    asked = Asked("GET", "/v1/customers", "", b"", headers, "http://localhost")
    return Api(store, frozenset({"sk_test_local"})).answer(asked).status
