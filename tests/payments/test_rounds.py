"""Many objects at Stripe: one that fails holds up none of the others. One that is away is not waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.demo.stripe_server import hands
from marketplace.payments import events, facts, payouts, resolving, sending, sweeps, tasks
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    PayoutBatch,
    Sweep,
    WebhookEvent,
)
from marketplace.payments.outcomes import GatewayBusy, GatewayClosed, GatewayRefused, GatewayUnknown
from marketplace.payments.rounds import ENOUGH_SILENCE, Round
from marketplace.payments.states import FundingState, ItemState, SweepState, TransfersState
from tests.demo.stripe_server.harness import KEY, Handle
from tests.factories.contracts import MONDAY
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import a_funding, a_paid_deal, a_released_batch, an_approved_week, finance, hire

FRIDAY = MONDAY + timedelta(days=4)
ARRIVED = FRIDAY + timedelta(days=5)
LONG_AFTER = FRIDAY + timedelta(days=14)

NO_ANSWER = GatewayUnknown("no_answer", "")
REFUSED = GatewayRefused("account_invalid", "")
BUSY = GatewayBusy("busy", "")
CLOSED = GatewayClosed("no_key", "")
BROKEN = ZeroDivisionError()
ONE_FAILS = pytest.mark.parametrize(
    "error", [NO_ANSWER, REFUSED, BROKEN], ids=["silent", "refused", "broken"]
)
AWAY = pytest.mark.parametrize("error", [BUSY, CLOSED], ids=["busy", "closed"])


class Failing(Gateway):
    """The real gateway, on which calls about some objects fail."""

    def __init__(self, stripe: Handle, error: Exception, *about: str) -> None:
        super().__init__(KEY, stripe.url)
        self.error, self.about = error, about
        self.asked: list[str] = []

    def _ask(self, subject: str | None) -> None:
        self.asked.append(subject or "")
        if not self.about or subject in self.about:
            raise self.error

    def account(self, account: str) -> facts.Account:
        self._ask(account)
        return super().account(account)

    def checkout(self, session_id: str) -> facts.Checkout:
        self._ask(session_id)
        return super().checkout(session_id)

    def find_transfer(self, group: str, destination: str) -> facts.SentTransfer | None:
        self._ask(destination)
        return super().find_transfer(group, destination)

    def payout(self, payout: str, account: str | None = None) -> facts.Payout:
        self._ask(account or payout)
        return super().payout(payout, account)

    def payouts(self, since: object, account: str | None = None) -> list[facts.Payout]:
        self._ask(account or "ours")
        return super().payouts(since, account)  # type: ignore[arg-type]

    def payout_contents(self, payout: str, account: str) -> list[facts.BalanceTransaction]:
        self._ask(payout)
        return super().payout_contents(payout, account)


class LostAnswers(Gateway):
    """Stripe does what is asked; no answer arrives."""

    def send_transfer(self, *args: object, **kwargs: object) -> facts.SentTransfer:
        super().send_transfer(*args, **kwargs)  # type: ignore[arg-type]
        raise NO_ANSWER

    def send_payout(self, *args: object, **kwargs: object) -> facts.Payout:
        super().send_payout(*args, **kwargs)  # type: ignore[arg-type]
        raise NO_ANSWER


def gone_through(
    session: Session, things: Iterator[int], fails: Callable[[int], Exception | None]
) -> list[int]:
    """What a round over the things takes up; `fails` says with what each of them fails."""
    taken, turn = [], Round(session, Gateway(KEY, "http://127.0.0.1:9"))
    for thing in turn.over(things):
        taken.append(thing)
        with turn.one(thing):
            if error := fails(thing):
                raise error
    return taken


@ONE_FAILS
def test_one_that_fails_holds_up_none(session: Session, error: Exception):
    assert gone_through(session, iter([1, 2, 3]), {2: error}.get) == [1, 2, 3]


@AWAY
def test_a_stripe_that_is_away_ends_the_round_and_nothing_more_is_claimed(session: Session, error: Exception):
    things = iter([1, 2, 3])
    assert gone_through(session, things, {2: error}.get) == [1, 2]
    assert next(things) == 3


def test_so_does_one_that_stays_silent(session: Session):
    assert len(gone_through(session, iter(range(1, 10)), lambda _each: NO_ANSWER)) == ENOUGH_SILENCE


def test_silence_now_and_then_does_not(session: Session):
    def now_and_then(each: int) -> Exception | None:
        return None if each % ENOUGH_SILENCE == 0 else NO_ANSWER

    assert gone_through(session, iter(range(1, 10)), now_and_then) == [*range(1, 10)]


@pytest.mark.parametrize("code", ["two_of_one_group", "garbled"])
def test_an_odd_answer_is_no_silence(session: Session, code: str):
    odd = GatewayUnknown(code, "")
    assert gone_through(session, iter(range(1, 10)), lambda _each: odd) == [*range(1, 10)]


@pytest.fixture
def two(session: Session, gateway: Gateway) -> PayoutBatch:
    """Ana and Ben worked an hour each, and a batch pays both."""
    with clock.at(MONDAY):
        ana = a_paid_deal(session, gateway)
        ben = hire(session, gateway, ana, "Ben Baker")
    for deal in (ana, ben):
        an_approved_week(session, deal, MONDAY)
    with clock.at(FRIDAY):
        return a_released_batch(session)


def account_of(batch: PayoutBatch, nth: int) -> str:
    account = batch.items[nth].account
    assert account is not None
    assert account.stripe_id is not None
    return account.stripe_id


def states(batch: PayoutBatch) -> list[ItemState]:
    return [item.state for item in batch.items]


def seen(session: Session) -> list[bool]:
    """Was each account's turn taken?"""
    accounts = session.scalars(sa.select(ConnectedAccount).order_by(ConnectedAccount.id))
    return [account.payouts_seen_at is not None for account in accounts]


@ONE_FAILS
def test_payouts_of_one_account_that_cannot_be_seen(
    session: Session, stripe: Handle, gateway: Gateway, two: PayoutBatch, error: Exception
):
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, two.public_id)
    stripe.settle()
    with clock.at(ARRIVED):
        payouts.track_payouts(session, Failing(stripe, error, account_of(two, 0)))
    assert states(two) == [ItemState.SENT, ItemState.PAID]
    assert seen(session) == [True, True], "it waits for its next turn like the others"


@AWAY
def test_accounts_keep_their_turn_while_stripe_is_away(
    session: Session, stripe: Handle, gateway: Gateway, two: PayoutBatch, error: Exception
):
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, two.public_id)
    with clock.at(ARRIVED):
        assert payouts.track_payouts(session, Failing(stripe, error)) == 0
    assert seen(session) == [False, False]


def test_one_payout_that_cannot_be_read_hides_no_later_one(
    session: Session, stripe: Handle, gateway: Gateway
):
    with clock.at(MONDAY):
        ana = a_paid_deal(session, gateway)
    for week in range(2):
        an_approved_week(session, ana, MONDAY + timedelta(days=7 * week))
        with clock.at(FRIDAY + timedelta(days=7 * week)):
            batch = a_released_batch(session)
            sending.send_batch(session, gateway, batch.public_id)
    stripe.settle()
    later, earlier = gateway.payouts(MONDAY, account_of(batch, 0))
    payouts.track_payouts(session, Failing(stripe, NO_ANSWER, earlier.id))
    assert session.scalars(sa.select(ConnectedPayout.stripe_id)).all() == [later.id]


@ONE_FAILS
def test_one_payout_that_cannot_be_looked_at_again_keeps_no_other_from_being_settled(
    session: Session, stripe: Handle, gateway: Gateway, two: PayoutBatch, error: Exception
):
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, two.public_id)
    stripe.settle()
    with clock.at(ARRIVED):
        payouts.track_payouts(session, gateway)
    with clock.at(LONG_AFTER):
        assert payouts.settle_items(session, Failing(stripe, error, account_of(two, 0))) == 1
    assert states(two) == [ItemState.PAID, ItemState.SETTLED]


@ONE_FAILS
def test_one_transfer_that_cannot_be_found_keeps_no_other_unknown(
    session: Session, stripe: Handle, two: PayoutBatch, error: Exception
):
    with clock.at(FRIDAY):
        sending.send_batch(session, LostAnswers(KEY, stripe.url), two.public_id)
    with clock.at(FRIDAY + timedelta(minutes=5)):
        resolving.resolve_unknown(session, Failing(stripe, error, account_of(two, 0)))
    assert states(two) == [ItemState.UNKNOWN, ItemState.SENT]


def test_a_batch_that_cannot_begin_holds_up_no_other(
    session: Session, stripe: Handle, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    class SilentOnce(Gateway):
        asked = 0

        def balance(self, account: str | None = None) -> facts.Balance:
            self.asked += 1
            if self.asked == 1:
                raise NO_ANSWER
            return super().balance(account)

    with clock.at(MONDAY):
        ana = a_paid_deal(session, gateway)
        ben = hire(session, gateway, ana, "Ben Baker")
    batches = []
    for deal in (ana, ben):
        an_approved_week(session, deal, MONDAY)
        with clock.at(FRIDAY):
            batches.append(a_released_batch(session))
    with clock.at(FRIDAY):
        once = SilentOnce(KEY, stripe.url)
        monkeypatch.setattr(tasks, "gateway", lambda: once)
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
        session.commit()
        tasks.send_waiting(session)
        jobs.run_due(session)
    assert [states(batch) for batch in batches] == [[ItemState.RELEASED], [ItemState.SENT]]


def _released_sweeps(session: Session, gateway: Gateway, weeks: int) -> list[Sweep]:
    """One sweep of each week's fees, sent."""
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
        desk = finance(session)
    made = []
    for week in range(weeks):
        an_approved_week(session, deal, MONDAY + timedelta(days=7 * week))
        with clock.at(FRIDAY + timedelta(days=7 * week)):
            sweep = sweeps.prepare_sweep(session, desk.fin)
            gil = replace(desk.gil, second_factor_at=clock.now())
            made.append(sweeps.release_sweep(session, gil, sweep.public_id))
            sweeps.send_sweeps(session, gateway)
    return made


@ONE_FAILS
def test_one_sweep_that_cannot_be_seen_hides_no_other(
    session: Session, stripe: Handle, gateway: Gateway, error: Exception
):
    first, second = _released_sweeps(session, gateway, 2)
    stripe.settle()
    assert sweeps.track_sweeps(session, Failing(stripe, error, first.stripe_id or "")) == 1
    assert (first.state, second.state) == (SweepState.SENT, SweepState.PAID)


def test_a_look_up_that_is_refused_does_not_free_what_a_sweep_took(
    session: Session, stripe: Handle, gateway: Gateway
):
    """Else the same fees were swept a second time."""
    (sweep,) = _released_sweeps(session, LostAnswers(KEY, stripe.url), 1)
    with clock.at(FRIDAY + timedelta(minutes=5)):
        sweeps.send_sweeps(session, Failing(stripe, REFUSED, "ours"))
    assert sweep.state == SweepState.UNKNOWN
    with clock.at(FRIDAY + timedelta(hours=2)):
        sweeps.send_sweeps(session, gateway)
    assert sweep.state in (SweepState.SENT, SweepState.PAID)
    assert len(gateway.payouts(MONDAY)) == 1


@ONE_FAILS
def test_the_poller_goes_on_after_one_payment_that_cannot_be_seen(
    session: Session, stripe: Handle, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    lots = []
    for amount in (500_00, 600_00):
        lot, url = a_funding(session, gateway, client, project, amount)
        hands.pay(url)
        lots.append(lot)
    failing = Failing(stripe, error, lots[0].session_id or "")
    monkeypatch.setattr(tasks, "gateway", lambda: failing)
    with clock.at(clock.now() + timedelta(minutes=31)):
        tasks.poll(session)
    assert [lot.state for lot in lots] == [FundingState.OPEN, FundingState.PAID]


def test_the_poller_finds_an_account_whose_first_look_was_lost(
    session: Session, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    with clock.at(MONDAY):
        a_paid_deal(session, gateway)
    account = session.scalars(sa.select(ConnectedAccount)).one()
    account.transfers, account.refreshed_at = TransfersState.NEW, None
    session.commit()
    monkeypatch.setattr(tasks, "gateway", lambda: gateway)
    with clock.at(MONDAY + timedelta(hours=1)):
        tasks.poll(session)
    assert account.transfers == TransfersState.ACTIVE


def _told(session: Session, count: int) -> None:
    """Events about as many objects."""
    for number in range(count):
        payload = {"id": f"evt_{number}", "object": "event", "type": "checkout.session.completed"}
        about = {**payload, "data": {"object": {"id": f"cs_{number}"}}}
        events.store_event(session, events.Source.PLATFORM, facts.of_event(about))


def test_events_wait_for_a_silent_stripe_and_are_never_given_up(session: Session, stripe: Handle):
    silent = Failing(stripe, NO_ANSWER)
    with clock.at(MONDAY):
        _told(session, ENOUGH_SILENCE + 2)
        assert events.drain_webhooks(session, silent) == 0
    assert len(silent.asked) == ENOUGH_SILENCE
    for hour in range(1, 30):
        with clock.at(MONDAY + timedelta(hours=2 * hour)):
            events.drain_webhooks(session, silent)
    tries = session.scalars(sa.select(WebhookEvent.tries)).all()
    assert max(tries) < events.GIVE_UP_AFTER
    with clock.at(MONDAY + timedelta(days=10)):
        assert len(events._waiting(session)) == ENOUGH_SILENCE + 2
