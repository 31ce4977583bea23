"""Who grades a test: people who work for its client, and hold at least what whoever takes it must hold."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts import limits
from marketplace.contracts.models import Contract
from marketplace.contracts.sittings import pay, queries
from marketplace.contracts.sittings.models import Grader, Sitting
from marketplace.contracts.states import SittingState
from marketplace.credentials.gate import Requirement, Verdict, holdings
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find
from marketplace.gigs.members import people_with, tell
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import open_gigs
from marketplace.i18n import gettext as _


@dataclass(frozen=True)
class Candidate:
    """Somebody who could grade; `works_on` is the title of a gig of theirs, '' for the client's own people.

    `gap` says what keeps them from grading for every gig that asks for the test: what they would have to
    hold, or why they would not be paid; '' when nothing.
    """

    person: Person
    works_on: str
    chosen: bool
    gap: str


@use_case
def choose_graders(
    session: Session, actor: Actor, test_public_id: uuid.UUID, people: Sequence[uuid.UUID]
) -> list[Person]:
    """Let these people grade the test, and nobody else. Raises Invalid for somebody who does not work for the
    client, Refused for who has taken it and waits for a grade."""
    test = find.visible(session, actor, QualificationTest, test_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=test.organization_id)
    known = {each.person.public_id: each.person for each in candidates(session, test)}
    if any(each not in known for each in people):
        raise Invalid(_("Choose people from the list."), field="people")
    wanted = {known[each].id: known[each] for each in people}
    _refuse_takers(session, test, list(wanted))
    kept = {each.person_id: each for each in session.scalars(sa.select(Grader).filter_by(test_id=test.id))}
    for person_id, grader in kept.items():
        if person_id not in wanted:
            session.delete(grader)
    new = [person_id for person_id in wanted if person_id not in kept]
    for person_id in new:
        session.add(Grader(test_id=test.id, person_id=person_id, chosen_by=actor.id, chosen_at=clock.now()))
    session.flush()
    audit.record(session, actor, "test.graders", "test", test.public_id, graders=len(wanted))
    for person_id in new:
        _tell(session, test, person_id)
    return list(wanted.values())


def candidates(session: Session, test: QualificationTest) -> list[Candidate]:
    """Everybody who works for the client of the test, or acts for it, by name."""
    gigs = _at_work(session, test.organization_id)
    ids = {*gigs, *people_with(session, test.organization_id, *CLIENT)}
    chosen = set(session.scalars(sa.select(Grader.person_id).filter_by(test_id=test.id)))
    asked = list({each: None for gig in open_gigs(session, test) for each in limits.requirements(gig)})
    gaps = pay.unpaid(session, test.organization_id, ids) | _gaps(session, ids, asked)
    people = session.scalars(
        sa.select(Person).where(Person.id.in_(ids)).order_by(Person.full_name, Person.id)
    )
    return [
        Candidate(each, gigs.get(each.id, ""), each.id in chosen, gaps.get(each.id, "")) for each in people
    ]


def able(session: Session, test: QualificationTest, asked: Sequence[Requirement]) -> list[int]:
    """The graders (internal ids) who work for the client now, hold all of this now, and would be paid."""
    at_work = {*_at_work(session, test.organization_id), *people_with(session, test.organization_id, *CLIENT)}
    chosen = set(session.scalars(sa.select(Grader.person_id).filter_by(test_id=test.id))) & at_work
    unpaid = pay.unpaid(session, test.organization_id, chosen)
    return sorted(chosen - _gaps(session, chosen, asked).keys() - unpaid.keys())


def gap(session: Session, person_id: int, asked: Sequence[Requirement]) -> str:
    """What this person does not hold now of what is asked, in a sentence; '' when they hold all."""
    return _gaps(session, {person_id}, asked).get(person_id, "")


def tests_of(session: Session, person_id: int) -> set[int]:
    """The tests (internal ids) that this person is chosen to grade."""
    return set(session.scalars(sa.select(Grader.test_id).filter_by(person_id=person_id)))


def _gaps(session: Session, people: Iterable[int], asked: Sequence[Requirement]) -> dict[int, str]:
    pairs = [(person_id, each) for person_id in people for each in asked]
    if not pairs:
        return {}
    found: dict[int, str] = {}
    for (person_id, _asked), held in zip(pairs, holdings(session, pairs, clock.now()), strict=True):
        if held.verdict is not Verdict.PASS:
            found.setdefault(person_id, held.sentence)
    return found


def _at_work(session: Session, organization_id: int) -> dict[int, str]:
    """Who has a contract to work on, and the title of its gig."""
    contracts = session.scalars(pay.working_for(organization_id).order_by(Contract.id))
    return {each.person_id: each.gig.title for each in contracts}


def _refuse_takers(session: Session, test: QualificationTest, wanted: Sequence[int]) -> None:
    waiting = (SittingState.BEGUN, SittingState.HANDED_IN)
    taking = sa.select(Sitting.person_id).where(
        Sitting.test_id == test.id, Sitting.person_id.in_(wanted), Sitting.state.in_(waiting)
    )
    both = [*session.scalars(taking), *queries.offers_waiting(session, test.id, wanted)]
    if both:
        name = session.get_one(Person, both[0]).full_name
        raise Refused(_("%(name)s is taking this test or asked to, so they cannot grade it.", name=name))


def _tell(session: Session, test: QualificationTest, person_id: int) -> None:
    tell(
        session,
        person_id,
        "test.grader",
        "/grading",
        lambda: (
            _("%(client)s asks you to grade a test", client=test.organization.name),
            _("%(test)s. Grading is part of your work, and paid like it.", test=test.title),
        ),
    )
