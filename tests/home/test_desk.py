"""The first page: what waits for a person, and never what waits for somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.consents.answering import agree
from marketplace.contracts.consents.queries import waiting
from marketplace.contracts.rates.answering import decline_rate
from marketplace.contracts.rates.proposing import RateDraft, earliest, propose_rate
from marketplace.contracts.timer import start_timer
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.invitations import invite
from marketplace.gigs.models import ExpertProfile
from marketplace.gigs.publishing import close_gig
from marketplace.gigs.states import Kept
from marketplace.home.desk import Desk, desks
from tests.cast import Cast
from tests.factories.accounts import an_organization
from tests.factories.contracts import MONDAY, RATE, Deal, a_deal, a_submitted_week, an_entry, an_offer
from tests.factories.credentials import a_claim
from tests.factories.gigs import a_gig, an_application, an_expert, an_open_gig, fund


def desk(session: Session, actor: Actor) -> Desk:
    (found,) = desks(session, actor, "USD")
    return found


def asked(session: Session, actor: Actor) -> list[str]:
    """The endpoints that the person's tasks lead to, in their order."""
    return [task.endpoint for task in desk(session, actor).tasks]


def figure(session: Session, actor: Actor, label: str) -> str:
    (value,) = (str(each.value) for each in desk(session, actor).figures if each.label == label)
    return value


def test_an_invitation_waits_only_while_its_gig_takes_applications(session: Session) -> None:
    client, gig = an_open_gig(session)
    ana = an_expert(session)
    profile = session.get_one(ExpertProfile, ana.id).public_id
    session.commit()
    invite(session, client, gig.public_id, profile, "Please look.")
    told = [task.sentence for task in desk(session, ana).tasks]
    assert "A company invites you to apply." in told
    close_gig(session, client, gig.public_id)
    assert "A company invites you to apply." not in [task.sentence for task in desk(session, ana).tasks]


def with_a_week_submitted(session: Session) -> Deal:
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(hours=4)):
        a_submitted_week(session, deal, MONDAY)
    return deal


def test_an_expert_without_a_profile_begins_with_it(session: Session, cast: Cast) -> None:
    assert asked(session, cast.ana)[0] == "gigs.profile"


def test_an_expert_is_led_to_an_offer_first(session: Session) -> None:
    deal = a_deal(session)
    other = an_expert(session, "Ben Expert")
    an_offer(session, deal.client, other, deal.gig)
    assert asked(session, other)[0] == "contracts.offers"
    assert "contracts.offers" not in asked(session, deal.expert)


def test_an_expert_who_works_is_led_to_work_and_to_the_way_of_being_paid(session: Session) -> None:
    deal = a_deal(session)
    assert asked(session, deal.expert)[:2] == ["contracts.work", "payments.get_paid"]


def test_what_waits_for_a_signature_is_said_until_it_is_answered(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        lower = RateDraft(RATE - 10_00, earliest(deal.contract), "")
        proposal = propose_rate(session, deal.client, deal.contract.public_id, lower)
        draft = replace(draft_of(deal.gig), kept_for=Kept.YEARS_10)
        edit_gig(session, deal.client, deal.gig.public_id, draft)
        told = [task.sentence for task in desk(session, deal.expert).tasks]
        assert "A lower rate waits for your answer." in told
        assert "A request for less pay waits for you." not in told
        assert any("use your work in another way" in each for each in told)
        decline_rate(session, deal.expert, proposal.public_id)
        asked = waiting(session, deal.contract)
        assert asked is not None
        agree(session, deal.expert, asked.public_id, deal.expert.name)
        told = [task.sentence for task in desk(session, deal.expert).tasks]
        assert not [each for each in told if "lower rate" in each or "another way" in each]


def test_whoever_forgot_a_timer_reads_of_it_at_once(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        start_timer(session, deal.expert, deal.contract.public_id, "review")
        assert next(iter(desk(session, deal.expert).tasks)).sentence == "Your timer is running."


def test_an_approver_is_asked_for_nothing_that_only_an_admin_does(session: Session) -> None:
    deal = a_deal(session)
    an_application(session, an_expert(session, "Ben Expert"), deal.gig)
    assert "gigs.projects" in asked(session, deal.client)
    assert asked(session, deal.approver) == []


def test_a_week_that_is_over_is_to_be_submitted(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        with clock.at(MONDAY + timedelta(hours=2)):
            an_entry(session, deal, MONDAY)
        assert "contracts.timesheets" not in asked(session, deal.expert)
    with clock.at(MONDAY + timedelta(days=8)):
        assert "contracts.timesheets" in asked(session, deal.expert)


def test_a_client_sees_what_to_approve_and_whom_to_answer(session: Session, cast: Cast) -> None:
    deal = with_a_week_submitted(session)
    an_application(session, an_expert(session, "Ben Expert"), a_gig(session, deal.client, deal.project))
    assert asked(session, deal.client) == ["contracts.waiting", "gigs.projects"]
    assert asked(session, deal.approver)[0] == "contracts.waiting"
    assert asked(session, cast.carla) == ["gigs.projects"]


def test_a_clients_money_is_only_its_own(session: Session, cast: Cast) -> None:
    deal = a_deal(session, funds=10_000_00, rate=150_00, hours=10)
    # Two weeks of ten hours at $150 and a fee of a fifth are set aside: $3,600.
    assert figure(session, deal.client, "Reserved for this week and next") == "$3,600.00"
    assert figure(session, deal.client, "Free for new hours") == "$6,400.00"
    assert figure(session, cast.carla, "Free for new hours") == "$0.00"
    fund(session, deal.project.public_id, 100_00)
    assert figure(session, deal.client, "Free for new hours") == "$6,500.00"


def test_a_reviewer_sees_how_many_wait_and_how_long(session: Session, cast: Cast) -> None:
    assert asked(session, cast.rev) == []
    with clock.at(clock.now() - timedelta(days=3, hours=1)):
        a_claim(session, cast.ana)
    assert asked(session, cast.rev) == ["credentials.queue"]
    assert figure(session, cast.rev, "Waiting") == "1"
    assert figure(session, cast.rev, "Oldest") == "3 days"


def test_the_operator_sees_the_size_of_the_site_and_who_waits(session: Session, cast: Cast) -> None:
    assert asked(session, cast.opa) == []
    deal = a_deal(session)
    an_organization(session, "Newcomer AI", verified=False)
    assert asked(session, cast.opa) == ["accounts.organizations"]
    assert figure(session, cast.opa, "Companies") == "2"
    assert figure(session, cast.opa, "Gigs that are open") == "1"
    assert figure(session, cast.opa, "Contracts") == "1"
    assert figure(session, cast.opa, "Experts") == "1"
    assert deal.contract.state == "active"


def test_whoever_has_no_role_is_told_whom_to_ask(app: Flask, cast: Cast) -> None:
    assert desks(cast.session, cast.zed, "USD") == []
    assert "You have no role here yet" in cast.visitor(app, cast.zed).get("/").text
