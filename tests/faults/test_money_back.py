"""F43, F46 and F50 to F53: what was decided is changed, or money that was paid comes back."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from marketplace import ledger, money
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.entries import change_entry, remove_entry
from marketplace.contracts.models import Approval, Timesheet
from marketplace.contracts.timesheets import return_timesheet, submit_timesheet
from marketplace.demo.stripe_server import hands
from marketplace.errors import DomainError, Refused
from marketplace.gigs.projects import ProjectDraft, create_project
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, Posting
from marketplace.money import Money
from marketplace.notifications.models import Notification
from marketplace.payments import batches, connected_accounts, events, facts
from marketplace.payments.models import ConnectedPayout
from marketplace.payments.states import Blocker, ItemState
from marketplace.proofs import failing
from marketplace.reconciliation import fetching, passes
from tests.factories.contracts import work
from tests.faults.ready import PAY, Ready
from tests.stories import acts

pytestmark = pytest.mark.committed
WHY = "Ten of the forty studies were read again on Wednesday."


def journal(house: Ready) -> list[tuple[object, ...]]:
    """All that is booked so far, line by line."""
    house.session.rollback()
    query = (
        sa.select(JournalEntry.source, JournalEntry.event, Posting.account_id, Posting.amount)
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .order_by(JournalEntry.id, Posting.id)
    )
    return [tuple(row) for row in house.session.execute(query)]


@pytest.mark.parametrize("paid", [False, True], ids=["approved", "paid"])
def test_f43_what_was_approved_is_corrected_by_something_new(house: Ready, paid: bool) -> None:
    if paid:
        house.released()
        house.pays()
        house.each_once()
    sheet = house.session.scalars(sa.select(Timesheet).order_by(Timesheet.id)).first()
    assert sheet is not None
    [entry] = sheet.entries
    before, start = journal(house), entry.started_at
    seen, row, version, at = sheet.public_id, entry.public_id, sheet.version, entry.version
    tries = (
        lambda: change_entry(house.session, house.ana, row, at, work(start, 30)),
        lambda: remove_entry(house.session, house.ana, row, at),
        lambda: return_timesheet(house.session, house.carla, seen, version, "work_missing", WHY),
        lambda: submit_timesheet(house.session, house.ana, seen, version),
    )
    for act in tries:
        with pytest.raises(DomainError):
            act()
    for statement in (
        "UPDATE time_entries SET ended_at = ended_at + interval '1 hour'", "DELETE FROM time_entries",
        "DELETE FROM timesheets", "UPDATE timesheets SET state = 'open'", "DELETE FROM approvals",
        "UPDATE approvals SET expert_amount = 1",
        "UPDATE postings SET amount = amount * 2", "DELETE FROM journal_entries",
    ):  # fmt: skip
        house.session.rollback()
        with pytest.raises(sa.exc.DBAPIError):
            kept(house, statement)
    house.session.rollback()
    draft = Draft(Kind.BONUS, 25_00, "outstanding", WHY, uuid4())
    adjust(house.session, house.carla, house.contract(house.ana).public_id, draft)
    after = journal(house)
    assert after[: len(before)] == before
    assert {row[0].partition(":")[0] for row in after[len(before) :]} == {"adjustment"}  # type: ignore[attr-defined]
    assert house.session.scalars(sa.select(Approval.expert_amount)).all() == [PAY, PAY]
    house.sound()


def kept(house: Ready, statement: str) -> None:
    house.session.execute(sa.text(statement))
    house.session.commit()
    pytest.fail(statement)


def sent(house: Ready) -> UUID:
    batch = house.released()
    house.works()
    house.each_once()
    return batch


def payouts(house: Ready) -> list[ConnectedPayout]:
    house.session.rollback()
    house.session.expire_all()
    return list(house.session.scalars(sa.select(ConnectedPayout).order_by(ConnectedPayout.id)))


def test_f50_a_payout_that_was_paid_fails_and_is_paid_again_by_itself(house: Ready) -> None:
    sent(house)
    house.until(day=9)
    assert house.states() == [ItemState.PAID, ItemState.PAID]
    ana = house.items()[0]
    assert ana.account is not None
    [failed] = [each for each in payouts(house) if each.account.id == ana.account.id]
    hands.fail_payout(house.stripe.url, failed.stripe_id)
    # Stripe tells of it; without a webhook it is seen when the item is to be settled.
    notice = facts.Notice("evt_failed", "payout.failed", ana.account.stripe_id, failed.stripe_id, {})
    events.store_event(house.session, events.Source.CONNECT, notice)
    events.drain_webhooks(house.session, house.gateway)
    assert house.states() == [ItemState.RETURNED, ItemState.PAID]
    told = house.session.scalars(sa.select(Notification.title).filter_by(person_id=house.ana.id)).all()
    assert any("sent $150.00 back" in each for each in told)
    person = house.cast.person(house.ana).public_id
    assert ledger.balance(house.session, chart.expert_held(person), "USD") == PAY
    with pytest.raises(Refused, match="Nothing that was approved"):
        acts.prepared_batch(house)
    assert len(house.at_stripe()) == 2, "no new transfer"
    house.sound()


def test_f51_a_transfer_that_is_taken_back_in_part_is_seen_to_the_cent(house: Ready) -> None:
    """Somebody reverses it at Stripe. The books name what is different, and a refused reversal is nothing."""
    sent(house)
    house.until(day=4, hour=13)
    assert failing(house.session) == []
    transfer = house.items()[0].transfers[0].stripe_id or ""
    client = house.stripe.client().v1.transfers.reversals
    client.create(transfer, {"amount": 40_00})
    with pytest.raises(Exception, match=r"insufficient|greater|left"):
        client.create(transfer, {"amount": PAY})
    house.minutes(20)
    fetching.fetch_stripe(house.session, house.gateway)
    passes.run(house.session)
    found = failing(house.session)
    expected = ledger.balance(house.session, chart.stripe_balance(), "USD")
    assert house.gateway.balance().total("USD") - expected == 40_00
    assert any(each.startswith("P2 ") and str(expected) in each for each in found), found
    assert any(each.startswith("P6 ") for each in found), found
    # Stripe tells of it, and what came back is owed again.
    notice = facts.Notice("evt_reversed", "transfer.reversed", None, transfer, {})
    events.store_event(house.session, events.Source.PLATFORM, notice)
    events.drain_webhooks(house.session, house.gateway)
    person = house.cast.person(house.ana).public_id
    assert ledger.balance(house.session, chart.expert_payable(person), "USD") == -40_00
    fetching.fetch_stripe(house.session, house.gateway)
    house.sound()


def test_f52_a_balance_below_zero_is_filled_with_nobodys_pay(house: Ready) -> None:
    account = house.session.scalars(
        sa.select(connected_accounts.ConnectedAccount).filter_by(person_id=house.ana.id)
    )
    ana = account.one()
    stripe_id = ana.stripe_id or ""
    batch = acts.prepared_batch(house).public_id
    hands.take_money(house.stripe.url, stripe_id, 25_00)
    connected_accounts.refresh_account(house.session, house.gateway, stripe_id)
    assert ana.owes == {"USD": 25_00}
    batches.release_batch(house.session, house.gil, batch)
    house.pays()
    [first, second] = house.items()
    assert (first.state, first.blocker) == (ItemState.BLOCKED, Blocker.NEGATIVE_BALANCE)
    assert second.state is ItemState.SENT
    person = house.cast.person(house.ana).public_id
    assert ledger.balance(house.session, chart.expert_payable(person), "USD") == -PAY, "it stays owed"
    again = acts.prepared_batch(house)
    assert [each.blocker for each in again.items] == [Blocker.NEGATIVE_BALANCE]
    assert len(house.at_stripe()) == 1


def test_f52_below_zero_between_release_and_call_the_item_waits(house: Ready) -> None:
    house.released()
    account = house.items()[0].account
    assert account is not None
    hands.take_money(house.stripe.url, account.stripe_id or "", 25_00)
    connected_accounts.refresh_account(house.session, house.gateway, account.stripe_id or "")
    house.pays()
    [first, _second] = house.items()
    assert (first.state, first.blocker) == (ItemState.RELEASED, Blocker.NEGATIVE_BALANCE)
    # Stripe takes it from the expert's bank, and the next look sees it.
    found = house.gateway.account(account.stripe_id or "")
    connected_accounts.record_account(house.session, found, (), {})
    house.pays()
    assert house.states() == [ItemState.SENT, ItemState.SENT]


@pytest.mark.parametrize("text", ["10.5", "1.00", "0.1", "1e3", "¥5x", "-5"])
def test_f53_a_yen_has_no_parts(text: str) -> None:
    with pytest.raises(DomainError):
        money.parse(text, "JPY")


def test_f53_amounts_are_minor_units_of_their_own_currency() -> None:
    assert money.parse("1,500", "JPY").amount == 1_500
    assert money.parse("1.500", "KWD").amount == 1_500
    assert money.parse("1500", "USD").amount == 1_500_00
    with pytest.raises(DomainError):
        money.parse("1.505", "USD")
    with pytest.raises(ValueError, match="do not mix"):
        Money(1, "USD") + Money(1, "JPY")


def test_f53_another_currency_is_refused_before_stripe_is_asked(house: Ready) -> None:
    with pytest.raises(ValueError, match="unknown currency"):
        create_project(
            house.session,
            house.carla,
            house.cast.lumen.public_id,
            ProjectDraft("Odd", "For nobody", currency="XXX"),
        )
    with pytest.raises(Refused, match="Nothing that was approved"):
        batches.prepare_batch(house.session, house.fin, house.now(), "JPY")
    assert house.session.scalars(sa.select(batches.PayoutBatch)).all() == []
    assert house.at_stripe() == []
