"""F62: a bank account is changed at Stripe. Nothing is sent there for 72 hours; the old address is told."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.demo.stripe_server import hands
from marketplace.errors import NotAllowed, NotFound, Refused
from marketplace.mail import OutboxMail
from marketplace.payments import batches, connected_accounts, events, facts, resolving, sending, tasks
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount, PayoutItem
from marketplace.payments.outcomes import GatewayRefused, GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.setup import holding, schedules
from marketplace.payments.setup.models import BankHold
from marketplace.payments.setup.proofs import nothing_is_sent_while_held
from marketplace.payments.states import Blocker, ItemState
from tests.demo.stripe_server.harness import KEY, Handle, until
from tests.factories.contracts import MONDAY, Deal
from tests.factories.gigs import an_expert
from tests.factories.payments import Finance, a_paid_deal, a_released_batch, an_approved_week, finance
from tests.visitor import words

FRIDAY = MONDAY + timedelta(days=4)
OVER = timedelta(hours=72, minutes=1)


@pytest.fixture(autouse=True)
def one_stripe(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "connect", lambda _settings: gateway)


@pytest.fixture
def deal(session: Session, gateway: Gateway) -> Deal:
    with clock.at(MONDAY):
        made = a_paid_deal(session, gateway)
    an_approved_week(session, made, MONDAY)
    return made


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(FRIDAY):
        return finance(session)


def account_of(session: Session) -> ConnectedAccount:
    return session.scalars(sa.select(ConnectedAccount)).one()


def change_bank(
    session: Session, gateway: Gateway, deal: Deal, at: datetime, number: str = "000222222227"
) -> BankHold:
    """The expert, or whoever is signed in as them, gives another bank account on Stripe's pages."""
    with clock.at(at):
        url = connected_accounts.set_up_payouts(
            session, gateway, deal.expert, return_url="http://x/", refresh_url="http://x/"
        )
        hands.onboard(url, *deal.expert.name.split(), account_number=number, moment=clock.overridden())
        connected_accounts.refresh_account(session, gateway, account_of(session).stripe_id or "")
    hold = session.scalars(sa.select(BankHold).order_by(BankHold.id.desc())).first()
    assert hold is not None
    return hold


def holds(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(BankHold)) or 0


def interval(gateway: Gateway, session: Session) -> str:
    return gateway.schedule(account_of(session).stripe_id or "").interval


def test_f62_new_transfers_wait_72_hours_and_then_go(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    assert hold.until == FRIDAY + timedelta(hours=72)
    with clock.at(FRIDAY + timedelta(hours=71)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert [each.blocker for each in batch.items] == [Blocker.BANK_CHANGED]
    with clock.at(FRIDAY + OVER):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert [each.state for each in batch.items] == [ItemState.PREPARED]


def test_f62_a_change_after_the_release_holds_what_is_not_sent_yet(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    with clock.at(FRIDAY):
        batch = a_released_batch(session, desk)
    change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        assert sending.send_batch(session, gateway, batch.public_id) == 0
    (item,) = batch.items
    assert (item.state, item.blocker) == (ItemState.RELEASED, Blocker.BANK_CHANGED)
    with clock.at(FRIDAY + OVER):
        assert sending.send_batch(session, gateway, batch.public_id) == 1
    assert (item.state, item.blocker) == (ItemState.SENT, None)
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_f62_a_change_between_prepare_and_release_blocks_the_item(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    with clock.at(FRIDAY):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
    change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY), pytest.raises(Refused, match="Nobody in this batch"):
        batches.release_batch(session, desk.gil, batch.public_id)


def test_the_first_bank_account_and_the_same_again_hold_nothing(
    session: Session, gateway: Gateway, deal: Deal
):
    account = account_of(session)
    assert account.bank_mark is not None
    connected_accounts.refresh_account(session, gateway, account.stripe_id or "")
    assert holds(session) == 0


def test_an_event_about_a_bank_account_leads_to_the_same_hold(session: Session, gateway: Gateway, deal: Deal):
    account = account_of(session)
    account.bank_mark = b"x" * 32
    session.commit()
    notice = facts.Notice("evt_1", "account.external_account.updated", account.stripe_id, "ba_1", {})
    with clock.at(FRIDAY):
        events.store_event(session, events.Source.CONNECT, notice)
        events.drain_webhooks(session, gateway)
    assert holds(session) == 1


def test_f62_every_known_address_is_told_and_the_link_keeps_the_hold_without_signing_in(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance, app, cast
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    mail = session.scalars(
        sa.select(OutboxMail).filter_by(subject="Your bank account at Stripe was changed")
    ).one()
    assert "72" not in mail.text
    found = re.search(r"(/bank-change/\S+)", mail.text)
    assert found is not None
    with clock.at(FRIDAY + timedelta(hours=1)):
        anyone = cast.visitor(app, cast.zed)
        assert "This was not me" in words(anyone.get(found[1]))
        assert "held until somebody" in words(anyone.post(found[1]))
    assert hold.denied_at is not None
    with clock.at(FRIDAY + timedelta(days=30)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert [each.blocker for each in batch.items] == [Blocker.BANK_CHANGED]


def test_a_link_of_nobody_opens_nothing(session: Session):
    with pytest.raises(NotFound):
        holding.by_token(session, "nothing")


def test_after_the_hold_it_is_too_late_to_deny(session: Session, gateway: Gateway, deal: Deal):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY + OVER), pytest.raises(Refused, match="The hold is over"):
        holding.deny_own(session, deal.expert, hold.public_id)


def test_nobody_denies_for_another(session: Session, gateway: Gateway, deal: Deal):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY), pytest.raises(NotFound):
        holding.deny_own(session, an_expert(session, "Ben Baker"), hold.public_id)


def test_f64_two_people_end_a_hold_early_and_neither_alone(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        with pytest.raises(Refused, match="Nobody has said yet"):
            holding.end(session, desk.gil, hold.public_id)
        holding.ask_to_end(session, desk.gil, hold.public_id, "I called her.")
        with pytest.raises(NotAllowed, match="somebody else"):
            holding.end(session, desk.gil, hold.public_id)
        holding.ask_to_end(session, desk.fin, hold.public_id, "I called her.")
        holding.end(session, desk.gil, hold.public_id)
        assert not hold.holds
        batch = batches.prepare_batch(session, desk.fin, clock.now())
    assert [each.state for each in batch.items] == [ItemState.PREPARED]


@pytest.mark.parametrize(
    "change",
    [
        "ended_at = until - interval '1 hour'",
        "ended_at = until, ended_by = 1",
        "until = until - interval '1 day'",
    ],
)
def test_the_database_ends_no_hold_before_its_time_without_two(
    session: Session, gateway: Gateway, deal: Deal, change: str
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.text(f"UPDATE bank_holds SET {change} WHERE id = {hold.id}"))


def test_payouts_of_the_account_are_manual_for_72_hours_and_then_as_before(
    session: Session, gateway: Gateway, deal: Deal
):
    before = interval(gateway, session)
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        assert schedules.keep_schedules(session, gateway) == 1
        assert schedules.keep_schedules(session, gateway) == 0
    assert (before, interval(gateway, session)) == ("daily", "manual")
    with clock.at(FRIDAY + OVER):
        assert schedules.keep_schedules(session, gateway) == 1
    assert interval(gateway, session) == "daily"
    assert hold.restored_at is not None


def test_a_second_change_keeps_them_manual_until_its_own_end(session: Session, gateway: Gateway, deal: Deal):
    change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        schedules.keep_schedules(session, gateway)
    second = FRIDAY + timedelta(hours=48)
    change_bank(session, gateway, deal, second, "000999999991")
    for at, expected in ((second, "manual"), (FRIDAY + OVER, "manual"), (second + OVER, "daily")):
        with clock.at(at):
            schedules.keep_schedules(session, gateway)
        assert interval(gateway, session) == expected, at


def test_f62_payouts_that_became_daily_again_while_it_is_held_are_made_manual_again(
    session: Session, gateway: Gateway, deal: Deal
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    account = account_of(session).stripe_id or ""
    with clock.at(FRIDAY):
        schedules.keep_schedules(session, gateway)
    gateway.set_schedule("late", account, facts.Schedule("daily"))
    with clock.at(FRIDAY + timedelta(minutes=5)):
        assert schedules.keep_schedules(session, gateway) == 1
        assert schedules.keep_schedules(session, gateway) == 0
    assert interval(gateway, session) == "manual"
    assert hold.schedule_before == {"interval": "daily", "weekly_payout_days": [], "monthly_payout_days": []}
    with clock.at(FRIDAY + OVER):
        schedules.keep_schedules(session, gateway)
    assert interval(gateway, session) == "daily"


def test_schedules_are_kept_by_one_worker_at_a_time(session: Session, gateway: Gateway, deal: Deal):
    change_bank(session, gateway, deal, FRIDAY)
    locks = session.scalars(
        sa.text("SELECT lock FROM procrastinate_jobs WHERE task_name = 'payments.keep_schedules'")
    )
    assert set(locks) == {"payments.keep_schedules@"}


class Silent(Gateway):
    """The line is cut before or after Stripe changed the schedule."""

    def __init__(self, url: str, *, after: bool) -> None:
        super().__init__(KEY, url)
        self.after = after

    def set_schedule(self, *args: object) -> facts.Schedule:
        if self.after:
            super().set_schedule(*args)  # type: ignore[arg-type]
        raise GatewayUnknown("no_answer", "")


@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_was_lost_is_asked_for_again_and_the_schedule_before_is_not_forgotten(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, after: bool
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        schedules.keep_schedules(session, Silent(stripe.url, after=after))
    assert (hold.manual_at, hold.failure) == (None, "no_answer")
    with clock.at(FRIDAY + timedelta(hours=1)):
        schedules.keep_schedules(session, gateway)
    assert hold.schedule_before == {"interval": "daily", "weekly_payout_days": [], "monthly_payout_days": []}
    with clock.at(FRIDAY + OVER):
        schedules.keep_schedules(session, Silent(stripe.url, after=after))
        assert hold.restored_at is None
    with clock.at(FRIDAY + OVER + timedelta(hours=1)):
        schedules.keep_schedules(session, gateway)
    assert interval(gateway, session) == "daily"


def test_a_proof_finds_what_was_sent_while_it_was_held(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    with clock.at(FRIDAY):
        batch = a_released_batch(session, desk)
        sending.send_batch(session, gateway, batch.public_id)
    assert list(nothing_is_sent_while_held(session)) == []
    before = FRIDAY - timedelta(hours=1)
    for number, end in ((b"1", FRIDAY - timedelta(minutes=1)), (b"2", FRIDAY + timedelta(hours=1))):
        session.add(
            BankHold(account=account_of(session), begun_at=before, until=end, token_hash=number * 32, tries=0)
        )
    session.flush()
    assert len(list(nothing_is_sent_while_held(session))) == 1


def test_expert_and_finance_see_it_and_press_the_buttons(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance, app, cast
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY + timedelta(hours=1)):
        ana = cast.visitor(app, deal.expert)
        page = words(ana.get("/pay/setup"))
        assert "Pay is held until Mon 8 Jun 2026, 12:00, New York time" in page
        assert "This was not me" in page
        fin = cast.visitor(app, desk.fin)
        assert "Held" in words(fin.get("/payouts/holds"))
        assert "Fill this in" in words(fin.post(f"/payouts/holds/{hold.public_id}/reason", reason=""))
        fin.post(f"/payouts/holds/{hold.public_id}/reason", reason="I called her on her old number.")
        gil = cast.visitor(app, replace(desk.gil, second_factor_at=clock.now()))
        assert "I called her" in words(gil.get("/payouts/holds"))
        gil.post(f"/payouts/holds/{hold.public_id}/end")
        assert "Ended by" in words(gil.get("/payouts/holds"))
        assert "was changed" not in words(ana.get("/pay/setup"))
    assert session.scalars(sa.select(PayoutItem)).all() == []


class Unheard(Gateway):
    """The line is cut before Stripe made the transfer."""

    def send_transfer(self, *_args: object, **_more: object) -> facts.SentTransfer:
        raise GatewayUnknown("no_answer", "")


@pytest.mark.parametrize("denied", [False, True])
def test_f62_a_transfer_of_unknown_outcome_is_not_sent_again_while_it_is_held(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance, denied: bool
):
    with clock.at(FRIDAY):
        batch = a_released_batch(session, desk)
        sending.send_batch(session, Unheard(KEY, stripe.url), batch.public_id)
    hold = change_bank(session, gateway, deal, FRIDAY + timedelta(minutes=5))
    (item,) = batch.items
    (transfer,) = item.transfers
    with clock.at(FRIDAY + timedelta(minutes=6)):
        if denied:
            holding.deny_own(session, deal.expert, hold.public_id)
        resolving.resolve_unknown(session, gateway)
    assert (item.state, transfer.failure, transfer.last_tried_at) == (ItemState.UNKNOWN, "held", FRIDAY)
    with clock.at(FRIDAY + timedelta(hours=26)):
        resolving.resolve_unknown(session, gateway)
    assert (item.state, item.failure) == (ItemState.FAILED, "not_found_after_a_day")
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []
    assert list(nothing_is_sent_while_held(session)) == []


def test_a_transfer_that_nothing_stops_is_sent_again_and_the_proof_sees_when(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance
):
    with clock.at(FRIDAY):
        batch = a_released_batch(session, desk)
        sending.send_batch(session, Unheard(KEY, stripe.url), batch.public_id)
    again = FRIDAY + timedelta(hours=1)
    with clock.at(again):
        resolving.resolve_unknown(session, gateway)
    (item,) = batch.items
    (transfer,) = item.transfers
    assert (item.state, transfer.first_tried_at, transfer.last_tried_at) == (ItemState.SENT, FRIDAY, again)
    assert list(nothing_is_sent_while_held(session)) == []
    session.add(
        BankHold(
            account=account_of(session), begun_at=again - timedelta(minutes=1), until=again + OVER,
            token_hash=b"1" * 32, tries=0,
        )
    )  # fmt: skip
    session.flush()
    assert len(list(nothing_is_sent_while_held(session))) == 1


def test_f64_who_asked_to_end_a_hold_before_it_was_denied_has_to_ask_again(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        holding.ask_to_end(session, desk.fin, hold.public_id, "Looks routine.")
    with clock.at(FRIDAY + timedelta(minutes=1)):
        holding.deny_own(session, deal.expert, hold.public_id)
        with pytest.raises(Refused, match="Nobody has said yet"):
            holding.end(session, replace(desk.gil, second_factor_at=clock.now()), hold.public_id)
    with clock.at(FRIDAY + timedelta(minutes=2)):
        holding.ask_to_end(session, desk.fin, hold.public_id, "I called her.")
        holding.end(session, replace(desk.gil, second_factor_at=clock.now()), hold.public_id)
    assert not hold.holds


def test_the_database_ends_no_denied_hold_by_a_request_from_before(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        holding.ask_to_end(session, desk.fin, hold.public_id, "Looks routine.")
    denied = "denied_at = ending_at + interval '1 minute', ended_at = until"
    with pytest.raises(DBAPIError, match="ending_after_denial"), session.begin_nested():
        session.execute(
            sa.text(f"UPDATE bank_holds SET {denied}, ended_by = :gil WHERE id = :id"),
            {"gil": desk.gil.id, "id": hold.id},
        )


def another_account(session: Session, gateway: Gateway, deal: Deal, at: datetime) -> ConnectedAccount:
    """The expert's account was closed at Stripe, and they set up another with another bank account."""
    old = account_of(session)
    with clock.at(at):
        found = gateway.account(old.stripe_id or "")
        connected_accounts.record_account(session, replace(found, closed=True, transfers="unsupported"))
        url = connected_accounts.set_up_payouts(
            session, gateway, deal.expert, return_url="http://x/", refresh_url="http://x/"
        )
        hands.onboard(
            url, *deal.expert.name.split(), account_number="000222222227", moment=clock.overridden()
        )
        new = session.scalars(sa.select(ConnectedAccount).filter_by(ended_at=None)).one()
        stripe_id = new.stripe_id or ""
        until(lambda: connected_accounts.refresh_account(session, gateway, stripe_id).ready)
    assert new.id != old.id
    return new


def test_f62_another_account_at_stripe_is_held_as_another_bank_account_is(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    new = another_account(session, gateway, deal, FRIDAY)
    (hold,) = session.scalars(sa.select(BankHold)).all()
    assert (hold.account, hold.until) == (new, FRIDAY + timedelta(hours=72))
    with clock.at(FRIDAY + timedelta(hours=1)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
    assert [each.blocker for each in batch.items] == [Blocker.BANK_CHANGED]


def test_what_was_denied_holds_every_account_of_the_person_until_two_end_it(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        holding.deny_own(session, deal.expert, hold.public_id)
    new = another_account(session, gateway, deal, FRIDAY)
    later = FRIDAY + timedelta(days=30)
    with clock.at(later):
        assert holding.hold_of(session, new.id) == hold
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert [each.blocker for each in batch.items] == [Blocker.BANK_CHANGED]
        holding.ask_to_end(session, desk.fin, hold.public_id, "I called her.")
        holding.end(session, replace(desk.gil, second_factor_at=clock.now()), hold.public_id)
        batch = batches.prepare_batch(session, desk.fin, clock.now())
    assert [each.state for each in batch.items] == [ItemState.PREPARED]


def test_the_proof_finds_what_was_sent_to_another_account_after_a_denial(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    new = another_account(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY + timedelta(hours=1)):
        own = holding.hold_of(session, new.id)
        assert own is not None
        holding.ask_to_end(session, desk.fin, own.public_id, "I called her.")
        holding.end(session, replace(desk.gil, second_factor_at=clock.now()), own.public_id)
        batch = a_released_batch(session, desk)
        assert sending.send_batch(session, gateway, batch.public_id) == 1
    assert list(nothing_is_sent_while_held(session)) == []
    hold.denied_at = FRIDAY + timedelta(minutes=30)
    session.flush()
    assert len(list(nothing_is_sent_while_held(session))) == 1


def test_an_account_of_which_no_bank_was_noted_is_held_when_stripe_says_that_it_changed(
    session: Session, gateway: Gateway, deal: Deal
):
    account = account_of(session)
    account.bank_mark = None
    session.commit()
    for number, kind in enumerate(("created", "updated")):
        notice = facts.Notice(
            f"evt_{number}", f"account.external_account.{kind}", account.stripe_id, f"ba_{number}", {}
        )
        account.bank_mark = None
        session.commit()
        with clock.at(FRIDAY):
            events.store_event(session, events.Source.CONNECT, notice)
            events.drain_webhooks(session, gateway)
        assert holds(session) == number


def test_an_account_of_which_no_bank_was_noted_is_held_once_it_was_sent_to(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    account = account_of(session)
    with clock.at(FRIDAY):
        batch = a_released_batch(session, desk)
        sending.send_batch(session, gateway, batch.public_id)
        account.bank_mark = None
        session.commit()
        connected_accounts.refresh_account(session, gateway, account.stripe_id or "")
    assert holds(session) == 1


class Closed(Gateway):
    """Stripe says that the account is closed, and nothing else of it."""

    def account(self, account: str) -> facts.Account:
        return replace(super().account(account), closed=True, transfers="unsupported")

    def banks(self, account: str) -> list[facts.Bank]:
        raise GatewayRefused("account_invalid", account)


def test_an_account_that_is_closed_at_stripe_is_ended_here(session: Session, stripe: Handle, deal: Deal):
    account = account_of(session)
    connected_accounts.refresh_account(session, Closed(KEY, stripe.url), account.stripe_id or "")
    assert account.ended_at is not None
