"""An expert, two reviewers and an operator."""

import pytest
from sqlalchemy.orm import Session

from marketplace.actor import Actor, Role
from tests.factories.accounts import a_person, an_actor


@pytest.fixture
def ana(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Ana Expert", Role.EXPERT))


@pytest.fixture
def ben(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Ben Expert", Role.EXPERT))


@pytest.fixture
def rev(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))


@pytest.fixture
def kim(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Kim Reviewer", Role.REVIEWER, Role.EXPERT))


@pytest.fixture
def opa(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))
