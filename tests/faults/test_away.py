"""F19 to F22: Stripe is away for hours, has too little money of ours, or pays nobody at that account."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from marketplace.contracts.approvals import approve_timesheet
from marketplace.credentials.models import Credential
from marketplace.db import new_session
from marketplace.demo.stripe_server import hands
from marketplace.mail import OutboxMail
from marketplace.payments import sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.states import Blocker, ItemState
from tests.factories.accounts import PASSWORD, a_sign_in
from tests.factories.credentials import PDF, a_claim
from tests.faults.ready import PAY, Model, Ready
from tests.faults.site import site, visitor

pytestmark = pytest.mark.committed
SENT, RELEASED, FAILED = ItemState.SENT, ItemState.RELEASED, ItemState.FAILED


def test_f19_while_stripe_is_away_for_two_hours_everybody_goes_on(house: Ready, ready_model: Model) -> None:
    house.released()
    sheet = house.submitted_later(house.ana)
    house.stripe.kill()
    with site(ready_model.settings, lambda: new_session(house.committed.url)) as app:
        email = a_sign_in(house.session, house.cast.person(house.ben)).email
        stranger = visitor(app, house.session, house.zed)
        stranger.client.delete_cookie("session")
        assert "Ben" in stranger.post("/sign-in", email=email, password=PASSWORD).text
        for who, path in (
            (house.ana, "/pay"),
            (house.dev, f"/timesheets/{sheet.public_id}"),
            (house.fin, "/payouts"),
        ):
            assert visitor(app, house.session, who).get(path).status_code == 200, path
    approve_timesheet(house.session, house.dev, sheet.public_id, sheet.version)
    claim = a_claim(house.session, house.ana, document=PDF).id
    for _round in range(12):
        house.pays(minutes=10)
        assert house.states() == [RELEASED, RELEASED]
    assert house.session.get_one(Credential, claim).document
    house.stripe.start_again()
    house.pays(minutes=5)
    house.each_once()


def drain(house: Ready, left: int) -> None:
    """Stripe pays the rest of our balance to the operator's bank."""
    held = house.gateway.balance().spendable("USD")["card"]
    house.gateway.send_payout("drain", amount=held - left, currency="USD", source_type="card", metadata={})


def test_f20_who_cannot_be_paid_yet_waits_and_the_others_are_paid(house: Ready) -> None:
    batch = house.released()
    drain(house, PAY + 40_00)
    house.pays()
    [first, second] = house.items()
    assert (first.state, second.state) == (SENT, RELEASED)
    assert (second.blocker, second.shortfall) == (Blocker.SHORT_BALANCE, PAY - 40_00)
    assert house.batch(batch).state.value == "sending"
    more_money(house)
    house.pays()
    assert house.states() == [SENT, SENT]
    assert len(house.at_stripe()) == 2


class Rich(Gateway):
    """Another worker has spent what this one believes to be there."""

    def balance(self, account: str | None = None) -> object:  # type: ignore[override]
        return Plenty()


class Plenty:
    def spendable(self, _currency: str) -> dict[str, int]:
        return {"card": 1_000_000_00}


def test_f20_stripe_itself_has_the_last_word_on_what_is_there(house: Ready) -> None:
    batch = house.released()
    drain(house, PAY)
    sending.send_batch(house.session, Rich("sk_test_local", house.stripe.url), batch)
    [first, second] = house.items()
    assert (first.state, second.state, second.blocker) == (SENT, RELEASED, Blocker.SHORT_BALANCE)
    more_money(house)
    house.pays()
    assert house.states() == [SENT, SENT]
    assert [each.state.value for each in house.items()[1].transfers] == ["failed", "sent"]


def more_money(house: Ready) -> None:
    """Top up, and let it arrive."""
    made = house.gateway.send_top_up("more", amount=1_000_00, currency="USD", metadata={})
    for _day in range(10):
        house.minutes(24 * 60)
        house.stripe.settle()
        if house.gateway.top_up(made.id).status == "succeeded":
            break
    hands.rest(house.stripe.url)


def test_f21_the_capability_goes_off_unseen_between_release_and_call(house: Ready) -> None:
    house.released()
    hands.arm(house.stripe.url, "capability_off", house.items()[0].account.stripe_id)  # type: ignore[union-attr, arg-type]
    house.pays()
    [first, second] = house.items()
    assert (first.state, second.state) == (FAILED, SENT)
    assert first.failure == "insufficient_capabilities_for_transfer"
    address = house.cast.person(house.ana).email
    subjects = house.session.scalars(sa.select(OutboxMail.subject).filter_by(to_address=address)).all()
    assert "A payment to you could not be sent" in subjects
    house.sound()


def test_f22_no_such_destination_is_not_tried_for_ever(house: Ready) -> None:
    house.released()
    [first, _second] = house.items()
    assert first.account is not None
    gone = {"applied_configurations": ["recipient"]}
    house.stripe.client().v2.core.accounts.close(first.account.stripe_id or "", gone)  # type: ignore[arg-type]
    for _round in range(4):
        house.pays(minutes=10)
    [first, second] = house.items()
    assert (first.state, first.failure, second.state) == (FAILED, "resource_missing", SENT)
    assert len(first.transfers) == 1
    assert first.account is not None
    assert first.account.ended_at is not None, "the expert makes another"
    house.sound()
