"""A client lets its bank account be debited: nothing counts before the bank has paid, and it may say no."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock, ledger, proofs
from marketplace.demo.stripe_server import hands
from marketplace.errors import Refused
from marketplace.ledger import chart
from marketplace.payments import events, fundings
from marketplace.payments.chargebacks import failures
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import Funding
from marketplace.payments.states import FundingState, Rail
from marketplace.reconciliation import passes
from marketplace.reconciliation.fetching import fetch_stripe
from tests.demo.stripe_server.harness import Handle
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import a_funding

assert events
NO_MONEY = "000222222227"


@pytest.fixture
def lumen(session: Session):
    client, organization = a_client(session)
    return client, a_project(session, client, organization)


@pytest.fixture(autouse=True)
def shared_clock(stripe: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """What moves here moves at Stripe."""
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(stripe.clock_file))


def lines(session: Session, source: str) -> list[tuple[str, int]]:
    return [
        (posting.account.code, posting.amount)
        for entry in ledger.entries_for(session, source)
        for posting in entry.postings
    ]


def agreed(session: Session, gateway: Gateway, lumen, account: str = "000123456789") -> Funding:
    client, project = lumen
    lot, url = a_funding(session, gateway, client, project, 1_000_00, Rail.BANK_DEBIT)
    hands.pay_by_debit(url, account)
    return fundings.settle_funding(session, gateway, lot.session_id or "")


def answered(stripe: Handle) -> None:
    clock.advance(timedelta(days=7))
    stripe.settle()


def drifts(session: Session, gateway: Gateway) -> list[object]:
    """Of all proofs, after Stripe's side was fetched and matched."""
    fetch_stripe(session, gateway)
    passes.run(session)
    return [each for proof in proofs.every() for each in proof.run(session)]


def test_nothing_counts_before_the_bank_has_paid(session, gateway, stripe, lumen) -> None:
    lot = agreed(session, gateway, lumen)
    funds = chart.project_funds(lumen[1].public_id)
    assert (lot.state, lot.charge_amount, lot.fee, lot.source_type) == (
        FundingState.PROCESSING, 1_005_00, 5_00, "bank_account",
    )  # fmt: skip
    assert lines(session, f"funding:{lot.public_id}") == [("1100", 1_000_00), ("2040", -1_000_00)]
    with pytest.raises(Refused):
        ledger.require_cover(session, funds, "USD", 1)
    assert drifts(session, gateway) == []

    answered(stripe)
    for _again in range(2):
        lot = fundings.settle_funding(session, gateway, lot.session_id or "")
    assert lot.state == FundingState.PAID
    assert lines(session, f"funding:{lot.public_id}")[2:] == [
        ("2040", 1_000_00), ("5010", 5_00), ("2010", -1_000_00), ("4040", -5_00),
    ]  # fmt: skip
    assert drifts(session, gateway) == []


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_refused_debit_leaves_as_it_came_and_only_its_fee_is_ours(
    session, gateway, stripe, lumen, seen_before: bool
) -> None:
    client, project = lumen
    lot, url = a_funding(session, gateway, client, project, 1_000_00, Rail.BANK_DEBIT)
    hands.pay_by_debit(url, NO_MONEY)
    if seen_before:
        fundings.settle_funding(session, gateway, lot.session_id or "")
    answered(stripe)
    lot = fundings.settle_funding(session, gateway, lot.session_id or "")
    assert lot.state == FundingState.PROCESSING
    for _again in range(2):
        failures.track_failures(session, gateway)
    assert (lot.state, lot.failure) == (FundingState.FAILED, "insufficient_funds")
    assert lines(session, f"funding_failure:{lot.public_id}") == [
        ("2040", 1_000_00), ("5010", 5_00), ("1100", -1_005_00),
    ]  # fmt: skip
    assert fundings.settle_funding(session, gateway, lot.session_id or "").state == FundingState.FAILED
    # What Stripe kept is missing until the operator brings it; nothing else drifts.
    assert [each.subject for each in drifts(session, gateway)] == ["cover in USD"]
