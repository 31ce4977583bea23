"""A transfer found again after its payout, and an account closed after it was paid."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.payments import facts, payouts, resolving, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.outcomes import GatewayRefused, GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.states import ItemState
from tests.demo.stripe_server.harness import KEY, Handle
from tests.factories.contracts import MONDAY, Deal
from tests.factories.payments import a_paid_deal, a_released_batch, an_approved_week, hire
from tests.payments.conftest import gateway, stripe

__all__ = ["gateway", "stripe"]
FRIDAY = MONDAY + timedelta(days=4)
ARRIVED = FRIDAY + timedelta(days=5)
LONG_AFTER = FRIDAY + timedelta(days=14)


class LostAnswer(Gateway):
    """Stripe makes the transfer; its answer never arrives."""

    def send_transfer(self, *args: object, **kwargs: object) -> facts.SentTransfer:
        super().send_transfer(*args, **kwargs)  # type: ignore[arg-type]
        raise GatewayUnknown("no_answer", "")


class Closed(Gateway):
    """One account cannot be seen any more."""

    account = ""

    def payout(self, payout_id: str, account: str | None = None) -> facts.Payout:
        if account == self.account:
            raise GatewayRefused("account_invalid", "")
        return super().payout(payout_id, account)


@pytest.fixture
def deal(session: Session, gateway: Gateway) -> Deal:
    with clock.at(MONDAY):
        made = a_paid_deal(session, gateway)
    an_approved_week(session, made, MONDAY)
    return made


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def payout_heard_of(session: Session, gateway: Gateway, batch: PayoutBatch) -> None:
    """The worker was away for days; now Stripe's news of the payout comes before anything else."""
    account = batch.items[0].account
    assert account is not None
    assert account.stripe_id is not None
    for payout in gateway.payouts(MONDAY, account.stripe_id):
        payouts.track_payout(session, gateway, account.stripe_id, payout.id)


def test_a_transfer_found_after_its_payout_was_recorded_is_paid_all_the_same(
    session: Session, stripe: Handle, gateway: Gateway, deal: Deal
):
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
        sending.send_batch(session, LostAnswer(KEY, stripe.url), batch.public_id)
    stripe.settle()
    with clock.at(ARRIVED):
        payout_heard_of(session, gateway, batch)
        assert batch.items[0].state == ItemState.UNKNOWN
        resolving.resolve_unknown(session, gateway)
        assert batch.items[0].state == ItemState.SENT
        payouts.track_payouts(session, gateway)
        assert batch.items[0].state == ItemState.PAID
    no_drift(session)


@pytest.mark.parametrize("nth", [0, 1], ids=["first", "last"])
def test_an_account_that_was_closed_keeps_no_other_from_being_settled(
    session: Session, stripe: Handle, gateway: Gateway, deal: Deal, nth: int
):
    with clock.at(MONDAY):
        other = hire(session, gateway, deal, "Ben Baker")
    an_approved_week(session, other, MONDAY)
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
        sending.send_batch(session, gateway, batch.public_id)
    stripe.settle()
    with clock.at(ARRIVED):
        payouts.track_payouts(session, gateway)
    gone = batch.items[nth]
    closed = Closed(KEY, stripe.url)
    assert gone.account is not None
    closed.account = gone.account.stripe_id or ""
    with clock.at(LONG_AFTER):
        payouts.settle_items(session, closed)
    settled = {item.id for item in batch.items if item.state == ItemState.SETTLED}
    assert settled == {item.id for item in batch.items} - {gone.id}
