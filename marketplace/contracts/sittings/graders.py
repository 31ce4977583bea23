"""Who grades a test: people who work for its client, and hold at least what whoever takes it must hold."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

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
from marketplace.gigs.models import Application, Gig
from marketplace.gigs.qualification import graders as told
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import open_gigs
from marketplace.gigs.states import ApplicationState
from marketplace.i18n import gettext as _

MOST_CHOSEN, MOST_SHOWN = 100, 200
APPLIED = (ApplicationState.APPLIED, ApplicationState.SHORTLISTED, ApplicationState.OFFERED)


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
    client and for more than MOST_CHOSEN, Refused for who has taken it and waits for a grade, or applied for a
    gig that asks for it."""
    test = find.visible(session, actor, QualificationTest, test_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=test.organization_id)
    wanted = _wanted(session, test, set(people))
    _refuse_takers(session, test, list(wanted))
    _refuse_applicants(session, test, list(wanted))
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


def candidates(session: Session, test: QualificationTest, name: str = "") -> list[Candidate]:
    """Those who are chosen, then whoever else works for the client of the test or acts for it and has `name`
    in theirs, by name: MOST_SHOWN at most."""
    chosen = working(session, test.id)
    order = (Person.id.in_(chosen).desc(), Person.full_name, Person.id)
    query = sa.select(Person).where(_works_for(session, test.organization_id), _named(name, chosen))
    people = session.scalars(query.order_by(*order).limit(MOST_SHOWN)).all()
    ids = [each.id for each in people]
    asked = list({each: None for gig in open_gigs(session, test) for each in limits.requirements(gig)})
    gaps, gigs = _hindrances(session, test, ids, asked), _titles(session, test.organization_id, ids)
    return [
        Candidate(each, gigs.get(each.id, ""), each.id in chosen, gaps.get(each.id, "")) for each in people
    ]


def how_many(session: Session, test: QualificationTest, name: str = "") -> int:
    """How many `candidates` there are, whether or not they are shown."""
    here = _works_for(session, test.organization_id), _named(name, working(session, test.id))
    return session.scalar(sa.select(sa.func.count()).select_from(Person).where(*here)) or 0


def working(session: Session, test_id: int) -> set[int]:
    """Who (internal ids) is chosen to grade a test (internal id) and works for its client now."""
    test = session.get_one(QualificationTest, test_id)
    query = sa.select(Grader.person_id).join(Grader.person).where(Grader.test_id == test_id)
    return set(session.scalars(query.where(_works_for(session, test.organization_id))))


def graded(session: Session, person_id: int) -> set[int]:
    """Which tests (internal ids) this person (internal id) is chosen to grade for a client for whom they
    work now."""
    chosen = session.scalars(sa.select(Grader.test_id).where(Grader.person_id == person_id)).all()
    return {test_id for test_id in chosen if person_id in working(session, test_id)}


def able(session: Session, test: QualificationTest, asked: Sequence[Requirement]) -> list[int]:
    """The graders (internal ids) who work for the client now, hold all of this now, and would be paid."""
    chosen = working(session, test.id)
    return sorted(chosen - _hindrances(session, test, chosen, asked).keys())


def warning(session: Session, test: QualificationTest, asked: Sequence[Requirement]) -> str:
    """Why nobody can be asked to take the test for a gig that asks for this, in a sentence to its client; ''
    when somebody who is chosen may grade it now."""
    if able(session, test, asked):
        return ""
    if _could_be_chosen(session, test, asked):
        return _(
            "Nobody is chosen who may grade “%(test)s” for this gig, and until somebody is, no applicant can "
            "be asked to take it. Choose somebody who works for you and holds every credential that the gig "
            "asks for.",
            test=test.title,
        )
    return _(
        "Nobody who works for you may grade “%(test)s” for this gig, so applicants would wait for ever: it "
        "takes somebody who holds every credential that the gig asks for and whose time can be paid. Ask for "
        "fewer credentials, leave the test out, or have such a person work for you.",
        test=test.title,
    )


def ungraded(session: Session, test: QualificationTest) -> list[Gig]:
    """The gigs, not over yet, that ask for the test and for which nobody who is chosen may grade it now."""
    gigs = [(gig, tuple(limits.requirements(gig))) for gig in open_gigs(session, test)]
    lacking = {asked for asked in {asked for _gig, asked in gigs} if not able(session, test, asked)}
    return [gig for gig, asked in gigs if asked in lacking]


def gap(session: Session, person_id: int, asked: Sequence[Requirement]) -> str:
    """What this person does not hold now of what is asked, in a sentence; '' when they hold all."""
    return _gaps(session, {person_id}, asked).get(person_id, "")


def tests_of(session: Session, person_id: int) -> set[int]:
    """The tests (internal ids) that this person is chosen to grade."""
    return set(session.scalars(sa.select(Grader.test_id).filter_by(person_id=person_id)))


def _wanted(session: Session, test: QualificationTest, people: set[uuid.UUID]) -> dict[int, Person]:
    if len(people) > MOST_CHOSEN:
        raise Invalid(_("Choose %(most)s people at most.", most=MOST_CHOSEN), field="people")
    query = sa.select(Person).where(Person.public_id.in_(people), _works_for(session, test.organization_id))
    wanted = {each.id: each for each in session.scalars(query.order_by(Person.id))}
    if len(wanted) < len(people):
        raise Invalid(_("Choose people from the list."), field="people")
    return wanted


def _works_for(session: Session, organization_id: int) -> sa.ColumnElement[bool]:
    """People under a contract to work for the client (internal id), and its own."""
    at_work = pay.working_for(organization_id).with_only_columns(Contract.person_id)
    return Person.id.in_(at_work) | Person.id.in_(people_with(session, organization_id, *CLIENT))


def _named(name: str, chosen: Iterable[int]) -> sa.ColumnElement[bool]:
    """Those with this in their name; and those who are chosen, whom saving would take off the list."""
    return Person.full_name.icontains(name, autoescape=True) | Person.id.in_(chosen)


def _titles(session: Session, organization_id: int, people: Sequence[int]) -> dict[int, str]:
    """A gig of the client on which each of these people works, by its title."""
    query = pay.working_for(organization_id).where(Contract.person_id.in_(people))
    contracts = session.scalars(query.options(joinedload(Contract.gig)).order_by(Contract.id))
    return {each.person_id: each.gig.title for each in contracts}


def _could_be_chosen(session: Session, test: QualificationTest, asked: Sequence[Requirement]) -> bool:
    """Does anybody work for the client who may grade it? Of more than MOST_SHOWN people some may."""
    query = sa.select(Person.id).where(_works_for(session, test.organization_id))
    people = session.scalars(query.order_by(Person.id).limit(MOST_SHOWN + 1)).all()
    return len(people) > MOST_SHOWN or len(_hindrances(session, test, people, asked)) < len(people)


def _hindrances(
    session: Session, test: QualificationTest, people: Collection[int], asked: Sequence[Requirement]
) -> dict[int, str]:
    """What keeps whom of these people (internal ids) from grading, in a sentence."""
    return pay.unpaid(session, test.organization_id, people) | _gaps(session, people, asked)


def _gaps(session: Session, people: Iterable[int], asked: Sequence[Requirement]) -> dict[int, str]:
    pairs = [(person_id, each) for person_id in people for each in asked]
    if not pairs:
        return {}
    found: dict[int, str] = {}
    for (person_id, _asked), held in zip(pairs, holdings(session, pairs, clock.now()), strict=True):
        if held.verdict is not Verdict.PASS:
            found.setdefault(person_id, held.sentence)
    return found


def _refuse_takers(session: Session, test: QualificationTest, wanted: Sequence[int]) -> None:
    waiting = (SittingState.BEGUN, SittingState.HANDED_IN)
    taking = sa.select(Sitting.person_id).where(
        Sitting.test_id == test.id, Sitting.person_id.in_(wanted), Sitting.state.in_(waiting)
    )
    both = [*session.scalars(taking), *queries.offers_waiting(session, test.id, wanted)]
    if both:
        name = session.get_one(Person, both[0]).full_name
        raise Refused(_("%(name)s is taking this test or asked to, so they cannot grade it.", name=name))


def _refuse_applicants(session: Session, test: QualificationTest, wanted: Sequence[int]) -> None:
    """Nobody judges those with whom they compete for a place."""
    query = (
        sa.select(Application)
        .join(Application.gig)
        .where(Gig.test_id == test.id, Application.person_id.in_(wanted), Application.state.in_(APPLIED))
        .options(joinedload(Application.person), joinedload(Application.gig))
    )
    found = session.scalars(query.order_by(Application.id).limit(1)).first()
    if found is not None:
        raise Refused(
            _(
                "%(name)s has applied for %(gig)s, which asks for this test, so they cannot grade it.",
                name=found.person.full_name,
                gig=found.gig.title,
            )
        )


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


told.working.append(working)
told.graded.append(graded)
