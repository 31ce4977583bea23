"""A client funds a project: by card, by bank transfer, twice, and when it does not work out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Role
from marketplace.demo.stripe_server import hands
from marketplace.errors import Invalid, NotAllowed, NotFound
from marketplace.ledger import chart
from marketplace.payments import fees, fundings
from marketplace.payments.gateway import Gateway
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.states import AT_STRIPE, FundingState, Rail
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import a_person, an_actor
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import DECLINED, SITE, a_funding, fund_by_card


@pytest.fixture
def lumen(session: Session):
    client, organization = a_client(session)
    return client, a_project(session, client, organization)


def lines(session: Session, source: str) -> list[tuple[str, int]]:
    return [
        (posting.account.code, posting.amount)
        for entry in ledger.entries_for(session, source)
        for posting in entry.postings
    ]


def test_a_card_payment_credits_the_project_with_what_was_asked(session, gateway, lumen):
    client, project = lumen
    lot = fund_by_card(session, gateway, client, project, 1_000_00)
    assert lot.state == FundingState.PAID
    assert (lot.charge_amount, lot.fee, lot.net) == (1_030_17, 30_17, 1_000_00)
    assert lines(session, f"funding:{lot.public_id}") == [
        ("1100", 1_000_00),
        ("5010", 30_17),
        ("2010", -1_000_00),
        ("4040", -30_17),
    ]
    assert gateway.balance().total("USD") == 1_000_00


def test_browser_webhook_and_poller_may_all_come_and_it_is_booked_once(session, gateway, lumen):
    client, project = lumen
    lot = fund_by_card(session, gateway, client, project, 500_00)
    for _again in range(3):
        fundings.settle_funding(session, gateway, lot.session_id)
    assert len(ledger.entries_for(session, f"funding:{lot.public_id}")) == 1
    assert ledger.balance(session, chart.project_funds(project.public_id), "USD") == -lot.net


def test_a_second_click_finds_the_same_lot_and_the_same_page(session, gateway, lumen):
    client, project = lumen
    first, url = a_funding(session, gateway, client, project, 500_00)
    second, again = a_funding(session, gateway, client, project, 500_00)
    assert (first.public_id, url) == (second.public_id, again)


def test_the_page_of_a_paid_lot_is_not_opened_again(session, gateway, lumen):
    client, project = lumen
    lot, url = a_funding(session, gateway, client, project, 500_00)
    hands.pay(url)
    again = fundings.open_checkout(session, gateway, client, lot.public_id, return_url=SITE, cancel_url=SITE)
    assert again is None
    assert lot.state == FundingState.PAID


def test_a_declined_card_leaves_the_page_open_and_takes_nothing(session, gateway, lumen):
    client, project = lumen
    lot, url = a_funding(session, gateway, client, project, 500_00)
    with pytest.raises(hands.Stuck, match="insufficient funds"):
        hands.pay(url, DECLINED)
    assert fundings.settle_funding(session, gateway, lot.session_id).state == FundingState.OPEN
    assert gateway.balance().total("USD") == 0


def test_a_bank_transfer_counts_when_it_has_arrived_and_not_before(session, gateway, stripe: Handle, lumen):
    client, project = lumen
    start = clock.now() - timedelta(days=20)
    with clock.at(start):
        lot, url = a_funding(session, gateway, client, project, 20_000_00, Rail.BANK_TRANSFER)
        assert lot.charge_amount == 20_005_00
        assert fundings.settle_funding(session, gateway, lot.session_id).state == FundingState.OPEN
        hands.promise_bank_transfer(url, moment=start)
    stripe.settle()
    lot = fundings.settle_funding(session, gateway, lot.session_id)
    assert (lot.state, lot.net, lot.source_type) == (FundingState.PAID, 20_000_00, "bank_account")


def test_a_promised_bank_transfer_is_processing(session, gateway, lumen):
    client, project = lumen
    lot, url = a_funding(session, gateway, client, project, 20_000_00, Rail.BANK_TRANSFER)
    hands.promise_bank_transfer(url)
    assert fundings.settle_funding(session, gateway, lot.session_id).state == FundingState.PROCESSING
    assert ledger.balance(session, chart.project_funds(project.public_id), "USD") == 0


def test_a_page_left_unused_expires_and_the_next_lot_is_a_new_one(
    session, gateway, stripe: Handle, lumen, monkeypatch
):
    client, project = lumen
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(stripe.clock_file))
    lot, _url = a_funding(session, gateway, client, project, 500_00)
    clock.advance(timedelta(days=2))
    stripe.settle()
    assert fundings.settle_funding(session, gateway, lot.session_id).state == FundingState.EXPIRED
    other, _url = a_funding(session, gateway, client, project, 500_00)
    assert other.public_id != lot.public_id


def test_when_stripe_is_away_nothing_is_lost_and_the_client_can_go_on_later(session, stripe: Handle, lumen):
    client, project = lumen
    gateway = Gateway("sk_test_local", stripe.url)
    lot = fundings.prepare_funding(session, client, project.public_id, 500_00, Rail.CARD)
    stripe.stop()
    with pytest.raises(GatewayUnknown):
        fundings.open_checkout(session, gateway, client, lot.public_id, return_url=SITE, cancel_url=SITE)
    stripe.start_again()
    assert fundings.open_checkout(session, gateway, client, lot.public_id, return_url=SITE, cancel_url=SITE)


def test_a_stranger_sees_no_project_and_an_approver_funds_none(session, cast, lumen):
    _client, project = lumen
    with pytest.raises(NotFound):
        fundings.prepare_funding(session, cast.zed, project.public_id, 500_00, Rail.CARD)
    approver = an_actor(
        session, a_person(session, "Dev", Role.CLIENT_APPROVER, organization=project.organization)
    )
    with pytest.raises(NotAllowed):
        fundings.prepare_funding(session, approver, project.public_id, 500_00, Rail.CARD)


@pytest.mark.parametrize(("amount", "field"), [(999, "amount"), (99_999_999, "amount")])
def test_too_little_and_too_much_are_refused_beside_the_amount(session, lumen, amount, field):
    client, project = lumen
    with pytest.raises(Invalid) as refused:
        fundings.prepare_funding(session, client, project.public_id, amount, Rail.CARD)
    assert refused.value.field == field


@pytest.mark.parametrize("rail", AT_STRIPE)
@pytest.mark.parametrize("amount", [10_00, 99_99, 1_000_00, 99_499, 123_456_78])
def test_the_charge_is_the_smallest_of_which_the_amount_is_left(amount, rail):
    today = clock.now().date()
    price, quote = fees.price(rail, "USD", today), fees.quote(amount, "USD", rail, today)
    assert quote.charge - price.of(quote.charge) >= amount
    assert quote.charge - 1 - price.of(quote.charge - 1) < amount
    assert quote.amount + quote.processing == quote.charge
