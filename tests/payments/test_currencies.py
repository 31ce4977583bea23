"""What Stripe changes between currencies goes through 1290; money of none or three decimals stays whole."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.ledger import chart, export, queries
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.money import Money
from marketplace.payments import converting, covered, facts, fees, fundings, sweeps
from marketplace.payments.chargebacks import recording
from marketplace.payments.chargebacks.proofs import PROOFS as CHARGEBACK_PROOFS
from marketplace.payments.models import Funding
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.refunds import books, planning
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import ChargebackState, FundingState, Rail, RefundState
from marketplace.reconciliation.proofs import money_is_covered
from tests.factories.chargebacks import a_dispute, a_move
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import finance
from tests.payments.test_funding import lines

EURO = facts.Charge(
    "ch_1", 1_000_00, "EUR", 33_48, 1_046_52, "txn_1", "card", clock.now(), 1_080_00, "USD", Decimal("1.08")
)


@pytest.fixture
def euro(session: Session) -> Funding:
    return a_lot(session, EURO)


def a_lot(session: Session, charge: facts.Charge) -> Funding:
    """A lot of a project in the charge's currency, that was just paid at Stripe."""
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    session.execute(sa.text("UPDATE projects SET currency = :c"), {"c": charge.currency})
    session.refresh(project)
    lot = Funding(
        project=project, organization_id=project.organization_id, currency=charge.currency,
        amount=charge.amount - converting.fee_of(charge), charge_amount=charge.amount, rail=Rail.CARD,
        state=FundingState.OPEN, session_id="cs_1", created_by=client.id, created_at=clock.now(),
    )  # fmt: skip
    session.add(lot)
    session.commit()
    return fundings.record_checkout(
        session, facts.Checkout("cs_1", None, "complete", "paid", "pi_1", "succeeded", None, charge)
    )


def fine(session: Session) -> None:
    proofs = (*PROOFS, *CHARGEBACK_PROOFS, *LEDGER_PROOFS)
    assert [(proof.code, drift) for proof in proofs for drift in proof.run(session)] == []


def test_f50_each_currency_balances_by_itself_and_both_meet_in_1290(session, euro) -> None:
    assert (euro.state, euro.net, euro.fee) == (FundingState.PAID, 969_00, 31_00)
    assert lines(session, f"funding:{euro.public_id}") == [
        ("1290", 1_000_00), ("2010", -969_00), ("4040", -31_00),
        ("1100", 1_046_52), ("5010", 33_48), ("1290", -1_080_00),
    ]  # fmt: skip
    funds = chart.project_funds(euro.project.public_id)
    assert (ledger.balance(session, funds, "EUR"), ledger.balance(session, funds, "USD")) == (-969_00, 0)
    fine(session)
    session.execute(sa.text("UPDATE fundings SET settled_amount = settled_amount + 1"))
    assert "P7" in [proof.code for proof in PROOFS if list(proof.run(session))]


def test_what_goes_back_is_changed_at_the_rate_of_its_day(session, euro) -> None:
    refund = Refund(
        project=euro.project, funding=euro, amount=500_00, currency="EUR", asked_by=euro.created_by,
        prepared_at=clock.now(),
    )  # fmt: skip
    session.add(refund)
    session.commit()
    with pytest.raises(GatewayUnknown):
        moved_back(session, refund, None)
    moved_back(session, refund, a_move("back", -550_00, kind="refund"))
    assert lines(session, f"refund:{refund.public_id}")[2:] == [
        ("1290", 550_00), ("1100", -550_00), ("2510", 500_00), ("1290", -500_00),
    ]  # fmt: skip
    fine(session)


def releaser(session: Session) -> int:
    """Who let an earlier refund go, or a new one of finance."""
    before = session.scalar(sa.select(Refund.released_by).where(Refund.released_by.is_not(None)).limit(1))
    return before or finance(session).gil.id


@use_case
def moved_back(
    session: Session, refund: Refund, move: facts.BalanceTransaction | None, name: str = "re_1"
) -> None:
    if refund.state is RefundState.PREPARED:
        refund.released_by, refund.released_at = releaser(session), clock.now()
        books.take_off(session, SITE, refund)
        refund.first_tried_at, refund.stripe_id = clock.now(), name
        refund.state = RefundState.SENDING
    books.sent(session, refund, move)


@pytest.mark.parametrize(("back", "gain"), [(1_090_00, 10_00), (1_080_00, 0), (1_070_00, -10_00)])
def test_a_chargeback_that_is_won_at_another_rate_is_won(session, euro, back: int, gain: int) -> None:
    moves = (a_move("out", -1_080_00, 15_00), a_move("in", back))
    found = recording.record(session, a_dispute(euro, moves=moves[:1]))
    assert found.state is ChargebackState.NEEDS_RESPONSE
    found = recording.record(session, a_dispute(euro, "won", moves=moves))
    assert (found.state, found.trouble, found.contested) == (ChargebackState.WON, None, 0)
    assert ledger.balance(session, chart.currency_realised(), "USD") == -gain
    assert ledger.balance(session, chart.contested(found.public_id), "USD") == 0
    recording.record(session, a_dispute(euro, "won", moves=moves))
    fine(session)


def test_more_back_than_left_in_the_same_currency_is_still_trouble(session) -> None:
    dollars = facts.Charge("ch_1", 100_00, "USD", 3_20, 96_80, "txn_1", "card", clock.now(), 100_00, "USD")
    lot = a_lot(session, dollars)
    moves = (a_move("out", -100_00), a_move("in", 101_00))
    assert recording.record(session, a_dispute(lot, "won", moves=moves)).trouble == "positive_sum"


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "1000000"), ("KWD", "1000.000")])
def test_currencies_of_none_and_three_decimals_stay_whole_in_the_books(session, app, currency, shown) -> None:
    charge = facts.Charge(
        "ch_1", 1_040_700, currency, 40_700, 1_000_000, "txn_1", "card", clock.now(), 1_040_700, currency
    )
    lot = a_lot(session, charge)
    assert lot.net == 1_000_000
    with app.test_request_context():
        rows = list(export.rows(session, queries.journal()))
    assert [row[-2] for row in rows if row[6] == "2010"] == [shown]
    fine(session)


def test_of_a_currency_with_three_decimals_whole_tens_go_back_and_the_rest_by_hand(session) -> None:
    charge = facts.Charge(
        "ch_1", 104_170, "KWD", 13_251, 325_749, "txn_1", "card", clock.now(), 339_000, "USD", Decimal("3.25")
    )
    lot = a_lot(session, charge)
    assert lot.net is not None
    assert lot.net % 10
    parts = planning.plan(session, lot.project, Money(lot.net, "KWD"))
    assert [(part.lot, part.amount.amount) for part in parts] == [
        (lot, lot.net // 10 * 10), (None, lot.net % 10)
    ]  # fmt: skip


@given(amount=st.integers(3_000, 90_000_000), currency=st.sampled_from(["USD", "EUR", "JPY", "KWD"]))
def test_a_charge_leaves_what_was_asked_and_stripe_takes_its_amount(amount: int, currency: str) -> None:
    today = clock.now().date()
    quote, price = fees.quote(amount, currency, Rail.CARD, today), fees.price(Rail.CARD, currency, today)
    step = 10 if currency == "KWD" else 1
    assert quote.charge % step == 0
    assert 0 <= quote.charge - price.of(quote.charge) - amount < step
    assert Money(quote.charge, currency).amount == quote.charge


@pytest.mark.parametrize(
    "broken", ["UPDATE projects SET currency = 'JPY'", "UPDATE fundings SET currency = 'JPY'"]
)
def test_a_project_and_its_payments_are_of_one_currency(session, euro, broken: str) -> None:
    with pytest.raises(DBAPIError):
        session.execute(sa.text(broken))


@use_case
def came_back(session: Session, refund: Refund, returned: facts.BalanceTransaction | None) -> None:
    books.came_back(session, refund, "expired", returned)


def a_refund(session: Session, lot: Funding, amount: int) -> Refund:
    refund = Refund(
        project=lot.project, funding=lot, amount=amount, currency=lot.currency, asked_by=lot.created_by,
        prepared_at=clock.now(),
    )  # fmt: skip
    session.add(refund)
    session.commit()
    return refund


def test_a_refund_that_comes_back_brings_what_stripe_returned(session, euro) -> None:
    refund = a_refund(session, euro, 500_00)
    moved_back(session, refund, a_move("back", -550_00, kind="refund"))
    with pytest.raises(GatewayUnknown):
        came_back(session, refund, None)
    came_back(session, refund, a_move("returned", 540_00, kind="refund_failure"))
    assert lines(session, f"refund:{refund.public_id}")[6:] == [
        ("1100", 540_00), ("1290", -550_00), ("6010", 10_00), ("1290", 500_00), ("2500", -500_00),
    ]  # fmt: skip
    assert ledger.balance(session, chart.stripe_balance(), "EUR") == 0
    fine(session)


def test_what_a_payment_left_once_all_of_it_went_back_is_a_gain_or_loss_and_ours(session) -> None:
    lot = a_lot(session, replace(EURO, fee=0, net=1_080_00))
    for amount, took in ((400_00, 440_00), (600_00, 630_00)):
        refund = a_refund(session, lot, amount)
        moved_back(session, refund, a_move(f"back {amount}", -took, kind="refund"), f"re_{amount}")
        fine(session)
    left = ledger.balance(session, chart.stripe_balance(), "USD")
    assert left == 10_00 == -ledger.balance(session, chart.currency_realised(), "USD")
    assert sweeps.sweepable(session, "USD") == left
    assert ledger.balance(session, chart.currency_clearing(), "USD") == 0
    came_back(session, refund, a_move("returned", 640_00, kind="refund_failure"))
    assert ledger.balance(session, chart.currency_realised(), "USD") == -10_00
    assert ledger.balance(session, chart.currency_clearing(), "USD") == 440_00 - 1_080_00
    fine(session)


@pytest.mark.parametrize("back", [1_090_00, 1_070_00])
def test_what_changing_money_gained_or_lost_is_swept_with_our_fees(session, euro, back: int) -> None:
    def ours() -> int:
        return ledger.balance(session, chart.stripe_balance(), "USD") - sweeps.sweepable(session, "USD")

    before, moves = ours(), (a_move("out", -1_080_00), a_move("in", back))
    recording.record(session, a_dispute(euro, moves=moves[:1]))
    recording.record(session, a_dispute(euro, "won", moves=moves))
    assert ours() == before


def test_what_is_owed_in_the_currency_of_a_payment_is_covered_by_what_it_was_changed_into(
    session, euro
) -> None:
    assert list(money_is_covered(session)) == []
    found = {each: covered.look(session, each) for each in ("EUR", "USD")}
    assert [(each.there, each.owed) for each in found.values()] == [(969_00, 969_00), (1_046_52, 1_046_51)]
    ledger.post(
        session, SITE, source="gone:1", event="x", currency="USD", occurred_at=clock.now(), memo="",
        lines=[(chart.chargeback_losses(), 2), (chart.stripe_balance(), -2)],
    )  # fmt: skip
    assert [drift.subject for drift in money_is_covered(session)] == ["cover in USD"]
    refund = a_refund(session, euro, 500_00)
    moved_back(session, refund, a_move("back", -540_00, kind="refund"))
    assert covered.look(session, "USD").short == 1
