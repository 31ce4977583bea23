"""What an expert lacks, in words; no first hour without a way to be paid; minimums, and pay on request."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace import clock, settings
from marketplace.actor import Role
from marketplace.contracts.entries import add_entry
from marketplace.contracts.timer import start_timer
from marketplace.demo.stripe_server import hands
from marketplace.errors import Invalid, Refused
from marketplace.mail import OutboxMail
from marketplace.payments import batches, calling_off, connected_accounts, facts, sending, tasks, taxforms
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount, PayoutItem
from marketplace.payments.setup import countries, missing, wishes
from marketplace.payments.setup.models import PayoutRequest
from marketplace.payments.states import Blocker, ItemState, TransfersState
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal, an_entry, person_of, work
from tests.factories.gigs import an_expert
from tests.factories.payments import (
    a_paid_deal,
    a_released_batch,
    an_approved_week,
    finance,
    set_up,
)
from tests.visitor import words as said

FRIDAY = MONDAY + timedelta(days=4)


def an_entry_of(
    what: str, when: str = "currently_due", who: str = "user", **more: object
) -> dict[str, object]:
    return {"what": what, "who": who, "when": when, "by": "", "stops": [], "errors": [], **more}


def an_account(session: Session, *requirements: dict[str, object], **fields: object) -> ConnectedAccount:
    person = a_person(session)
    made = ConnectedAccount(
        person_id=person.id, country="US", stripe_id=f"acct_{person.id}", created_at=clock.now(),
        transfers=TransfersState.RESTRICTED, requirements=list(requirements), **fields,
    )  # fmt: skip
    session.add(made)
    session.commit()
    return made


def test_what_is_missing_is_said_by_urgency_with_who_by_when_and_what_stops(session: Session):
    account = an_account(
        session,
        an_entry_of("identity.individual.id_numbers.us_ssn_last_4", "eventually_due"),
        an_entry_of(
            "identity.individual.documents.primary_verification",
            "past_due",
            by="2026-06-30T12:00:00Z",
            stops=["stripe_balance.stripe_transfers"],
            errors=["The document is not readable."],
        ),
        an_entry_of("identity.individual", who="stripe"),
    )
    late, now, later = missing.groups(account)
    assert [group.title for group in (late, now, later)] == ["Late", "Due now", "Needed later"]
    (document,) = late.entries
    assert document.what == "A photo of an identity document"
    assert document.by is not None
    assert document.by.isoformat() == "2026-06-30T12:00:00+00:00"
    assert document.stops == "If it is late, your pay cannot be sent; it stays owed to you."
    assert document.errors == ("The document is not readable.",)
    assert now.entries[0].from_stripe
    assert later.entries[0].what == "Your tax or social security number"


def test_what_this_site_has_no_words_for_is_shown_in_stripes(session: Session):
    account = an_account(session, an_entry_of("identity.individual.favourite_colour"))
    (entry,) = missing.groups(account)[0].entries
    assert entry.stripes_words == "identity.individual.favourite_colour"
    assert "no words" in entry.what


@given(
    st.lists(
        st.fixed_dictionaries(
            {"what": st.text(max_size=30), "who": st.text(max_size=5), "when": st.text(max_size=9),
             "by": st.text(max_size=12)},
            optional={"stops": st.lists(st.text(max_size=5), max_size=2)},
        ),
        max_size=5,
    )
)  # fmt: skip
def test_no_requirement_is_lost_whatever_stripe_calls_it(requirements):
    account = ConnectedAccount(requirements=requirements)
    found = [entry for group in missing.groups(account) for entry in group.entries]
    assert len(found) == len(requirements)
    assert all(entry.what for entry in found)


@pytest.mark.parametrize(
    ("reason", "way_out", "why", "what"),
    [
        ("requirements_past_due", "provide_info", "missing or late", "on Stripe’s pages"),
        ("restricted_other", "contact_stripe", "does not say why", "ask its support"),
        ("unsupported_country", "no_resolution", "in your country", "Write to us"),
        ("newer_than_this", "provide_info", "Stripe’s reason: newer_than_this", "on Stripe’s pages"),
    ],
)
def test_a_capability_that_is_off_has_a_reason_and_a_way_out(session: Session, reason, way_out, why, what):
    sentence = missing.standing(an_account(session, reason=reason, way_out=way_out))
    assert why in sentence
    assert what in sentence


def test_the_moment_of_the_summary_is_that_of_what_is_due_then():
    entry = {
        "awaiting_action_from": "user", "description": "identity.individual.address.line1", "errors": [],
        "minimum_deadline": {"status": "past_due"}, "requested_reasons": [],
        "impact": {"restricts_capabilities": [{"capability": "stripe_balance.stripe_transfers"}]},
    }  # fmt: skip
    later = {**entry, "minimum_deadline": {"status": "eventually_due"}}
    found = facts.of_account(
        {
            "id": "acct_1", "closed": False, "future_requirements": {"entries": [entry]},
            "requirements": {
                "entries": [entry, later],
                "summary": {"minimum_deadline": {"status": "past_due", "time": "2026-06-30T00:00:00Z"}},
            },
            "configuration": {"recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {
                "status": "restricted",
                "status_details": [{"code": "requirements_past_due", "resolution": "provide_info"}],
            }}}}},
        }
    )  # fmt: skip
    assert [(each.when, each.by) for each in found.requirements] == [
        ("past_due", "2026-06-30T00:00:00Z"), ("eventually_due", ""), ("eventually_due", ""),
    ]  # fmt: skip
    assert (found.reason, found.way_out) == ("requirements_past_due", "provide_info")


def mails(session: Session) -> list[str]:
    return [each.subject for each in session.scalars(sa.select(OutboxMail).order_by(OutboxMail.id))]


def test_a_mail_goes_out_when_something_becomes_due_and_only_then(session: Session):
    account = an_account(session)
    account.transfers = TransfersState.ACTIVE
    session.commit()
    due = facts.RequirementEntry("identity.individual.address.city", "user", "currently_due", "")
    seen = facts.Account(account.stripe_id or "", "active", (replace(due, when="eventually_due"),), False)
    connected_accounts.record_account(session, seen)
    assert mails(session) == []
    connected_accounts.record_account(session, replace(seen, requirements=(due,)))
    connected_accounts.record_account(session, replace(seen, requirements=(due,)))
    assert mails(session) == ["Stripe needs something from you"]


def test_whoever_has_just_begun_gets_no_mail_about_what_is_missing(session: Session, gateway: Gateway):
    expert = an_expert(session)
    connected_accounts.set_up_payouts(session, gateway, expert, return_url="http://x", refresh_url="http://x")
    assert mails(session) == []


# Countries


@pytest.mark.parametrize(("country", "served"), [("DE", True), ("GB", True), ("IN", False), ("XX", False)])
def test_countries_are_those_of_stripes_table(session: Session, country: str, served: bool):
    assert countries.served(session, country) is served


def test_the_operator_may_name_what_stripe_opened_for_them_besides(session: Session, monkeypatch):
    mine = replace(settings.current(), payout_countries=frozenset({"IN"}))
    monkeypatch.setattr(countries, "current", lambda: mine)
    assert countries.served(session, "IN")


def test_a_country_that_is_not_served_is_refused_in_words_before_stripe_is_asked(
    session: Session, gateway: Gateway, stripe: Handle
):
    expert = an_actor(session, a_person(session, "Indu Iyer", Role.EXPERT, country="IN"))
    with pytest.raises(Refused, match="does not pay to accounts in India"):
        connected_accounts.set_up_payouts(session, gateway, expert, return_url="http://x", refresh_url="x")
    assert session.scalars(sa.select(ConnectedAccount)).all() == []


# No first hour


@pytest.mark.pay_first
def test_nobody_begins_a_first_hour_before_they_could_be_paid(session: Session, gateway: Gateway):
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(hours=3)):
        with pytest.raises(Refused, match="Before your first hour"):
            start_timer(session, deal.expert, deal.contract.public_id, "review")
        with pytest.raises(Refused, match="Before your first hour"):
            add_entry(session, deal.expert, deal.contract.public_id, work(MONDAY))
        set_up(session, gateway, deal.expert)
        assert an_entry(session, deal, MONDAY).id


@pytest.mark.pay_first
def test_work_that_has_begun_goes_on_when_stripe_stops_paying(
    session: Session, gateway: Gateway, stripe: Handle
):
    with clock.at(MONDAY):
        deal = a_deal(session)
        account = set_up(session, gateway, deal.expert)
    with clock.at(MONDAY + timedelta(hours=8)):
        an_entry(session, deal, MONDAY)
        hands.stop_transfers(stripe.url, account.stripe_id or "")
        assert not connected_accounts.refresh_account(session, gateway, account.stripe_id or "").ready
        assert an_entry(session, deal, MONDAY + timedelta(hours=2)).id


@pytest.mark.pay_first
def test_a_tax_form_that_is_due_stands_in_the_way_too(session: Session, gateway: Gateway, monkeypatch):
    with clock.at(MONDAY):
        deal = a_deal(session)
        set_up(session, gateway, deal.expert)
    monkeypatch.setattr(taxforms, "due", lambda *_: taxforms.Missing("W-9", "A W-9 is due."))
    with clock.at(MONDAY + timedelta(hours=3)), pytest.raises(Refused, match="A W-9 is due"):
        start_timer(session, deal.expert, deal.contract.public_id, "review")


def test_in_tax_mode_external_no_form_is_ever_due(session: Session):
    assert taxforms.due(session, a_person(session).id) is None


@pytest.mark.pay_first
def test_offers_and_applications_say_so_with_the_way_to_mend_it(session: Session, app, cast):
    with clock.at(MONDAY):
        deal = a_deal(session)
        ana = cast.visitor(app, deal.expert)
        for path in (
            f"/offers/{deal.contract.offer.public_id}", f"/gigs/{deal.gig.public_id}", "/applications",
            f"/work/{deal.contract.public_id}",
        ):  # fmt: skip
            answer = ana.get(path)
            assert answer.status_code == 200, path
            assert "You cannot be paid yet" in said(answer), path
            assert 'href="/pay/setup"' in answer.text, path


# F21, F22


def a_released_item(session: Session, gateway: Gateway) -> tuple[Deal, PayoutItem]:
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
    return deal, batch.items[0]


def test_f21_a_refusal_for_a_capability_becomes_a_mail_and_the_pay_stays_owed(
    session: Session, gateway: Gateway, stripe: Handle
):
    _deal, item = a_released_item(session, gateway)
    assert item.account is not None
    hands.stop_transfers(stripe.url, item.account.stripe_id or "", quietly=True)
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, item.batch.public_id)
    assert (item.state, item.failure) == (ItemState.FAILED, "insufficient_capabilities_for_transfer")
    assert item.account.transfers is TransfersState.RESTRICTED
    assert {"About being paid", "A payment to you could not be sent"} <= set(mails(session))
    with clock.at(FRIDAY):
        again = batches.prepare_batch(session, finance(session).fin, clock.now())
    assert [each.blocker for each in again.items] == [Blocker.NOT_READY]


def test_f21_a_capability_that_went_off_after_the_release_is_not_even_asked_for(
    session: Session, gateway: Gateway, stripe: Handle
):
    _deal, item = a_released_item(session, gateway)
    assert item.account is not None
    hands.stop_transfers(stripe.url, item.account.stripe_id or "")
    connected_accounts.refresh_account(session, gateway, item.account.stripe_id or "")
    with clock.at(FRIDAY):
        assert sending.send_batch(session, gateway, item.batch.public_id) == 0
    assert item.state is ItemState.FAILED
    assert item.transfers == []


class Unknowing(Gateway):
    """Stripe knows nothing of the account that is sent to."""

    def __init__(self, url: str) -> None:
        super().__init__("sk_test_local", url)

    def send_transfer(self, *_args: object, **_kwargs: object) -> facts.SentTransfer:
        raise sending.GatewayRefused("resource_missing", "No such destination.")

    def account(self, account: str) -> facts.Account:
        raise sending.GatewayRefused("resource_missing", "No such account.")


def test_f22_an_account_that_is_gone_is_not_tried_for_ever_and_the_expert_makes_another(
    session: Session, gateway: Gateway, stripe: Handle
):
    deal, item = a_released_item(session, gateway)
    gone = item.account
    assert gone is not None
    with clock.at(FRIDAY):
        sending.send_batch(session, Unknowing(stripe.url), item.batch.public_id)
    assert item.state is ItemState.FAILED
    assert gone.ended_at is not None
    with clock.at(FRIDAY + timedelta(hours=1)):
        again = batches.prepare_batch(session, finance(session).fin, clock.now())
        assert [each.blocker for each in again.items] == [Blocker.NO_ACCOUNT]
        batches.cancel_batch(session, finance(session).fin, again.public_id)
        url = connected_accounts.set_up_payouts(
            session, gateway, deal.expert, return_url="http://x/", refresh_url="http://x/"
        )
        assert url
    live = session.scalars(sa.select(ConnectedAccount).filter_by(ended_at=None)).one()
    assert live.stripe_id != gone.stripe_id


def test_f22_one_refusal_alone_ends_no_account(session: Session, gateway: Gateway, stripe: Handle):
    """A key of another Stripe account knows none of ours, and one odd answer proves nothing."""
    _deal, item = a_released_item(session, gateway)
    assert item.account is not None
    elsewhere = Unknowing(stripe.url)
    elsewhere.account = gateway.account  # type: ignore[method-assign]
    with clock.at(FRIDAY):
        sending.send_batch(session, elsewhere, item.batch.public_id)
    assert item.account.ended_at is None


def test_f63_whose_account_was_closed_during_the_run_is_not_paid_before_somebody_decides(
    session: Session, gateway: Gateway
):
    deal, item = a_released_item(session, gateway)
    person_of(session, deal.expert).closed_at = FRIDAY
    session.commit()
    with clock.at(FRIDAY):
        assert sending.send_batch(session, gateway, item.batch.public_id) == 0
        assert (item.state, item.failure) == (ItemState.FAILED, "person_closed")
        again = batches.prepare_batch(session, finance(session).fin, clock.now())
    assert [each.blocker for each in again.items] == [Blocker.PERSON_CLOSED]


def test_a_balance_below_zero_is_filled_up_with_nobodys_pay(
    session: Session, gateway: Gateway, stripe: Handle, app, cast, monkeypatch
):
    monkeypatch.setattr(tasks, "connect", lambda _settings: gateway)
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    account = session.scalars(sa.select(ConnectedAccount)).one()
    hands.take_money(stripe.url, account.stripe_id or "", 25_00)
    connected_accounts.refresh_account(session, gateway, account.stripe_id or "")
    assert account.owes == {"USD": 25_00}
    with clock.at(FRIDAY):
        batch = batches.prepare_batch(session, finance(session).fin, clock.now())
        assert [each.blocker for each in batch.items] == [Blocker.NEGATIVE_BALANCE]
        assert "$25.00 below zero" in said(cast.visitor(app, deal.expert).get("/pay/setup"))


# Minimum and wishes


def an_owed_deal(session: Session, gateway: Gateway) -> Deal:
    """Ana is owed 150 dollars."""
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    return deal


def test_less_than_ones_own_minimum_waits_unless_one_asks_to_be_paid_now(session: Session, gateway: Gateway):
    deal = an_owed_deal(session, gateway)
    wishes.set_minimum(session, deal.expert, 200_00, "USD")
    with clock.at(FRIDAY):
        desk = finance(session)
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert [each.blocker for each in batch.items] == [Blocker.BELOW_MINIMUM]
        asked = wishes.ask_now(session, deal.expert)
        assert wishes.ask_now(session, deal.expert).id == asked.id
        batch = batches.prepare_batch(session, desk.fin, clock.now())
    assert [each.state for each in batch.items] == [ItemState.PREPARED]
    assert (asked.batch_id, wishes.open_request(session, deal.expert.id)) == (batch.id, None)


@pytest.mark.parametrize("end", ["cancel_batch", "cancel_item", "refused", "call_off"])
def test_a_wish_is_open_again_when_the_batch_that_took_it_up_does_not_pay(
    session: Session, gateway: Gateway, stripe: Handle, end: str
):
    deal = an_owed_deal(session, gateway)
    wishes.set_minimum(session, deal.expert, 200_00, "USD")
    wish = wishes.ask_now(session, deal.expert)
    account = session.scalars(sa.select(ConnectedAccount)).one()
    with clock.at(FRIDAY):
        desk = finance(session)
        batch = a_released_batch(session, desk) if end in ("refused", "call_off") else None
        batch = batch or batches.prepare_batch(session, desk.fin, clock.now())
        (item,) = batch.items
        assert wish.batch_id == batch.id
        if end == "cancel_batch":
            batches.cancel_batch(session, desk.fin, batch.public_id)
        elif end == "cancel_item":
            batches.cancel_item(session, desk.fin, item.public_id)
        elif end == "refused":
            hands.stop_transfers(stripe.url, account.stripe_id or "", quietly=True)
            sending.send_batch(session, gateway, batch.public_id)
        else:
            calling_off.call_off(session, desk.fin, item.public_id, "She asked for it.")
    assert wishes.open_request(session, deal.expert.id) == wish


def test_a_newer_wish_takes_the_place_of_the_one_given_back(session: Session, gateway: Gateway):
    deal = an_owed_deal(session, gateway)
    wishes.ask_now(session, deal.expert)
    with clock.at(FRIDAY):
        desk = finance(session)
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        newer = wishes.ask_now(session, deal.expert)
        batches.cancel_batch(session, desk.fin, batch.public_id)
    assert wishes.open_request(session, deal.expert.id) == newer


def test_a_wish_stays_open_while_something_blocks_it(session: Session, gateway: Gateway):
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    session.scalars(sa.select(ConnectedAccount)).one().owes = {"USD": 1}
    session.commit()
    wishes.ask_now(session, deal.expert)
    with clock.at(FRIDAY):
        batches.prepare_batch(session, finance(session).fin, clock.now())
    assert wishes.open_request(session, deal.expert.id) is not None
    wishes.take_back(session, deal.expert)
    assert session.scalars(sa.select(PayoutRequest)).one().withdrawn_at is not None


@pytest.mark.parametrize("amount", [0, 99, 10_000_01])
def test_a_minimum_is_not_below_the_operators_nor_out_of_reach(session: Session, amount: int):
    with pytest.raises(Invalid):
        wishes.set_minimum(session, an_expert(session), amount, "USD")


def test_an_expert_chooses_and_asks_on_their_page(session: Session, gateway: Gateway, app, cast):
    deal = an_owed_deal(session, gateway)
    with clock.at(FRIDAY):
        ana = cast.visitor(app, deal.expert)
        assert "Pay me now" in said(ana.get("/pay/setup"))
        assert "The smallest payment here is $1.00" in said(ana.post("/pay/minimum", minimum="0.50"))
        assert "You are paid from $400.00" in said(ana.post("/pay/minimum", minimum="400"))
        assert "$150.00 is approved, and you are paid from $400.00 on" in said(ana.get("/pay/setup"))
        assert "you asked to be paid now" in said(ana.post("/pay/now"))
        assert "Ask to be paid now 1" in said(cast.visitor(app, finance(session).fin).get("/payouts"))
        assert "Pay me now" in said(ana.post("/pay/now/withdrawal"))


def test_a_requirement_is_kept_as_it_was_read():
    entry = facts.RequirementEntry("a", "user", "past_due", "", ("b",), ("c",))
    assert missing.missing(asdict(entry)).errors == ("c",)
