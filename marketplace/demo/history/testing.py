"""Lumen Labs has applicants take a paid test: one passed, one waits for a grade, one was asked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from marketplace import clock
from marketplace.accounts.models import Organization, Person
from marketplace.actor import Actor
from marketplace.contracts.models import Contract
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.graders import able, candidates, choose_graders
from marketplace.contracts.sittings.grading import LineGrade, grade
from marketplace.contracts.sittings.queries import Standing, standings
from marketplace.contracts.sittings.taking import begin, hand_in
from marketplace.contracts.states import SittingState
from marketplace.demo.cast import LUMEN
from marketplace.demo.history.projects import set_up_payment
from marketplace.demo.history.stage import Stage, trying
from marketplace.demo.world import CARLA, LUMEN_TESTED, TESTED_IN
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.models import Application, Gig
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import QualificationDraft, write_test

TEST = QualificationDraft(
    title="Read a lease against its summary",
    minutes=30,
    pass_points=60,
    introduction="You get two clauses of a commercial lease and what a model made of them.",
    questions=(
        "Clause 7: the tenant may sublet with the landlord's consent, which may not be unreasonably "
        "withheld. The summary: “Subletting is forbidden.”\n\nWhat is wrong with the summary, and how would "
        "you put it?",
        "Clause 12: rent rises each year by the consumer price index, by three per cent at most. The "
        "summary: “Rent rises by three per cent each year.”\n\nWhat is wrong, and what can it cost a tenant "
        "who relies on it?",
    ),
    rubric=(
        ("Names each error, and none that is not there", 60),
        ("Puts it right in words that a tenant understands", 25),
        ("Says what relying on it would cost", 15),
    ),
)
TAKERS = 2
GOOD = {
    1: "Consent is needed, and cannot be refused without a good reason. Say: you may sublet if the landlord "
    "agrees, and the landlord needs a good reason to say no.",
    2: "Three per cent is the most, not the rule. With prices rising by one per cent the tenant would pay "
    "two per cent too much without a word.",
}
SHORT = {1: "It is not forbidden.", 2: "It is a cap. The tenant could pay too much."}
GRADES = {
    1: LineGrade(60),
    2: LineGrade(20, "“Without a word” says less than it seems to."),
    3: LineGrade(15),
}


def play(stage: Stage) -> None:
    """The test, whoever grades it, and what became of the first three who applied."""
    with stage.at(TESTED_IN, 1):
        carla = stage.by_email(CARLA)
        test = _written(stage, carla)
        gig = _asked_for(stage, carla, test)
    people = stage.session.execute(
        sa.select(Application.person_id, Application.public_id)
        .filter_by(gig_id=gig.id)
        .order_by(Application.id)
    ).all()[:3]
    # What a test pays goes out on Friday to those who have said where to.
    for person_id, _application in people[:TAKERS]:
        set_up_payment(stage, TESTED_IN, person_id)
    for place, (person_id, application_id) in enumerate(people):
        trying(stage.session, partial(_take, stage, gig, place, person_id, application_id))


def _written(stage: Stage, carla: Actor) -> QualificationTest:
    found = stage.session.scalars(sa.select(QualificationTest).filter_by(title=TEST.title)).first()
    if found is None:
        lumen = stage.session.scalars(sa.select(Organization.public_id).filter_by(name=LUMEN)).one()
        found = write_test(stage.session, carla, lumen, TEST)
    if not any(each.chosen for each in candidates(stage.session, found)):
        choose_graders(stage.session, carla, found.public_id, _at_work(stage, found))
    return found


def _at_work(stage: Stage, test: QualificationTest) -> list[UUID]:
    at_work = sa.select(Contract.person_id).filter_by(organization_id=test.organization_id, ended_at=None)
    return list(stage.session.scalars(sa.select(Person.public_id).where(Person.id.in_(at_work))))


def _asked_for(stage: Stage, carla: Actor, test: QualificationTest) -> Gig:
    gig = stage.session.scalars(sa.select(Gig).filter_by(title=LUMEN_TESTED)).one()
    if gig.test_id is None:
        gig = edit_gig(stage.session, carla, gig.public_id, replace(draft_of(gig), test_id=test.id))
    return gig


def _take(stage: Stage, gig: Gig, place: int, person_id: int, application_id: UUID) -> None:
    """The first is graded, the second waits for it, the third has not begun."""
    expert, hour = stage.actor(person_id), 13 + 2 * place
    standing = _standing(stage, gig, person_id)
    with clock.at(stage.when(TESTED_IN, 2, hour)):
        if standing.may_ask and standing.sitting is None:
            ask(stage.session, stage.by_email(CARLA), application_id, fee_bps=stage.fee_bps)
        offer = _standing(stage, gig, person_id).offer
        if offer is not None and place < TAKERS:
            begin(stage.session, expert, offer.public_id, expert.name)
    sitting = _standing(stage, gig, person_id).sitting
    if sitting is not None and sitting.state is SittingState.BEGUN:
        with clock.at(stage.when(TESTED_IN, 2, hour, 21 + place)):
            hand_in(stage.session, expert, sitting.public_id, (GOOD, SHORT)[place], 0)
    if sitting is not None and place == 0 and sitting.state is SittingState.HANDED_IN:
        with stage.at(TESTED_IN, 3, 15):
            grader = stage.actor(able(stage.session, sitting.test, sitting.asked)[0])
            grade(stage.session, grader, sitting.public_id, GRADES)


def _standing(stage: Stage, gig: Gig, person_id: int) -> Standing:
    return standings(stage.session, gig, [person_id])[person_id]
