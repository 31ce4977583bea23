"""While somebody is away a colleague decides for them, within some days, and it is written down for whom."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.delegations import stood_in_for
from marketplace.accounts.grants import actor_for, end_role, give
from marketplace.accounts.models import Delegation, RoleGrant
from marketplace.actor import SITE, Actor, Role
from marketplace.audit.models import AuditEvent
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.approving import rules, steps
from marketplace.contracts.approving.away import acting_for, delegate, take_back_delegation
from marketplace.contracts.approving.models import FirstApproval
from marketplace.contracts.models import Timesheet
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.money import Money
from marketplace.notifications.models import Notification
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, person_of
from tests.factories.gigs import a_client
from tests.visitor import Visitor, words

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
TUESDAY, WEDNESDAY = MONDAY + DAY, MONDAY + 2 * DAY
FIRST, LAST = date(2026, 6, 2), date(2026, 6, 12)
# Midnight in New York, where Carla's clock is.
MIDNIGHT = timedelta(hours=4)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def away(session: Session, deal: Deal) -> Delegation:
    """Carla is away, and Dev decides for her."""
    return for_carla(session, deal, deal.approver)


def for_carla(
    session: Session, deal: Deal, colleague: Actor, first: date = FIRST, last: date = LAST
) -> Delegation:
    named = person_of(session, colleague).public_id
    with clock.at(MONDAY):
        return delegate(session, deal.client, deal.project.organization.public_id, named, first, last)


def told(session: Session, actor: Actor, kind: str) -> list[str]:
    query = sa.select(Notification.body).filter_by(person_id=actor.id, kind=kind)
    return list(session.scalars(query))


def test_it_is_recorded_for_whom_a_week_was_approved(session: Session, deal: Deal, away: Delegation) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        approval = approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    assert (approval.person_id, approval.for_person_id) == (deal.approver.id, deal.client.id)
    [noted] = session.scalars(sa.select(AuditEvent).filter_by(verb="timesheet.approved"))
    assert noted.facts["for_person"] == str(away.person.public_id)
    assert noted.person_id == deal.approver.id


def test_it_counts_within_its_own_organization(session: Session, deal: Deal, away: Delegation) -> None:
    """Dev approves for another client too, where nobody is away."""
    with clock.at(MONDAY):
        elsewhere = a_deal(session)
    with clock.at(WEDNESDAY):
        assert acting_for(session, deal.approver, deal.contract) == away
        assert acting_for(session, deal.approver, elsewhere.contract) is None
        assert list(stood_in_for(session, deal.approver)) == [away]


def test_it_begins_and_ends_by_itself_on_the_clock_of_who_is_away(
    session: Session, deal: Deal, away: Delegation
) -> None:
    begins, ends = away.starts_at, away.ends_at
    assert begins.isoformat() == "2026-06-02T04:00:00+00:00"
    assert ends.isoformat() == "2026-06-13T04:00:00+00:00"

    def counts(moment: object) -> bool:
        with clock.at(moment):  # type: ignore[arg-type]
            return bool(stood_in_for(session, deal.approver))

    assert [counts(each) for each in (begins - SECOND, begins, ends - SECOND, ends)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_who_stands_in_holds_the_approvers_role_meanwhile(session: Session, deal: Deal) -> None:
    """Carla the admin stands in for Dev the approver."""
    with clock.at(MONDAY):
        carla = person_of(session, deal.client).public_id
        delegate(session, deal.approver, deal.project.organization.public_id, carla, FIRST, LAST)

    def roles() -> set[Role]:
        return {grant.role for grant in actor_for(session, deal.client.id).grants}

    with clock.at(MONDAY):
        assert roles() == {Role.CLIENT_ADMIN}
    with clock.at(WEDNESDAY):
        assert roles() == {Role.CLIENT_ADMIN, Role.CLIENT_APPROVER}


@pytest.mark.parametrize("who", ["client", "approver"])
def test_it_ends_with_the_role_of_either(session: Session, deal: Deal, away: Delegation, who: str) -> None:
    with clock.at(WEDNESDAY):
        assert stood_in_for(session, deal.approver)
        other = a_person(session, "Otto Admin", Role.CLIENT_ADMIN, organization=deal.project.organization)
        leaving = getattr(deal, who)
        grant = session.scalars(sa.select(RoleGrant).filter_by(person_id=leaving.id, ended_at=None)).one()
        end_role(session, an_actor(session, other), grant.public_id)
        assert not stood_in_for(session, deal.approver)
        assert actor_for(session, deal.approver.id).has(Role.CLIENT_APPROVER) is (who == "client")


def test_notices_of_weeks_say_for_whom(session: Session, deal: Deal, away: Delegation) -> None:
    assert (
        "you approve and return the weeks of Northwind AI"
        in told(session, deal.approver, "delegation.made")[0]
    )
    with clock.at(WEDNESDAY):
        a_submitted_week(session, deal, TUESDAY)
    [to_dev] = told(session, deal.approver, "timesheet.submitted")
    assert to_dev.endswith("For Carla Client, away until Fri 12 Jun 2026.")
    [to_carla] = told(session, deal.client, "timesheet.submitted")
    assert "away" not in to_carla


def test_it_is_taken_back_or_given_back(session: Session, deal: Deal, away: Delegation) -> None:
    erin = an_actor(
        session,
        a_person(session, "Erin Approver", Role.CLIENT_APPROVER, organization=deal.project.organization),
    )
    rival, _organization = a_client(session, "Rival AI")
    with clock.at(WEDNESDAY):
        for stranger in (erin, rival, deal.expert):
            with pytest.raises(NotFound):
                take_back_delegation(session, stranger, away.public_id)
        take_back_delegation(session, deal.approver, away.public_id)
        assert not stood_in_for(session, deal.approver)
        with pytest.raises(NotFound):
            take_back_delegation(session, deal.client, away.public_id)
    assert len(told(session, deal.client, "delegation.ended")) == 1
    for_carla(session, deal, erin)


def test_days_that_cannot_be_are_refused(session: Session, deal: Deal, away: Delegation) -> None:
    dev = deal.approver
    for first, last, field in (
        (FIRST - 2 * DAY, LAST, "first_day"),
        (LAST, FIRST, "last_day"),
        (LAST + DAY, LAST + 61 * DAY, "last_day"),
    ):
        with pytest.raises(Invalid) as refused:
            for_carla(session, deal, dev, first, last)
        assert refused.value.field == field
    with pytest.raises(Refused, match="already"):
        for_carla(session, deal, dev, LAST, LAST)
    for_carla(session, deal, dev, LAST + DAY, LAST + 60 * DAY)


def test_only_a_colleague_stands_in_and_only_for_who_decides(session: Session, deal: Deal) -> None:
    rival, theirs = a_client(session, "Rival AI")
    ours = deal.project.organization.public_id
    for who, organization, colleague, refusal in (
        (deal.client, ours, rival, NotFound),
        (deal.client, ours, deal.expert, NotFound),
        (deal.client, ours, deal.client, Invalid),
        (deal.client, theirs, rival, NotFound),
        (deal.expert, ours, deal.approver, NotFound),
    ):
        with clock.at(MONDAY), pytest.raises(refusal):
            delegate(session, who, organization, person_of(session, colleague).public_id, FIRST, LAST)


def test_the_database_keeps_one_at_a_time(session: Session, away: Delegation) -> None:
    session.add(
        Delegation(
            organization_id=away.organization_id,
            person_id=away.person_id,
            delegate_id=away.delegate_id,
            first_day=LAST,
            last_day=LAST,
            starts_at=away.ends_at - DAY,
            ends_at=away.ends_at,
            made_at=WEDNESDAY,
        )
    )
    with pytest.raises(IntegrityError, match="ex_delegations_one_at_a_time"):
        session.flush()


@use_case
def also_expert_side(session: Session, deal: Deal) -> Actor:
    """The expert approves for the client too, which can be."""
    give(session, SITE, person_of(session, deal.expert), Role.CLIENT_APPROVER, deal.project.organization)
    return actor_for(session, deal.expert.id)


def test_nobody_decides_about_their_own_time_for_another_nor_for_its_expert(
    session: Session, deal: Deal
) -> None:
    expert = also_expert_side(session, deal)
    for_carla(session, deal, expert)
    with clock.at(MONDAY):
        dev = person_of(session, deal.approver).public_id
        delegate(session, expert, deal.project.organization.public_id, dev, FIRST, LAST)
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        with pytest.raises(NotAllowed, match="your own time"):
            approve_timesheet(session, actor_for(session, expert.id), sheet.public_id, sheet.version)
        approval = approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    assert approval.for_person_id is None


@pytest.fixture
def large(session: Session, deal: Deal, away: Delegation) -> Timesheet:
    """A week that needs two people, while Dev decides for Carla."""
    rules.set_rule(session, deal.client, deal.project.organization.public_id, Money(1, "USD"))
    with clock.at(WEDNESDAY):
        return a_submitted_week(session, deal, TUESDAY)


def test_one_who_stands_in_is_not_both(session: Session, deal: Deal, large: Timesheet) -> None:
    with clock.at(WEDNESDAY):
        first = steps.approve_week(session, deal.approver, large.public_id, large.version)
        assert isinstance(first, FirstApproval)
        assert first.for_person_id == deal.client.id
        with pytest.raises(Refused, match="You gave the first"):
            steps.confirm_week(session, deal.approver, large.public_id, large.version, first.public_id)
        with clock.at(WEDNESDAY + 20 * DAY), pytest.raises(Refused, match="You gave the first"):
            steps.confirm_week(session, deal.approver, large.public_id, large.version, first.public_id)


def test_the_second_never_speaks_for_the_first(session: Session, deal: Deal, large: Timesheet) -> None:
    """Carla gave the first before she left; Dev, who stands in for her, confirms in his own name."""
    with clock.at(WEDNESDAY):
        first = steps.approve_week(session, deal.client, large.public_id, large.version)
        assert isinstance(first, FirstApproval)
        assert acting_for(session, deal.approver, deal.contract) is not None
        assert acting_for(session, deal.approver, deal.contract, first) is None
        approval = steps.confirm_week(session, deal.approver, large.public_id, large.version, first.public_id)
    assert (approval.person_id, approval.for_person_id) == (deal.approver.id, None)


def test_on_the_pages(app: Flask, session: Session, deal: Deal) -> None:
    def at_browser(actor: Actor) -> Visitor:
        return Visitor(enter(app.test_client(), session, actor))

    organization, dev = deal.project.organization.public_id, person_of(session, deal.approver).public_id
    with clock.at(MONDAY):
        carla = at_browser(deal.client)
        assert "Choose a colleague" in words(carla.get("/away"))
        said = carla.post(
            "/away", colleague=f"{organization} {dev}", first_day=FIRST.isoformat(), last_day=LAST.isoformat()
        )
        assert "Your colleague is told" in words(said)
        assert "Who stands in for whom" in words(said)
        refused = carla.post("/away", colleague="", first_day=FIRST.isoformat(), last_day=LAST.isoformat())
        assert "Choose a colleague." in words(refused)
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        path = f"/timesheets/{sheet.public_id}"
        browser = at_browser(deal.approver)
        assert "You decide for Carla Client too, away until Fri 12 Jun 2026." in words(
            browser.get("/timesheets/waiting")
        )
        assert "For Carla Client, away until Fri 12 Jun 2026." in words(browser.get(path))
        browser.post(f"{path}/approval", version=sheet.version)
        assert "Dev Approver decided for Carla Client, who was away." in words(browser.get(path))
        assert "decided for" not in words(at_browser(deal.expert).get(path))
