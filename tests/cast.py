"""The cast: who does what in the tests. Each is made when first named.

ana and ben are experts; carla is an admin of Lumen Labs and dev approves there; fin prepares payouts and
gil releases them; rev reviews credentials; opa operates the site; zed is signed in, with no role at all,
and must see nothing.
"""

from __future__ import annotations

from functools import cached_property

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization, Person
from marketplace.actor import Actor, Role
from tests.factories.accounts import a_person, an_actor, an_organization, enter
from tests.visitor import Visitor

NAMES = ("ana", "ben", "carla", "dev", "fin", "gil", "rev", "opa", "zed")


class Cast:
    """Nine people as actors, in one session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def person(self, actor: Actor) -> Person:
        """The person behind an actor."""
        return self.session.get_one(Person, actor.id)

    def visitor(self, app: Flask, actor: Actor) -> Visitor:
        """The actor at a browser of their own, signed in."""
        return Visitor(enter(app.test_client(), self.session, actor))

    @cached_property
    def lumen(self) -> Organization:
        return an_organization(self.session, "Lumen Labs")

    @cached_property
    def ana(self) -> Actor:
        return self._actor("Ana Alvarez", Role.EXPERT)

    @cached_property
    def ben(self) -> Actor:
        return self._actor("Ben Baker", Role.EXPERT)

    @cached_property
    def carla(self) -> Actor:
        return self._actor("Carla Costa", Role.CLIENT_ADMIN)

    @cached_property
    def dev(self) -> Actor:
        return self._actor("Dev Desai", Role.CLIENT_APPROVER)

    @cached_property
    def fin(self) -> Actor:
        return self._actor("Fin Farrell", Role.FINANCE_PREPARER)

    @cached_property
    def gil(self) -> Actor:
        return self._actor("Gil Garnier", Role.FINANCE_RELEASER)

    @cached_property
    def rev(self) -> Actor:
        return self._actor("Rev Rao", Role.REVIEWER)

    @cached_property
    def opa(self) -> Actor:
        return self._actor("Opa Okafor", Role.OPERATOR)

    @cached_property
    def zed(self) -> Actor:
        return self._actor("Zed Zeller")

    def everyone(self) -> dict[str, Actor]:
        """All nine, by their short names."""
        return {name: getattr(self, name) for name in NAMES}

    def _actor(self, name: str, *roles: Role) -> Actor:
        organization = self.lumen if any(role.value.startswith("client") for role in roles) else None
        return an_actor(self.session, a_person(self.session, name, *roles, organization=organization))


@pytest.fixture
def cast(session: Session) -> Cast:
    """The cast, in the test's session."""
    return Cast(session)
