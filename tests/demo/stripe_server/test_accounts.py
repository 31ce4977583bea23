"""An expert becomes able to receive money."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from marketplace.demo.stripe_server.accounts import CHECKING_TAKES
from tests.demo.stripe_server.harness import until
from tests.demo.stripe_server.people import ELSEWHERE, Platform


def test_a_new_account_is_told_what_is_missing(platform: Platform) -> None:
    account = platform.account()
    assert account.configuration.recipient.capabilities.stripe_balance.stripe_transfers.status == "restricted"
    entries = account.requirements.entries
    assert {entry.awaiting_action_from for entry in entries} == {"user"}
    assert "identity.individual.surname" in [entry.description for entry in entries]


def test_onboarding_leads_back_and_makes_transfers_active(platform: Platform) -> None:
    account = platform.account()
    assert hands.onboard(platform.link(account.id).url) == f"{ELSEWHERE}/return"
    assert platform.status(account.id) == "pending"
    clock.advance(timedelta(seconds=CHECKING_TAKES))
    until(lambda: platform.status(account.id) == "active")
    found = platform.client.v2.core.accounts.retrieve(account.id, {"include": ["requirements", "identity"]})
    assert found.requirements.entries == []
    assert found.identity.individual.surname == "Silva"


def test_arriving_at_the_return_address_does_not_mean_finished(platform: Platform) -> None:
    account = platform.account()
    link = platform.link(account.id).url
    with hands.Visitor(link) as visitor:
        page = visitor.follow(link)
        assert visitor.submit(f"{page}/leave", {}) == f"{ELSEWHERE}/return"
    assert platform.status(account.id) == "restricted"


def test_a_link_works_once(platform: Platform) -> None:
    link = platform.link(platform.account().id).url
    hands.onboard(link)
    assert hands.onboard(link) == f"{ELSEWHERE}/refresh"


def test_a_link_lasts_five_minutes(platform: Platform) -> None:
    link = platform.link(platform.account().id).url
    clock.advance(timedelta(seconds=300))
    assert hands.onboard(link) == f"{ELSEWHERE}/refresh"


def test_a_wrong_routing_number_is_said_beside_its_field(platform: Platform) -> None:
    link = platform.link(platform.account().id).url
    with hands.Visitor(link) as visitor:
        page = visitor.follow(link)
        visitor.submit(page, {"step": "name", "given_name": "Ana", "surname": "Silva", "country": "us"})
        with pytest.raises(hands.Stuck, match="nine digits"):
            visitor.submit(page, {"step": "bank", "routing_number": "12", "account_number": "000123456789"})


def test_what_include_does_not_ask_for_is_null(platform: Platform) -> None:
    found = platform.client.v2.core.accounts.retrieve(platform.account().id)
    assert found.configuration is None
    assert found.requirements is None


def test_the_express_dashboard_needs_the_platform_to_carry_fees_and_losses(platform: Platform) -> None:
    stripe_pays = {"responsibilities": {"fees_collector": "stripe", "losses_collector": "stripe"}}
    with pytest.raises(stripe.InvalidRequestError, match="express dashboard"):
        platform.account(defaults=stripe_pays)


def test_an_account_with_money_cannot_be_closed_and_an_empty_one_can(rich: Platform) -> None:
    expert = rich.expert()
    rich.transfer(expert, 500)
    with pytest.raises(stripe.InvalidRequestError, match="balance is zero"):
        rich.client.v2.core.accounts.close(expert)
    other = rich.expert()
    assert rich.client.v2.core.accounts.close(other).closed is True
    with pytest.raises(stripe.InvalidRequestError, match="No such destination"):
        rich.transfer(other, 500)
    assert other not in [account.id for account in rich.client.v2.core.accounts.list().data]


def test_the_first_version_of_the_api_sees_the_same_account(platform: Platform) -> None:
    expert = platform.expert()
    found = platform.client.v1.accounts.retrieve(expert)
    assert found.capabilities.transfers == "active"
    assert found.external_accounts.data[0].last4 == "6789"


def test_a_login_link_opens_the_experts_own_dashboard_for_five_minutes(platform: Platform) -> None:
    expert = platform.expert()
    link = platform.client.v1.accounts.login_links.create(expert).url
    path = link.removeprefix(platform.local.url)
    assert platform.local.get(path)[0] == 200
    clock.advance(timedelta(minutes=6))
    assert platform.local.get(path)[0] == 404


def test_a_login_link_needs_a_finished_onboarding(platform: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="completed onboarding"):
        platform.client.v1.accounts.login_links.create(platform.account().id)


def test_the_steps_are_told_by_thin_events(platform: Platform) -> None:
    expert = platform.expert()
    told = platform.client.v2.core.events.list({"object_id": expert}).data
    types = [event.type for event in told]
    assert types.count("v2.core.account[configuration.recipient].capability_status_updated") == 3
    assert "v2.core.account[requirements].updated" in types
    returned = platform.client.v2.core.events.list({"types": ["v2.core.account_link.returned"]}).data
    assert returned[0].data.account_id == expert
