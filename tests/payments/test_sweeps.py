"""Our own fees on their way to our bank, and never a cent of anybody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.entries import add_entries
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.errors import NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import sweeps
from marketplace.payments.facts import Payout
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import Sweep
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.states import SweepState
from tests.demo.stripe_server.harness import KEY, Handle
from tests.factories.contracts import MONDAY, a_deal, work
from tests.factories.payments import Finance, a_paid_deal, an_approved_week, finance

FRIDAY = MONDAY + timedelta(days=4)


class Cut(Gateway):
    """The line is cut after Stripe has made the payout."""

    def send_payout(self, *args: object, **kwargs: object) -> Payout:
        super().send_payout(*args, **kwargs)  # type: ignore[arg-type]
        raise GatewayUnknown("no_answer", "")


class CameBack(Gateway):
    """The bank has sent the payout back."""

    def payout(self, payout: str, account: str | None = None) -> Payout:
        return replace(super().payout(payout, account), status="failed", failure_code="account_closed")


@pytest.fixture
def desk(session: Session, gateway: Gateway) -> Finance:
    """The client paid 30 dollars of fee for an hour at 150; processing was paid by the client."""
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    with clock.at(FRIDAY):
        return finance(session)


def released(session: Session, desk: Finance) -> Sweep:
    sweep = sweeps.prepare_sweep(session, desk.fin)
    return sweeps.release_sweep(session, replace(desk.gil, second_factor_at=clock.now()), sweep.public_id)


def balances(session: Session) -> tuple[int, int]:
    accounts = (chart.stripe_balance(), chart.payouts_in_transit())
    return tuple(ledger.balance(session, account, "USD") for account in accounts)  # type: ignore[return-value]


def test_a_sweep_is_the_fees_earned_and_nothing_else(
    session: Session, gateway: Gateway, stripe: Handle, desk: Finance
):
    with clock.at(FRIDAY):
        sweep = released(session, desk)
        assert sweep.amount == 30_00
        before, _in_transit = balances(session)
        assert sweeps.send_sweeps(session, gateway) == 1
    assert balances(session) == (before - 30_00, 30_00)
    assert sweep.state == SweepState.SENT
    stripe.settle()
    sweeps.track_sweeps(session, gateway)
    assert sweep.state == SweepState.PAID
    assert gateway.balance().total("USD") == balances(session)[0]
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_what_rounding_cost_is_not_swept_out_of_clients_money(session: Session):
    with clock.at(MONDAY):
        deal = a_deal(session, rate=133_35, funds=10_000_00)
    with clock.at(FRIDAY):
        # 300 entries of two minutes: 600 minutes, and 150 cents of pay and fee more than ten hours cost.
        works = [work(MONDAY + timedelta(days=1, minutes=2 * n), 2) for n in range(300)]
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
        reserved = 10 * 133_35 * 12 // 10
        assert approval.expert_amount + approval.fee_amount > reserved
        assert sweeps.prepare_sweep(session, finance(session).fin).amount == reserved - approval.expert_amount


def test_a_sweep_that_comes_back_is_noticed_without_a_webhook(
    session: Session, gateway: Gateway, stripe: Handle, desk: Finance
):
    with clock.at(FRIDAY):
        sweep = released(session, desk)
        sweeps.send_sweeps(session, gateway)
        stripe.settle()
        sweeps.track_sweeps(session, gateway)
        assert sweep.state == SweepState.PAID
        sweeps.track_sweeps(session, CameBack(KEY, stripe.url))
        assert sweep.state == SweepState.FAILED
    assert balances(session)[1] == 0


def test_a_fee_is_swept_once(session: Session, gateway: Gateway, desk: Finance):
    with clock.at(FRIDAY):
        released(session, desk)
        with pytest.raises(Refused, match="not finished"):
            sweeps.prepare_sweep(session, desk.fin)
        sweeps.send_sweeps(session, gateway)
        with pytest.raises(Refused, match="no fees"):
            sweeps.prepare_sweep(session, desk.fin)


def test_a_cancelled_sweep_leaves_its_fees_for_the_next(session: Session, desk: Finance):
    with clock.at(FRIDAY):
        first = sweeps.prepare_sweep(session, desk.fin)
        sweeps.cancel_sweep(session, desk.fin, first.public_id)
        assert sweeps.prepare_sweep(session, desk.fin).amount == 30_00


def test_one_person_alone_sweeps_nothing(session: Session, desk: Finance):
    with clock.at(FRIDAY):
        sweep = sweeps.prepare_sweep(session, desk.fin)
        both = replace(desk.gil, person_id=desk.fin.person_id, second_factor_at=clock.now())
        with pytest.raises(NotAllowed, match="somebody else"):
            sweeps.release_sweep(session, both, sweep.public_id)


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(days=5)], ids=["soon", "after days"])
def test_an_answer_that_never_came_is_looked_up_and_not_swept_again(
    session: Session, gateway: Gateway, stripe: Handle, desk: Finance, later: timedelta
):
    with clock.at(FRIDAY):
        sweep = released(session, desk)
        sweeps.send_sweeps(session, Cut(KEY, stripe.url))
        assert sweep.state == SweepState.UNKNOWN
    with clock.at(FRIDAY + later):
        sweeps.send_sweeps(session, gateway)
    assert sweep.state in (SweepState.SENT, SweepState.PAID)
    assert len(gateway.payouts(MONDAY)) == 1
    assert balances(session)[1] == 30_00
