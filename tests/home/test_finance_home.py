"""The finance home: what it adds up from what is on record, who sees it, and what it asks for."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.fees.setting import FeeDraft, first_day, propose_fee
from marketplace.contracts.states import OfferState
from marketplace.home.desk import desks
from marketplace.home.finance import ageing, flows, outlook, places
from marketplace.home.finance.forecast import Why
from marketplace.home.finance.running import Running, running
from marketplace.home.finance.waiting import waiting
from marketplace.home.finance.words import pace
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.payments import batches, tasks
from marketplace.payments.chargebacks import recording
from marketplace.payments.facts import Balance, BalanceTransaction
from marketplace.payments.models import ConnectedAccount, PayoutBatch, TopUp
from marketplace.payments.runs import pausing
from marketplace.payments.states import BatchState, TopUpState, TransfersState
from marketplace.payments.tax.models import Remittance, TaxThreshold
from marketplace.payments.tax.states import Why as WithheldFor
from marketplace.reconciliation import fetching
from tests.cast import Cast
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.chargebacks import a_dispute, a_move
from tests.factories.contracts import MONDAY, a_deal, a_submitted_week
from tests.factories.payments import finance
from tests.payments.test_currencies import EURO, a_lot, a_refund, moved_back
from tests.visitor import Visitor, words

# Releasing asks for jobs, whose handlers register themselves when they are imported.
assert tasks
# A Tuesday; pay runs leave on Fridays.
NOW = MONDAY + timedelta(days=8, hours=15)


def stripe_has(session: Session, card: int, bank: int, coming: int = 0) -> None:
    """As if Stripe had just been asked: what is available by part, and what of cards becomes available."""
    fetching.keep_balance(
        session,
        None,
        Balance({"USD": {"card": card, "bank_account": bank}}, {"USD": coming}, {"USD": {"card": coming}}),
    )


def a_payment(session: Session, net: int, available_on: datetime) -> None:
    id_ = f"txn_{uuid.uuid4().hex}"
    fetching.keep_transactions(
        session,
        None,
        [BalanceTransaction(id_, "charge", "charge", net, 0, net, "USD", "ch_1", clock.now(), available_on)],
    )


def by_why(session: Session) -> dict[Why, tuple[int, int]]:
    """How many and how much, of each reason, in the next ten business days."""
    found: dict[Why, tuple[int, int]] = {}
    for each in flows.flows(session, outlook.next_days(session)[-1]):
        count, amount = found.get(each.why, (0, 0))
        found[each.why] = (count + each.count, amount + each.amount)
    return found


def test_what_is_on_record_makes_the_forecast(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        other = a_deal(session)
    with clock.at(MONDAY + timedelta(days=7, hours=1)):
        approved = a_submitted_week(session, deal, MONDAY, minutes=120)
        submitted = a_submitted_week(session, other, MONDAY, minutes=60)
        approve_timesheet(session, deal.approver, approved.public_id, approved.version)
    pay = approved.approvals[0].expert_amount
    with clock.at(NOW):
        stripe_has(session, 1_000, 0, 500)
        a_payment(session, 500, NOW + timedelta(days=1))
        session.commit()
        moving = by_why(session)
        assert moving == {
            Why.PENDING: (1, 500),
            Why.PAYABLE: (1, -pay),
            Why.DEADLINE: (1, -pay // 2),
        }
        [look] = outlook.outlooks(session, "USD")
        assert look.forecast.opening == {"card": 1_000, "bank_account": 0}
        assert look.forecast.days[-1].end == 1_000 + 500 - pay - pay // 2
        assert look.top_up is not None
        assert look.top_up.amount.amount == pay + pay // 2 - 1_500
        friday = next(day for day in look.forecast.days if day.day.weekday() == 4)
        assert Why.PAYABLE in {each.why for each in friday.flows}
        of_friday = dict(flows.of_row(session, friday, "USD", 10))
        assert [each.amount for each in of_friday[Why.PAYABLE]] == [-pay]
    assert submitted.approve_by is not None


def test_what_a_prepared_batch_pays_is_not_counted_twice(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(days=7, hours=1)):
        sheet = a_submitted_week(session, deal, MONDAY, minutes=120)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    session.add(
        ConnectedAccount(
            person_id=deal.expert.id, stripe_id="acct_1", country="US",
            transfers=TransfersState.ACTIVE, requirements=[], owes={}, created_at=clock.now(),
        )
    )  # fmt: skip
    session.commit()
    with clock.at(NOW):
        desk = finance(session)
        batch = batches.prepare_batch(session, desk.fin, NOW)
        pay = batch.items[0].amount
        assert by_why(session) == {Why.PREPARED: (1, -pay)}
        [mine, *_rest] = waiting(session, desk.gil)
        assert (mine.mine, mine.endpoint, mine.amount.amount) == (True, "payments.batch", pay)
        assert [each.mine for each in waiting(session, desk.fin)] == [False]
        [sums] = ageing.owed(session, "USD")
        assert (sums.payable.amount, sums.buckets[0].amount.amount) == (pay, pay)
        [who] = ageing.creditors(session, "USD", 0, 7, 10)
        assert (who.name, who.amount.amount) == (deal.expert.name, pay)
        batches.release_batch(session, replace(desk.gil, second_factor_at=NOW), batch.public_id)
        assert by_why(session) == {Why.RELEASED: (1, -pay)}
        [sums] = ageing.owed(session, "USD")
        assert (sums.payable.amount, sums.in_flight.amount) == (0, pay)
        assert ageing.creditors(session, "USD", 0, 7, 10) == []
    with clock.at(NOW + timedelta(days=40)):
        [sums] = ageing.owed(session, "USD")
        assert [bucket.amount.amount for bucket in sums.buckets] == [0, 0, 0, 0, 0]


def test_what_is_owed_longest_is_what_the_books_have_besides(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(days=7, hours=1)):
        sheet = a_submitted_week(session, deal, MONDAY, minutes=120)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    pay = sheet.approvals[0].expert_amount
    for days, bucket in ((7, 0), (8, 1), (30, 1), (31, 2), (61, 3), (90, 3), (91, 4), (400, 4)):
        with clock.at(MONDAY + timedelta(days=7 + days, hours=2)):
            [sums] = ageing.owed(session, "USD")
            found = [each.amount.amount for each in sums.buckets]
            assert found == [pay if number == bucket else 0 for number in range(5)], days


def test_cash_stands_where_the_books_have_it(session: Session) -> None:
    lines = [
        (chart.bank_client(), 700),
        (chart.stripe_balance(), 300),
        (chart.project_funds(uuid.uuid4()), -1_000),
    ]
    ledger.post(
        session, SITE, source="funding:x", event="paid", currency="USD", occurred_at=NOW, memo="", lines=lines
    )
    session.commit()
    with clock.at(NOW):
        stripe_has(session, 200, 50, 50)
    session.commit()
    [found] = places.places(session, "USD")
    assert {code: each.amount for code, each in found.held.items() if each} == {"1020": 700, "1100": 300}
    assert [(each.source_type, each.available.amount, each.pending.amount) for each in found.parts] == [
        ("card", 200, 50),
        ("bank_account", 50, 0),
    ]
    assert found.total.amount == 1_000
    assert places.ages(session).stripe == NOW


def test_a_top_up_under_way_comes_when_stripe_says(session: Session) -> None:
    with clock.at(NOW):
        desk = finance(session)
        session.add(
            TopUp(
                currency="USD", amount=4_000, state=TopUpState.SENT, prepared_by=desk.fin.id, prepared_at=NOW,
                released_by=desk.gil.id, released_at=NOW, stripe_id="tu_1",
                expected_on=(NOW + timedelta(days=2)).date(), attempt=1, tries=1,
            )
        )  # fmt: skip
        session.commit()
        [coming] = flows.flows(session, outlook.next_days(session)[-1])
        assert (coming.amount, coming.source_type) == (4_000, "bank_account")


def test_only_finance_sees_it(app: Flask, session: Session, cast: Cast) -> None:
    for path in ("/finance", "/finance/sending", "/finance/owed/USD", "/finance/forecast/USD/2026-03-02"):
        for stranger in (cast.ana, cast.carla, cast.opa):
            assert Visitor(enter(app.test_client(), session, stranger)).get(path).status_code == 404, path


def test_the_form_of_a_top_up_is_filled_in(app: Flask, session: Session) -> None:
    fin = an_actor(session, a_person(session, "Fin Farrell", Role.FINANCE_PREPARER))
    visitor = Visitor(enter(app.test_client(), session, fin))
    assert 'value="1234.50"' in visitor.get("/top-ups?amount=1234.50").text
    assert visitor.get("/finance").status_code == 200
    assert "Nothing waits to be decided" in words(visitor.get("/finance"))


def test_the_desk_leads_to_what_a_colleague_proposed(session: Session) -> None:
    desk = finance(session)
    propose_fee(session, desk.fin, FeeDraft(first_day(session), 1_500, "A volume discount was agreed."))
    for who, told in ((desk.fin, False), (desk.gil, True)):
        [found] = desks(session, who, "USD")
        assert ("A colleague proposes a fee." in [task.sentence for task in found.tasks]) is told
        assert [each.mine for each in waiting(session, who)] == [told]


def test_a_pause_is_said_beside_the_batch_that_it_holds(session: Session) -> None:
    desk = finance(session)
    batch = PayoutBatch(
        currency="USD", state=BatchState.RELEASED, cut_off_at=NOW, prepared_by=desk.fin.id, prepared_at=NOW,
        released_by=desk.gil.id, released_at=NOW,
    )  # fmt: skip
    session.add(batch)
    session.commit()
    with clock.at(NOW + timedelta(minutes=1)):
        [found] = running(session)
        assert (found.left, found.pauses) == (None, [])
        pausing.pause(session, desk.fin, batch.public_id, "Stripe is slow today.")
        [found] = running(session)
        assert "Paused by Fin Farrell" in pace(found)
        assert "Stripe is slow today." in pace(found)


def test_a_batch_takes_as_long_as_it_went_in_the_last_minute(session: Session) -> None:
    batch = PayoutBatch(currency="USD")
    fast = Running(batch, 1_000, 600, 0, 0, Money(0, "USD"), Money(0, "USD"), 20.0, [])
    assert (fast.done, fast.left, fast.at_best) == (400, timedelta(seconds=30), timedelta(seconds=24))
    # Stripe's limit holds, whatever was measured.
    assert replace(fast, rate=60.0).left == timedelta(seconds=24)
    assert replace(fast, waiting=100).left == timedelta(seconds=25)
    assert replace(fast, rate=0.0).left is None


def test_tax_that_a_colleague_proposes_leads_to_its_page(app: Flask, session: Session) -> None:
    desk = finance(session)
    session.add(
        TaxThreshold(
            form="nec", from_year=2031, amount=2_100_00, transactions=0, source="P.L. 119-21, 70433",
            state=OfferState.MADE, made_by=desk.fin.id, made_at=NOW,
        )
    )  # fmt: skip
    session.add(
        Remittance(
            why=WithheldFor.BACKUP, currency="USD", amount=240_00, until_on=NOW.date(), reference="EFTPS 1",
            prepared_by=desk.fin.id, prepared_at=NOW,
        )
    )  # fmt: skip
    session.commit()
    found = {each.endpoint: each.mine for each in waiting(session, desk.gil)}
    assert found == {"payments.tax_thresholds": True, "payments.tax_remittance": True}
    assert Visitor(enter(app.test_client(), session, desk.gil)).get("/finance").status_code == 200


def test_what_goes_back_is_forecast_in_the_currency_in_which_stripe_holds_it(session: Session) -> None:
    lot = a_lot(session, EURO)
    refund = a_refund(session, lot, 500_00)
    recording.record(session, a_dispute(lot, "warning_needs_response", amount=100_00))
    session.execute(sa.text("UPDATE fundings SET source_type = 'bank_account'"))
    moving = {each.why: each for each in flows.flows(session, outlook.next_days(session)[-1])}
    said = {why: (each.currency, each.source_type, each.amount) for why, each in moving.items()}
    assert said[Why.REFUND] == ("USD", "bank_account", -540_00)
    assert said[Why.CHARGEBACK] == ("USD", "bank_account", -108_00)
    # Sent, and not in the last figures of Stripe; then in them.
    later = clock.now() + timedelta(minutes=5)
    stripe_has(session, 1_000_00, 0)
    session.commit()
    with clock.at(later):
        moved_back(session, refund, a_move("back", -550_00, kind="refund"))
        assert by_why(session)[Why.REFUND] == (1, -550_00)
    with clock.at(later + timedelta(minutes=5)):
        stripe_has(session, 450_00, 0)
        session.commit()
        assert Why.REFUND not in by_why(session)
