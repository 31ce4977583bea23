"""F04, F32, F33, F34 and F36: the line to the database breaks, stalls, crawls, or cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.models import Approval, Timesheet
from marketplace.db import engine, new_session
from marketplace.errors import Refused, Unavailable
from marketplace.payments import batches, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.states import ItemState
from tests.demo.stripe_server.harness import KEY
from tests.faults.proxy import Proxy, to_database
from tests.faults.ready import Model, Ready
from tests.faults.site import site, visitor
from tests.stories import acts
from tests.visitor import Visitor, words

pytestmark = pytest.mark.committed
COMMIT = b"COMMIT"
MOST = 20  # connections of one process


@pytest.fixture
def line(house: Ready) -> Iterator[tuple[Proxy, str]]:
    """A line to the database that can be made bad, and the address at its near end."""
    with to_database(house.committed.url) as made:
        yield made


@pytest.fixture
def app(house: Ready, ready_model: Model, line: tuple[Proxy, str]) -> Iterator[Flask]:
    """The site at the near end of that line."""
    with site(ready_model.settings, lambda: new_session(line[1])) as made:
        yield made


class Losing(Gateway):
    """Stripe's door, and a line to the database of which the next COMMIT is lost once Stripe has answered."""

    def __init__(self, url: str, line: Proxy, arrives: bool) -> None:
        super().__init__(KEY, url)
        self._line, self._arrives = line, arrives
        self._calls = 0

    def send_transfer(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        sent = super().send_transfer(*args, **kwargs)  # type: ignore[arg-type]
        self._calls += 1
        if self._calls == 1:
            self._line.lose_answer(COMMIT, arrives=self._arrives)
        return sent


@pytest.mark.parametrize("arrives", [True, False], ids=["kept", "not kept"])
def test_f04_nobody_knows_whether_what_stripe_did_was_kept(
    house: Ready, line: tuple[Proxy, str], arrives: bool
) -> None:
    batch = house.released()
    with new_session(line[1]) as session:
        sending.send_batch(session, Losing(house.stripe.url, line[0], arrives), batch)
    assert house.states() == [ItemState.SENT if arrives else ItemState.SENDING, ItemState.SENT]
    house.pays(minutes=3)
    house.each_once()
    assert [each.event for each in ledger.entries_for(house.session, "payout_item:")].count("sent") == 2


@pytest.mark.parametrize("arrives", [True, False], ids=["kept", "not kept"])
def test_f04_whoever_approves_or_releases_again_books_nothing_twice(
    house: Ready, line: tuple[Proxy, str], arrives: bool
) -> None:
    sheet = house.submitted_later(house.ana)
    seen, version = sheet.public_id, sheet.version
    batch = acts.prepared_batch(house).public_id
    house.session.rollback()
    acted = [
        lambda session: approve_timesheet(session, house.dev, seen, version),
        lambda session: batches.release_batch(session, house.gil, batch),
    ]
    for act in acted:
        with new_session(line[1]) as session:
            line[0].lose_answer(COMMIT, arrives=arrives)
            with pytest.raises(Unavailable, match="may be saved or not"):
                act(session)
            if arrives:
                with pytest.raises(Refused):
                    act(session)
            else:
                act(session)
    assert len(ledger.entries_for(house.session, "approval:")) == 3
    assert [each.event for each in ledger.entries_for(house.session, "payout_item:")] == ["released"] * 2
    house.sound()


def test_f32_after_a_restart_of_the_database_the_next_request_is_served(
    house: Ready, line: tuple[Proxy, str], app: Flask
) -> None:
    ana = visitor(app, house.session, house.ana)
    for _restart in range(3):
        assert ana.get("/pay").status_code == 200
        line[0].cut()
    assert ana.get("/readyz").status_code == 200
    assert line[0].opened >= 4


@pytest.mark.parametrize("arrives", [True, False], ids=["kept", "not kept"])
def test_f32_a_request_in_flight_is_told_the_truth(
    house: Ready, line: tuple[Proxy, str], app: Flask, arrives: bool
) -> None:
    sheet = house.submitted_later(house.ana)
    path, version = f"/timesheets/{sheet.public_id}", sheet.version
    dev = visitor(app, house.session, house.dev)
    assert dev.get(path).status_code == 200
    line[0].lose_answer(COMMIT, arrives=arrives)
    answer = dev.post(f"{path}/approval", version=version)
    assert answer.status_code == 503
    assert "database went away" in words(answer)
    house.session.rollback()
    kept = house.session.scalar(sa.select(Approval.id).where(Approval.timesheet_id == sheet.id)) is not None
    assert kept == arrives
    again = dev.post(f"{path}/approval", version=version)
    assert again.status_code == (409 if kept else 200)
    assert "already approved" in words(again) or not kept
    assert len(ledger.entries_for(house.session, "approval:")) == 3


def test_f32_a_worker_goes_on_after_the_database_was_away(house: Ready, line: tuple[Proxy, str]) -> None:
    batch = house.released()
    with new_session(line[1]) as session:
        session.execute(sa.text("SELECT 1"))
        line[0].cut()
        with pytest.raises(sa.exc.OperationalError):
            session.execute(sa.text("SELECT 1"))
        line[0].refuses = True
        with pytest.raises((Unavailable, sa.exc.OperationalError)):
            sending.send_batch(session, house.gateway, batch)
        line[0].refuses = False
        sending.send_batch(session, house.gateway, batch)
    house.each_once()


def test_f33_a_half_open_connection_gives_its_row_back(house: Ready, line: tuple[Proxy, str]) -> None:
    """Its client is gone and nobody told the database. On the site that takes a minute, here a second."""
    sheet = house.submitted_later(house.ana)
    seen, version = sheet.public_id, sheet.version
    with new_session(line[1]) as gone:
        allowed = seconds(gone, "idle_in_transaction_session_timeout")
        assert 0 < allowed <= 60
        assert 0 < seconds(gone, "lock_timeout") <= 10
        gone.execute(sa.text("SET idle_in_transaction_session_timeout = '1s'"))
        gone.execute(sa.select(Timesheet).where(Timesheet.public_id == seen).with_for_update())
        line[0].freeze()
        approve_timesheet(house.session, house.dev, seen, version)
        gone.invalidate()
    assert len(ledger.entries_for(house.session, "approval:")) == 3


def test_f33_a_client_notices_that_its_database_is_gone(house: Ready) -> None:
    """Otherwise a worker that waits for an answer waits for two hours, the patience of TCP."""
    held = house.session.connection().connection.driver_connection
    assert held is not None
    chosen = held.info.get_parameters()
    assert int(chosen["keepalives_idle"]) <= 60
    assert int(chosen["keepalives_interval"]) * int(chosen["keepalives_count"]) <= 60
    assert 0 < int(chosen["tcp_user_timeout"]) <= 60_000


def seconds(session: Session, name: str) -> float:
    query = "SELECT setting::numeric / 1000 FROM pg_settings WHERE name = :name"
    return float(session.scalar(sa.text(query), {"name": name}) or 0)


def test_f34_a_slow_database_makes_pages_slow_and_nothing_else(
    house: Ready, line: tuple[Proxy, str], app: Flask
) -> None:
    with new_session(line[1]) as session:
        assert 0 < seconds(session, "statement_timeout") <= 30
    people = [visitor(app, house.session, who) for who in (house.ana, house.ben, house.carla, house.fin)]
    people[0].get("/pay")
    line[0].delay = 0.2

    def look(who: Visitor) -> int:
        # Not the visitor itself: two threads do not share one browser.
        return app.test_client().get("/readyz").status_code + who.client.get("/").status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(look, people))
    assert answers == [400] * 4
    assert line[0].most <= MOST
    pool_of_site = engine(line[1]).pool
    assert isinstance(pool_of_site, sa.QueuePool)
    assert pool_of_site.size() + pool_of_site._max_overflow <= MOST
    assert pool_of_site._timeout <= 10


def test_f34_a_statement_that_takes_too_long_is_ended_and_said(
    house: Ready, ready_model: Model, line: tuple[Proxy, str]
) -> None:
    """Somebody holds a table; the site's statements wait for no longer than they may."""
    with site(ready_model.settings, lambda: hurried(house.committed.url)) as app:
        fin = visitor(app, house.session, house.fin)
        batch = acts.prepared_batch(house).public_id
        house.session.rollback()
        with house.committed.owner() as owner:
            owner.execute(sa.text("LOCK TABLE payout_items"))
            answer = fin.client.get(f"/payouts/{batch}")
            owner.rollback()
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert fin.get(f"/payouts/{batch}").status_code == 200


def hurried(url: str) -> Session:
    session = new_session(url)
    session.execute(sa.text("SET statement_timeout = '300ms'; SET lock_timeout = '0'"))
    session.commit()
    return session


def test_f36_no_connection_left_is_a_503_that_says_when_to_come_again(
    house: Ready, ready_model: Model
) -> None:
    small = sa.create_engine(house.committed.url, pool_size=1, max_overflow=0, pool_timeout=0.2)
    with site(ready_model.settings, lambda: Session(small)) as app:
        ana = visitor(app, house.session, house.ana)
        with small.connect():
            for path in ("/pay", "/readyz"):
                answer = ana.client.get(path)
                assert answer.status_code == 503, path
                assert int(answer.headers["Retry-After"]) > 0
            assert ana.client.get("/healthz").status_code == 200, "the process itself is well"
        assert ana.get("/pay").status_code == 200
        assert ana.client.get("/readyz").status_code == 200
    small.dispose()


def test_f36_a_database_that_takes_no_connections(house: Ready, line: tuple[Proxy, str], app: Flask) -> None:
    ana = visitor(app, house.session, house.ana)
    line[0].refuses = True
    line[0].cut()
    for path in ("/pay", "/readyz"):
        answer = ana.client.get(path)
        assert answer.status_code == 503, path
        assert answer.headers["Retry-After"]
    line[0].refuses = False
    assert ana.get("/pay").status_code == 200
    assert ana.client.get("/readyz").status_code == 200
    assert house.session.scalars(sa.select(PayoutBatch)).all() == []
