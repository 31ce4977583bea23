"""What Stripe makes for us it makes once, though answers are lost and names change in between."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization, Person
from marketplace.actor import Actor, Role
from marketplace.gigs.models import Project
from marketplace.payments import connected_accounts, facts, fundings
from marketplace.payments.asking import ask_once
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount, StripeRequest
from marketplace.payments.outcomes import GatewayRefused, GatewayUnknown
from marketplace.payments.states import Rail
from tests.demo.stripe_server.harness import KEY, Handle
from tests.factories.accounts import a_person, an_actor
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import SITE

NO_ANSWER = GatewayUnknown("no_answer", "")


class Lossy(Gateway):
    """Stripe makes what it is asked for, and the first answer is lost."""

    def __init__(self, stripe: Handle, loses: str) -> None:
        super().__init__(KEY, stripe.url)
        self.loses = loses

    def _answer(self, call: str) -> None:
        if call == self.loses:
            self.loses = ""
            raise NO_ANSWER

    def make_account(self, *args: object, **kwargs: object) -> str:
        made = super().make_account(*args, **kwargs)  # type: ignore[arg-type]
        self._answer("account")
        return made

    def make_customer(self, *args: object, **kwargs: object) -> str:
        made = super().make_customer(*args, **kwargs)  # type: ignore[arg-type]
        self._answer("customer")
        return made

    def open_checkout(self, *args: object, **kwargs: object) -> facts.Checkout:
        made = super().open_checkout(*args, **kwargs)  # type: ignore[arg-type]
        self._answer("checkout")
        return made


@pytest.fixture
def lumen(session: Session) -> tuple[Actor, Project]:
    client, organization = a_client(session)
    return client, a_project(session, client, organization)


def pay(session: Session, gateway: Gateway, client: Actor, project: Project, site: str = SITE) -> str | None:
    lot = fundings.prepare_funding(session, client, project.public_id, 500_00, Rail.CARD)
    return fundings.open_checkout(
        session, gateway, client, lot.public_id, return_url=f"{site}/back", cancel_url=f"{site}/cancelled"
    )


def set_up(session: Session, gateway: Gateway, expert: Actor) -> str:
    return connected_accounts.set_up_payouts(session, gateway, expert, return_url=SITE, refresh_url=SITE)


def requests(session: Session) -> list[StripeRequest]:
    return list(session.scalars(sa.select(StripeRequest).order_by(StripeRequest.asked_at)))


def test_an_expert_who_changes_name_and_address_after_a_lost_answer_gets_one_account(session, stripe, cast):
    gateway = Lossy(stripe, "account")
    with pytest.raises(GatewayUnknown):
        set_up(session, gateway, cast.ana)
    ana = session.get_one(Person, cast.ana.id)
    ana.full_name, ana.email = "Ana Alvarez Ruiz", "ana.ruiz@example.com"
    session.commit()
    assert set_up(session, gateway, cast.ana)
    account = session.scalars(sa.select(ConnectedAccount)).one()
    assert [each.id for each in stripe.client().v2.core.accounts.list().data] == [account.stripe_id]


def test_a_client_that_is_renamed_and_comes_back_as_another_person_gets_one_customer(session, stripe, lumen):
    client, project = lumen
    gateway = Lossy(stripe, "customer")
    with pytest.raises(GatewayUnknown):
        pay(session, gateway, client, project)
    organization = session.get_one(Organization, project.organization_id)
    organization.name = "Lumen Laboratories"
    other = a_person(session, "Cora Costa", Role.CLIENT_ADMIN, organization=organization)
    session.commit()
    assert pay(session, gateway, an_actor(session, other), project)
    assert len(stripe.client().v1.customers.list().data) == 1


def test_a_project_that_is_renamed_on_a_site_that_moves_gets_one_payment_page(session, stripe, lumen):
    client, project = lumen
    gateway = Lossy(stripe, "checkout")
    with pytest.raises(GatewayUnknown):
        pay(session, gateway, client, project)
    project.name = "Another name"
    session.commit()
    assert pay(session, gateway, client, project, site="http://moved.example")
    assert len(stripe.client().v1.checkout.sessions.list().data) == 1


def test_names_and_addresses_are_kept_only_until_there_is_an_answer(session, stripe, cast):
    gateway = Lossy(stripe, "account")
    with pytest.raises(GatewayUnknown):
        set_up(session, gateway, cast.ana)
    assert requests(session)[0].asked["email"] == session.get_one(Person, cast.ana.id).email
    set_up(session, gateway, cast.ana)
    account = session.scalars(sa.select(ConnectedAccount)).one()
    assert [(each.asked, each.answer) for each in requests(session)] == [(None, account.stripe_id)]


def test_who_asks_for_what_was_made_a_moment_before_is_told_of_it(session):
    assert ask_once(session, "thing:1", {"name": "one"}, lambda _key, _asked: "made") == "made"
    assert ask_once(session, "thing:1", {"name": "two"}, lambda _key, _asked: pytest.fail("again")) == "made"


def fails_with(error: Exception) -> str:
    raise error


def asked_after(session: Session, error: Exception) -> list[tuple[str, str]]:
    """The key and the name under which a thing is asked for, the first time and after the error."""
    seen = []
    with pytest.raises(type(error)):
        ask_once(
            session,
            "thing:1",
            {"name": "one"},
            lambda key, asked: seen.append((key, asked["name"])) or fails_with(error),
        )
    ask_once(
        session, "thing:1", {"name": "two"}, lambda key, asked: seen.append((key, asked["name"])) or "made"
    )
    return seen


def test_without_an_answer_the_same_is_asked_for_under_the_same_key(session):
    first, second = asked_after(session, NO_ANSWER)
    assert first == second


@pytest.mark.parametrize(
    "error",
    [GatewayRefused("email_invalid", ""), GatewayUnknown("stored_error", "")],
    ids=["refused", "an error is kept under the key"],
)
def test_what_the_key_will_never_bring_is_asked_for_anew(session, error):
    (first_key, first), (second_key, second) = asked_after(session, error)
    assert first_key != second_key
    assert (first, second) == ("one", "two")


class Rewording(Gateway):
    """The next release, which asks for pages under other titles."""

    def open_checkout(self, key: str, **asked: object) -> facts.Checkout:
        return super().open_checkout(key, **{**asked, "title": "In other words"})  # type: ignore[arg-type]


def test_a_key_that_another_release_used_for_other_words_is_left_behind(session, stripe, lumen):
    client, project = lumen
    with pytest.raises(GatewayUnknown):
        pay(session, Lossy(stripe, "checkout"), client, project)
    with pytest.raises(GatewayUnknown) as used:
        pay(session, Rewording(KEY, stripe.url), client, project)
    assert used.value.code == "key_used"
    assert pay(session, Rewording(KEY, stripe.url), client, project)


def test_the_database_keeps_what_was_asked_for(session):
    with pytest.raises(GatewayUnknown):
        ask_once(session, "thing:1", {"name": "one"}, lambda _key, _asked: fails_with(NO_ANSWER))
    with pytest.raises(DBAPIError, match="was decided"):
        session.execute(sa.update(StripeRequest).values(asked={"name": "two"}))
