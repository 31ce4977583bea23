"""A client's paid test, somebody who grades it, and an applicant who is asked to take it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.models import Offer
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.graders import choose_graders
from marketplace.contracts.sittings.grading import LineGrade
from marketplace.contracts.sittings.models import Sitting
from marketplace.contracts.sittings.taking import begin, hand_in
from marketplace.gigs.models import Application, Gig
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import QualificationDraft, write_test
from tests.factories.contracts import FEE_BPS, MONDAY, Deal, a_deal, person_of
from tests.factories.gigs import a_gig, an_application, an_expert

DRAFT = QualificationDraft(
    title="Find the errors in a chest CT report",
    minutes=45,
    pass_points=60,
    introduction="You get a report that a model wrote.",
    questions=("What is wrong in it?", "How sure are you?"),
    rubric=(("Finds every lesion that was missed", 70), ("Says how sure", 30)),
)
ANSWERS = {1: "The nodule in the left lung is missing.", 2: "Quite sure."}
GOOD = {1: LineGrade(70), 2: LineGrade(10, "Sure of what?")}
POOR = {1: LineGrade(20, "Two of three lesions are missing."), 2: LineGrade(30)}


@dataclass(frozen=True)
class Trial:
    """`gia` works for the client and grades; `ana` applied for `gig`, which asks for `test`."""

    deal: Deal
    gia: Actor
    test: QualificationTest
    gig: Gig
    ana: Actor
    application: Application


def a_test(session: Session, deal: Deal) -> QualificationTest:
    """A test of the deal's client."""
    return write_test(session, deal.client, deal.project.organization.public_id, DRAFT)


def a_trial(
    session: Session, *, requirements: Iterable[object] = (), funds: int = 10_000_00, min_rate: int = 120_00
) -> Trial:
    """Everything up to where Ana can be asked."""
    gia = an_expert(session, "Gia Grader")
    deal = a_deal(session, expert=gia, funds=funds)
    test = a_test(session, deal)
    choose_graders(session, deal.client, test.public_id, [person_of(session, gia).public_id])
    gig = a_gig(
        session, deal.client, deal.project, title="Check CT reports", test_id=test.id,
        requirements=tuple(requirements),
    )  # fmt: skip
    ana = an_expert(session, min_rate=min_rate)
    return Trial(deal, gia, test, gig, ana, an_application(session, ana, gig))


def asked(session: Session, trial: Trial) -> Offer:
    """Ana is asked to take it."""
    return ask(session, trial.deal.client, trial.application.public_id, fee_bps=FEE_BPS)


def begun(session: Session, trial: Trial) -> Sitting:
    """Ana is asked, and begins."""
    return begin(session, trial.ana, asked(session, trial).public_id, trial.ana.name)


def taken(session: Session, trial: Trial, minutes: int = 30) -> Sitting:
    """Ana begins an hour after noon on Monday, and hands it in so much later."""
    with clock.at(MONDAY + timedelta(hours=1)):
        sitting = begun(session, trial)
    with clock.at(MONDAY + timedelta(hours=1) + timedelta(minutes=minutes)):
        return hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)


def a_gig_with_test(session: Session, trial: Trial, **changes: object) -> Gig:
    """Another gig of the client that asks for the test, small enough for what little is free."""
    small = {"rate_min": 10_00, "rate_max": 200_00, "hours_per_week": 1, "test_id": trial.test.id, **changes}
    return a_gig(session, trial.deal.client, trial.deal.project, title="Another gig", **small)
