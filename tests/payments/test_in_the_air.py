"""Many payments at once: several calls in the air, claimed and recorded together, and each is paid once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.payments import batches, pace, resolving, sending, tasks
from marketplace.payments.facts import Balance, SentTransfer
from marketplace.payments.flights import MOST, Flights
from marketplace.payments.gateway import TIMEOUT_SECONDS, Gateway
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.outcomes import GatewayBusy, GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.purse import Purse
from marketplace.payments.runs import pausing
from marketplace.payments.states import BatchState, Blocker, ItemState
from tests.bench import payables
from tests.conftest import Committed
from tests.demo.stripe_server.harness import KEY
from tests.factories.payments import Finance, finance

pytestmark = pytest.mark.committed
PEOPLE, EACH = 40, 150_00
SOON = payables.WHEN + timedelta(minutes=5)


class Died(BaseException):
    """kill -9: no handler sees it."""


class Sky(Gateway):
    """A Stripe in memory: it answers the same key the same, and counts who calls at the same time. `trouble`
    is asked before each call, by its number; `after` before each answer."""

    def __init__(
        self,
        trouble: Callable[[int], object] = lambda _nth: None,
        after: Callable[[int], object] = lambda _nth: None,
        held: int = PEOPLE * EACH,
    ) -> None:
        super().__init__(KEY, "http://localhost:1")
        self.made: dict[str, SentTransfer] = {}
        self.calls: Counter[str] = Counter()
        self.now, self.most = 0, 0
        self._trouble, self._after, self._held = trouble, after, held
        self._lock, self._company = threading.Lock(), threading.Event()

    def balance(self, account: str | None = None) -> Balance:
        return Balance({"USD": {"card": self._held}}, {})

    def send_transfer(self, key: str, **asked: object) -> SentTransfer:  # type: ignore[override]
        with self._lock:
            self.calls[key] += 1
            nth, self.now = self.calls.total(), self.now + 1
            self.most = max(self.most, self.now)
            if self.now > 1:
                self._company.set()
        try:
            self._company.wait(0.02)
            self._trouble(nth)
            with self._lock:
                sent = self.made.setdefault(key, self._transfer(asked))
            self._after(nth)
            return sent
        finally:
            with self._lock:
                self.now -= 1

    def find_transfer(self, group: str, destination: str) -> SentTransfer | None:
        return next((each for each in self.made.values() if each.transfer_group == group), None)

    def _transfer(self, asked: dict[str, object]) -> SentTransfer:
        n = len(self.made)
        return SentTransfer(
            f"tr_{n}", int(str(asked["amount"])), "USD", str(asked["destination"]), str(asked["group"]),
            f"py_{n}", f"txn_{n}",
        )  # fmt: skip


def only(*numbers: int, error: BaseException) -> Callable[[int], None]:
    def trouble(nth: int) -> None:
        if nth in numbers:
            raise error

    return trouble


@pytest.fixture
def session(committed: Committed) -> Iterator[Session]:
    """One that really commits."""
    with committed.session() as made:
        yield made


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(payables.WHEN):
        made = finance(session)
        session.commit()
    return made


@pytest.fixture
def batch(committed: Committed, session: Session, desk: Finance) -> PayoutBatch:
    """A released batch that pays forty and the first, 150 dollars each."""
    plain = committed.server.owner_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as owner:
        payables.owed(session, owner, PEOPLE - 1)
    with clock.at(payables.WHEN):
        made = batches.prepare_batch(session, desk.fin, clock.now())
        return batches.release_batch(session, desk.gil, made.public_id)


def states(session: Session) -> Counter[tuple[ItemState, Blocker | None]]:
    session.rollback()
    # Their client's money came from nowhere.
    assert [drift for proof in PROOFS if proof.code != "I3" for drift in proof.run(session)] == []
    rows = session.execute(sa.select(PayoutItem.state, PayoutItem.blocker))
    return Counter((state, blocker) for state, blocker in rows)


def send(session: Session, sky: Sky, batch: PayoutBatch) -> int:
    with clock.at(payables.WHEN):
        return sending.send_batch(session, sky, batch.public_id)


def test_each_is_sent_once_and_many_at_the_same_time(session: Session, batch: PayoutBatch) -> None:
    sky = Sky()
    assert send(session, sky, batch) == PEOPLE
    assert states(session) == {(ItemState.SENT, None): PEOPLE}
    assert set(sky.calls.values()) == {1}
    assert len({each.destination for each in sky.made.values()}) == PEOPLE
    assert 1 < sky.most <= MOST


def test_no_more_is_sent_than_is_there(session: Session, batch: PayoutBatch) -> None:
    sky = Sky(held=25 * EACH + 1)
    assert send(session, sky, batch) == 25
    assert states(session) == {
        (ItemState.SENT, None): 25,
        (ItemState.RELEASED, Blocker.SHORT_BALANCE): PEOPLE - 25,
    }


def test_too_many_calls_are_waited_out_and_made_again_with_the_same_key(
    session: Session, batch: PayoutBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FIRST_WAIT", 0.01)
    sky = Sky(only(9, 10, 20, error=GatewayBusy("busy", "")))
    assert send(session, sky, batch) == PEOPLE + 3
    assert states(session) == {(ItemState.SENT, None): PEOPLE}
    assert sorted(sky.calls.values())[-4:] == [1, 2, 2, 2]


def test_a_stripe_that_stays_busy_is_left_alone(
    session: Session, batch: PayoutBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FIRST_WAIT", 0.01)

    def busy(nth: int) -> None:
        if nth > 5:
            raise GatewayBusy("busy", "")

    sky = Sky(busy)
    assert send(session, sky, batch) < PEOPLE
    assert states(session) == {(ItemState.SENT, None): 5, (ItemState.RELEASED, None): PEOPLE - 5}


def test_what_has_no_answer_is_looked_up_and_holds_up_no_other(session: Session, batch: PayoutBatch) -> None:
    sky = Sky(after=only(7, 30, error=GatewayUnknown("no_answer", "")))
    send(session, sky, batch)
    assert states(session) == {(ItemState.SENT, None): PEOPLE - 2, (ItemState.UNKNOWN, None): 2}
    with clock.at(SOON):
        resolving.resolve_unknown(session, sky)
    assert states(session) == {(ItemState.SENT, None): PEOPLE}
    assert len(sky.made) == PEOPLE


@pytest.mark.parametrize("way", ["trouble", "after"])
def test_a_worker_that_dies_with_several_in_the_air_pays_nobody_twice_and_forgets_nobody(
    session: Session, batch: PayoutBatch, way: str
) -> None:
    sky = Sky(**{way: only(15, error=Died())})
    with pytest.raises(Died):
        send(session, sky, batch)
    found = states(session)
    assert 0 < found[ItemState.SENDING, None] <= MOST
    with clock.at(SOON):
        resolving.resolve_unknown(session, sky)
    send(session, sky, batch)
    assert states(session) == {(ItemState.SENT, None): PEOPLE}
    assert len(sky.made) == PEOPLE


REFUSES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF {when} THEN RAISE EXCEPTION 'not this one'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE {what} FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.mark.parametrize(
    ("what", "when", "left"),
    [
        ("INSERT ON transfers", "NEW.payout_item_id = {item}", ItemState.RELEASED),
        ("UPDATE ON transfers", "NEW.payout_item_id = {item} AND NEW.state = 'sent'", ItemState.SENDING),
    ],
    ids=["to claim", "to record"],
)
def test_one_that_the_database_never_takes_holds_up_no_other(
    committed: Committed, session: Session, batch: PayoutBatch, what: str, when: str, left: ItemState
) -> None:
    item = session.scalars(sa.select(PayoutItem.id).order_by(PayoutItem.id).offset(20).limit(1)).one()
    with committed.owner() as owner:
        owner.execute(sa.text(REFUSES.format(what=what, when=when.format(item=item))))
        owner.commit()
    send(session, Sky(), batch)
    assert states(session) == {(ItemState.SENT, None): PEOPLE - 1, (left, None): 1}


def test_when_it_is_paused_only_what_is_in_the_air_is_finished(
    committed: Committed, session: Session, batch: PayoutBatch, desk: Finance
) -> None:
    public_id = batch.public_id

    def pause(nth: int) -> None:
        if nth == 10:
            with committed.session() as other:
                pausing.pause(other, desk.fin, public_id, "Somebody rang.")

    sky = Sky(pause)
    made = send(session, sky, batch)
    assert 10 <= made <= 10 + MOST
    assert states(session) == {(ItemState.SENT, None): made, (ItemState.RELEASED, None): PEOPLE - made}


def test_all_workers_take_their_moments_one_after_another(session: Session) -> None:
    assert pace.take(session, pace.TRANSFERS, 5, 2) == 0
    assert 5 < pace.take(session, pace.TRANSFERS, 1, 2) <= 10
    assert pace.take(session, "another", 1, 2) == 0
    pace.hold(session, pace.TRANSFERS, 3)
    assert 7 < pace.take(session, pace.TRANSFERS, 1, 2) <= 12, "a shorter hold changes nothing"
    pace.hold(session, pace.TRANSFERS, 25)
    assert pace.take(session, pace.TRANSFERS, 1, 2) > 20


def test_nobody_waits_for_as_long_as_a_claim_lasts(session: Session) -> None:
    """However far ahead the moments were taken, as before the database's clock was set back."""
    pace.hold(session, pace.TRANSFERS, 600)
    for _turn in range(2):
        wait = pace.take(session, pace.TRANSFERS, MOST, 0.04)
        assert wait + MOST * 0.04 + TIMEOUT_SECONDS < sending.LEASE.total_seconds()


def test_a_call_whose_claim_is_over_is_not_made(session: Session, batch: PayoutBatch) -> None:
    """Its turn at Stripe comes after others may have taken it up: it waits as before, for its next claim."""
    sky = Sky()
    with clock.at(payables.WHEN):
        item = session.scalars(sa.select(PayoutItem.id).order_by(PayoutItem.id).limit(1)).one()
        order, _left = sending.claim(session, item, Purse({"card": EACH}))
        assert order is not None
    with clock.at(payables.WHEN + sending.LEASE), Flights(sky) as air:
        air.begin(order, 0)
        sent, [(late, error)] = air.landed()
    assert (sent, late, isinstance(error, GatewayBusy), sky.calls) == ([], order, True, Counter())


def test_a_long_run_hands_over_to_a_job_that_goes_on(
    session: Session, batch: PayoutBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what else waits for a worker, such as Stripe's events, has its turn."""
    monkeypatch.setattr(sending, "TURN", 0.1)
    sky = Sky(trouble=lambda _nth: time.sleep(0.03))
    monkeypatch.setattr(tasks, "gateway", lambda: sky)
    monkeypatch.setattr(tasks.lost, "catch_up", lambda *_about: None)
    session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    session.commit()
    first = send(session, sky, batch)
    assert 0 < first < PEOPLE
    with clock.at(payables.WHEN):
        # It waits already, and is asked for once.
        tasks.send_waiting(session)
        rounds = 0
        while jobs.run_due(session, limit=1):
            rounds += 1
    assert rounds > 1
    assert states(session) == {(ItemState.SENT, None): PEOPLE}
    assert set(sky.calls.values()) == {1}
    assert session.scalar(sa.text("SELECT count(*) FROM procrastinate_jobs")) == 0


def test_a_batch_whose_end_was_not_noted_is_finished_later(
    session: Session, batch: PayoutBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database went away after the last payment was recorded."""
    finish = sending.finish_batch
    monkeypatch.setattr(sending, "finish_batch", lambda *_about: None)
    monkeypatch.setattr(tasks, "gateway", Sky)
    send(session, Sky(), batch)
    assert states(session) == {(ItemState.SENT, None): PEOPLE}
    assert batch.state is BatchState.SENDING
    monkeypatch.setattr(sending, "finish_batch", finish)
    with clock.at(payables.WHEN):
        tasks.send_waiting(session)
    assert batch.state is BatchState.SENT


def test_what_waits_is_asked_for_once_and_takes_up_one_worker(
    session: Session, batch: PayoutBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sky = Sky()
    monkeypatch.setattr(tasks, "gateway", lambda: sky)
    session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    session.commit()
    with clock.at(payables.WHEN):
        for _tick in range(2):
            tasks.send_waiting(session)
    found = session.execute(sa.text("SELECT task_name, lock FROM procrastinate_jobs")).all()
    assert [tuple(each) for each in found] == [("payments.send_batch", f"batch:{batch.public_id}")]
    assert sky.calls == Counter()
