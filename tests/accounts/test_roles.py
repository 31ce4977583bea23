"""Who gives roles to whom, and invitations."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts import invitations
from marketplace.accounts.grants import actor_for, end_role, grant_role, verify_organization
from marketplace.accounts.links import new_link
from marketplace.accounts.models import (
    EmailLink,
    LinkPurpose,
    Organization,
    OrganizationKind,
    Person,
    RoleGrant,
)
from marketplace.accounts.people import add_person, create_platform
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, NotFound, Refused, TooMany
from tests.accounts.test_registering import mailed, token_in
from tests.cast import Cast
from tests.factories.accounts import PASSWORD, a_person, a_sign_in, an_actor, an_organization

DEE = "dee@example.com"


def grant_of(session: Session, person_id: int, role: Role) -> RoleGrant:
    return session.scalars(
        sa.select(RoleGrant).filter_by(person_id=person_id, role=role, ended_at=None)
    ).one()


def test_an_operator_gives_and_ends_a_role_of_the_site(session: Session, cast: Cast) -> None:
    zed = cast.person(cast.zed)
    grant = grant_role(session, cast.opa, zed.public_id, Role.REVIEWER)
    assert grant.granted_by == cast.opa.id
    assert actor_for(session, zed.id).has(Role.REVIEWER)
    end_role(session, cast.opa, grant.public_id)
    assert not actor_for(session, zed.id).has(Role.REVIEWER)


def test_giving_a_role_twice_changes_nothing(session: Session, cast: Cast) -> None:
    zed = cast.person(cast.zed).public_id
    first = grant_role(session, cast.opa, zed, Role.REVIEWER)
    assert grant_role(session, cast.opa, zed, Role.REVIEWER).id == first.id


@pytest.mark.parametrize("who", ["ana", "carla", "fin", "gil", "rev", "zed"])
def test_only_operators_give_roles_of_the_site(session: Session, cast: Cast, who: str) -> None:
    with pytest.raises(NotAllowed):
        grant_role(session, getattr(cast, who), cast.person(cast.zed).public_id, Role.FINANCE_RELEASER)


def test_nobody_gives_a_role_to_themselves(session: Session, cast: Cast) -> None:
    with pytest.raises(Refused, match="themselves"):
        grant_role(session, cast.opa, cast.person(cast.opa).public_id, Role.FINANCE_RELEASER)
    with pytest.raises(IntegrityError, match="ck_role_grants_never_to_oneself"), session.begin_nested():
        session.add(
            RoleGrant(
                person_id=cast.opa.id, role=Role.REVIEWER, granted_by=cast.opa.id, granted_at=clock.now()
            )
        )


def test_a_role_that_shows_money_is_given_with_a_fresh_factor_only(session: Session, cast: Cast) -> None:
    stale = replace(cast.opa, second_factor_at=None)
    with pytest.raises(FreshFactorNeeded):
        grant_role(session, stale, cast.person(cast.zed).public_id, Role.FINANCE_PREPARER)


def test_the_last_operator_and_the_last_admin_stay(session: Session, cast: Cast) -> None:
    with pytest.raises(Refused, match="last one"):
        end_role(session, cast.opa, grant_of(session, cast.opa.id, Role.OPERATOR).public_id)
    own = grant_of(session, cast.carla.id, Role.CLIENT_ADMIN)
    with pytest.raises(Refused, match="last one"):
        end_role(session, cast.carla, own.public_id)


def test_an_admin_changes_roles_in_their_own_team_only(session: Session, cast: Cast) -> None:
    dev = cast.person(cast.dev).public_id
    grant_role(session, cast.carla, dev, Role.CLIENT_ADMIN, cast.lumen.public_id)
    end_role(session, cast.carla, grant_of(session, cast.dev.id, Role.CLIENT_APPROVER).public_id)
    other = an_organization(session, "Other Labs")
    eve = an_actor(session, a_person(session, "Eve Else", Role.CLIENT_ADMIN, organization=other))
    with pytest.raises(NotFound):
        grant_role(session, eve, dev, Role.CLIENT_APPROVER, cast.lumen.public_id)
    with pytest.raises(NotFound):
        end_role(session, eve, grant_of(session, cast.dev.id, Role.CLIENT_ADMIN).public_id)
    with pytest.raises(NotFound):
        grant_role(
            session, cast.carla, cast.person(cast.zed).public_id, Role.CLIENT_APPROVER, cast.lumen.public_id
        )
    with pytest.raises(NotAllowed):
        grant_role(session, cast.carla, dev, Role.FINANCE_RELEASER)


def test_a_client_role_without_an_organization_is_refused_by_the_database(
    session: Session, cast: Cast
) -> None:
    zed = cast.zed.id
    with pytest.raises(IntegrityError, match="client_roles_within_an_organization"), session.begin_nested():
        session.add(RoleGrant(person_id=zed, role=Role.CLIENT_ADMIN, granted_at=clock.now()))


def test_a_colleague_who_is_new_accepts_an_invitation(session: Session, cast: Cast) -> None:
    invitations.invite_member(
        session, cast.carla, cast.lumen.public_id, "Dee@example.com", Role.CLIENT_APPROVER
    )
    assert "Carla Costa invites you" in mailed(session, DEE)
    token = token_in(mailed(session, DEE))
    sign_in = invitations.accept_as_new(session, token, "Dee Day", "GB", "Europe/London", PASSWORD)
    assert sign_in.email_verified_at is not None
    assert actor_for(session, sign_in.person_id).has(Role.CLIENT_APPROVER, organization_id=cast.lumen.id)
    assert grant_of(session, sign_in.person_id, Role.CLIENT_APPROVER).granted_by == cast.carla.id
    with pytest.raises(Refused):
        invitations.accept_as_new(session, token, "Dee Day", "GB", "Europe/London", PASSWORD)


def test_a_colleague_who_has_a_sign_in_joins_with_it_and_nobody_else_does(
    session: Session, cast: Cast
) -> None:
    dee = a_person(session, "Dee Day", email=DEE)
    a_sign_in(session, dee)
    invitations.invite_member(session, cast.carla, cast.lumen.public_id, DEE, Role.CLIENT_APPROVER)
    token = token_in(mailed(session, DEE))
    with pytest.raises(Refused, match="have a sign-in already"):
        invitations.accept_as_new(session, token, "Dee Day", "GB", "Europe/London", PASSWORD)
    with pytest.raises(Refused, match="another address"):
        invitations.accept(session, cast.zed, token)
    invitations.accept(session, an_actor(session, dee), token)
    assert actor_for(session, dee.id).has(Role.CLIENT_APPROVER)


def test_an_invitation_ends_when_it_is_withdrawn_or_its_sender_leaves(session: Session, cast: Cast) -> None:
    def invite(who: Actor) -> EmailLink:
        return invitations.invite_member(session, who, cast.lumen.public_id, DEE, Role.CLIENT_APPROVER)

    link = invite(cast.carla)
    invitations.withdraw_invitation(session, cast.carla, link.public_id)
    with pytest.raises(Refused):
        invitations.find(session, token_in(mailed(session, DEE)))
    second = an_actor(session, a_person(session, "Cat Cole", Role.CLIENT_ADMIN, organization=cast.lumen))
    invite(second)
    end_role(session, cast.carla, grant_of(session, second.id, Role.CLIENT_ADMIN).public_id)
    with pytest.raises(Refused, match="has left"):
        invitations.accept_as_new(
            session, token_in(mailed(session, DEE)), "Dee Day", "GB", "Europe/London", PASSWORD
        )


def invited(session: Session, cast: Cast, role: Role) -> str:
    """Carla invites Dee; the secret of the link that was mailed."""
    invitations.invite_member(session, cast.carla, cast.lumen.public_id, DEE, role)
    return token_in(mailed(session, DEE))


def test_a_newer_invitation_makes_the_older_useless(session: Session, cast: Cast) -> None:
    older = invited(session, cast, Role.CLIENT_ADMIN)
    newer = invited(session, cast, Role.CLIENT_APPROVER)
    with pytest.raises(Refused, match="used already or has run out"):
        invitations.accept_as_new(session, older, "Dee Day", "GB", "Europe/London", PASSWORD)
    assert invitations.accept_as_new(session, newer, "Dee Day", "GB", "Europe/London", PASSWORD)


def an_older_link(session: Session, cast: Cast) -> str:
    """An invitation of Dee from before newer ones made it useless."""
    return use_case(new_link)(
        session, LinkPurpose.INVITE, DEE,
        organization_id=cast.lumen.id, role=Role.CLIENT_ADMIN, invited_by=cast.carla.id,
    )  # fmt: skip


def test_who_joined_or_was_removed_comes_back_by_no_older_invitation(session: Session, cast: Cast) -> None:
    dee = a_person(session, "Dee Day", email=DEE)
    a_sign_in(session, dee)
    token, older = invited(session, cast, Role.CLIENT_ADMIN), an_older_link(session, cast)
    invitations.accept(session, an_actor(session, dee), token)
    with pytest.raises(Refused, match="used already or has run out"):
        invitations.accept(session, an_actor(session, dee), older)
    left_over = an_older_link(session, cast)
    end_role(session, cast.carla, grant_of(session, dee.id, Role.CLIENT_ADMIN).public_id)
    with pytest.raises(Refused, match="used already or has run out"):
        invitations.accept(session, an_actor(session, dee), left_over)
    assert not actor_for(session, dee.id).grants


def test_who_may_invite_whom(session: Session, cast: Cast) -> None:
    with pytest.raises(NotFound):
        invitations.invite_member(session, cast.dev, cast.lumen.public_id, DEE, Role.CLIENT_APPROVER)
    with pytest.raises(NotFound):
        invitations.invite_member(session, cast.carla, uuid.uuid4(), DEE, Role.CLIENT_APPROVER)
    with pytest.raises(Invalid, match="role from the list"):
        invitations.invite_member(session, cast.carla, cast.lumen.public_id, DEE, Role.OPERATOR)
    dev = a_sign_in(session, cast.person(cast.dev))
    with pytest.raises(Invalid, match="already"):
        invitations.invite_member(session, cast.carla, cast.lumen.public_id, dev.email, Role.CLIENT_ADMIN)


def test_an_operator_invites_the_first_administrator_and_no_other(session: Session, cast: Cast) -> None:
    brought = an_organization(session, "Brought In")
    with pytest.raises(NotAllowed):
        invitations.invite_first_admin(session, cast.carla, brought.public_id, DEE)
    with pytest.raises(Refused, match="has an administrator"):
        invitations.invite_first_admin(session, cast.opa, cast.lumen.public_id, DEE)
    invitations.invite_first_admin(session, cast.opa, brought.public_id, DEE)
    token = token_in(mailed(session, DEE))
    invitations.invite_first_admin(session, cast.opa, brought.public_id, "late@example.com")
    late = token_in(mailed(session, "late@example.com"))
    dee = invitations.accept_as_new(session, token, "Dee Day", "GB", "Europe/London", PASSWORD)
    assert actor_for(session, dee.person_id).has(Role.CLIENT_ADMIN, organization_id=brought.id)
    with pytest.raises(Refused, match="Ask a colleague"):
        invitations.accept_as_new(session, late, "Lee Late", "US", "UTC", PASSWORD)


def test_invitations_are_limited(session: Session, cast: Cast) -> None:
    for n in range(50):
        invitations.invite_member(
            session, cast.carla, cast.lumen.public_id, f"p{n}@example.com", Role.CLIENT_APPROVER
        )
    with pytest.raises(TooMany):
        invitations.invite_member(session, cast.carla, cast.lumen.public_id, DEE, Role.CLIENT_APPROVER)


def test_an_operator_verifies_a_company_they_do_not_belong_to(session: Session, cast: Cast) -> None:
    new = an_organization(session, "New Labs", verified=False)
    with pytest.raises(NotAllowed):
        verify_organization(session, cast.carla, new.public_id)
    assert verify_organization(session, cast.opa, new.public_id).verified_at is not None
    both = an_actor(
        session,
        a_person(
            session, "Bo Both", Role.OPERATOR, Role.CLIENT_ADMIN, organization=an_organization(session, "Bo")
        ),
    )
    own = session.scalars(sa.select(Organization).filter_by(name="Bo")).one()
    with pytest.raises(Refused, match="Another operator"):
        verify_organization(session, both, own.public_id)


def test_there_is_one_platform(session: Session) -> None:
    first = create_platform(session, "Marginalia", "US")
    assert create_platform(session, "Another", "DE").id == first.id
    with pytest.raises(IntegrityError, match="uq_organizations_platform"), session.begin_nested():
        session.add(
            Organization(kind=OrganizationKind.PLATFORM, name="Second", country="US", created_at=clock.now())
        )


def test_people_are_brought_in_by_operators_only_and_closed_ones_have_no_roles(
    session: Session, cast: Cast
) -> None:
    with pytest.raises(NotAllowed):
        add_person(session, cast.zed, "New One", "new@example.com", "US", "UTC")
    made = add_person(session, cast.opa, "New One", "new@example.com", "US", "UTC", [(Role.EXPERT, None)])
    session.get_one(Person, made.id).closed_at = clock.now()
    assert actor_for(session, made.id).grants == frozenset()
