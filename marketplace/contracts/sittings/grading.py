"""Grading a test by its rubric. Nobody fails without being told what was missing, line by line."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.actor import Actor
from marketplace.contracts.sittings import graders, pay, queries
from marketplace.contracts.sittings.models import Grade, Sitting
from marketplace.contracts.states import SITTING_MOVES, SittingState, move
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs import projection
from marketplace.gigs.members import tell, tell_client
from marketplace.gigs.qualification.models import QualificationTest, RubricLine
from marketplace.i18n import gettext as _
from marketplace.i18n import reading
from marketplace.notifications.models import Notification
from marketplace.reasons.models import Decision
from marketplace.reasons.statements import state as state_reasons
from marketplace.text import paragraph

OVERDUE = "test.overdue"


@dataclass(frozen=True)
class LineGrade:
    """Points for a line of the rubric, and what is missing where they are not all."""

    points: int
    comment: str = ""


@use_case
def grade(
    session: Session, actor: Actor, sitting_public_id: uuid.UUID, given: Mapping[int, LineGrade]
) -> Sitting:
    """Grade every line of the rubric, by its position. With too few points it is not passed, and the
    comments become a statement of reasons that the expert can appeal.

    Raises NotAllowed for who is not asked to grade it, Refused for who does not hold what its taker must
    hold, whose time for it cannot be paid now, and when it is graded already, Invalid for points that cannot
    be and for a loss without a comment.
    """
    sitting = queries.sitting(session, actor, sitting_public_id, lock=True)
    require_chosen(session, actor, sitting)
    if sitting.state is not SittingState.HANDED_IN:
        raise Refused(_("This test is graded already. Nothing was changed."))
    _require_able(session, actor, sitting)
    session.add_all(_grades(sitting, given))
    points = sum(given[line.position].points for line in sitting.test.rubric)
    passed = points >= sitting.test.pass_points
    if not passed:
        _state(session, actor, sitting, points, given)
    move(sitting, SittingState.PASSED if passed else SittingState.FAILED, SITTING_MOVES)
    sitting.points, sitting.graded_by, sitting.graded_at = points, actor.id, clock.now()
    session.flush()
    audit.record(session, actor, f"test.{sitting.state}", "sitting", sitting.public_id, points=points)
    projection.push_expert(session, sitting.person_id)
    _tell(session, sitting)
    return sitting


def gap(session: Session, actor: Actor, sitting: Sitting) -> str:
    """Why this grader may not grade it now: the credential that they lack; '' when they may."""
    return graders.gap(session, actor.id, sitting.asked)


def unpaid(session: Session, actor: Actor, sitting: Sitting) -> str:
    """Why the time of this grader cannot be paid now; '' when it can, and for the client's own people."""
    return pay.unpaid(session, sitting.test.organization_id, [actor.id]).get(actor.id, "")


def passes_after_all(session: Session, actor: Actor, subject_id: uuid.UUID) -> None:
    """An appeal against the grade was upheld: the test counts as passed."""
    sitting = session.scalars(sa.select(Sitting).filter_by(public_id=subject_id).with_for_update()).one()
    if sitting.state is not SittingState.FAILED:
        return
    move(sitting, SittingState.PASSED, SITTING_MOVES)
    session.flush()
    audit.record(session, actor, "test.passed", "sitting", sitting.public_id, after="appeal")
    projection.push_expert(session, sitting.person_id)
    _tell_client(session, sitting)


def remind_overdue(session: Session) -> int:
    """Tell graders and client, once, of each test that should be graded by now; how many."""
    told = sa.exists().where(
        Notification.kind == OVERDUE,
        Notification.path == sa.func.concat("/sittings/", Sitting.public_id),
    )
    overdue = sa.select(Sitting.id).where(
        Sitting.state == SittingState.HANDED_IN, Sitting.grade_by <= clock.now(), ~told
    )
    return jobs.one_by_one(session, _remind, session.scalars(overdue).all())


@use_case
def _remind(session: Session, sitting_id: int) -> bool:
    sitting = session.get_one(Sitting, sitting_id, with_for_update=True, populate_existing=True)
    if sitting.state is not SittingState.HANDED_IN:
        return False
    path = f"/sittings/{sitting.public_id}"

    def say() -> tuple[str, str]:
        return (
            _("A test should be graded by now"),
            _("%(test)s. The expert was promised a grade within seven days.", test=sitting.test.title),
        )

    for person_id in graders.able(session, sitting.test, sitting.asked):
        tell(session, person_id, OVERDUE, path, say)
    tell_client(session, sitting.contract.organization_id, OVERDUE, path, say)
    return True


def require_chosen(session: Session, actor: Actor, sitting: Sitting) -> None:
    """Raise NotAllowed unless this person was chosen to grade it, and it is not their own."""
    if not queries.grades_in_turn(session, actor, sitting):
        raise NotAllowed(_("Only somebody whom the client chose grades this test, and nobody their own."))


def _require_able(session: Session, actor: Actor, sitting: Sitting) -> None:
    lacking = gap(session, actor, sitting)
    if lacking:
        raise Refused(
            _("Whoever grades this test holds at least what its taker must hold. %(why)s", why=lacking)
        )
    why = unpaid(session, actor, sitting)
    if why:
        raise Refused(
            _("Your time for this cannot be paid now, and nobody grades for nothing. %(why)s", why=why)
        )


def _grades(sitting: Sitting, given: Mapping[int, LineGrade]) -> list[Grade]:
    return [_grade(sitting, line, given.get(line.position)) for line in sitting.test.rubric]


def _grade(sitting: Sitting, line: RubricLine, said: LineGrade | None) -> Grade:
    if said is None or not 0 <= said.points <= line.points:
        raise Invalid(
            _("Give between 0 and %(most)s points for this line.", most=line.points),
            field=f"points_{line.position}",
        )
    comment = paragraph(said.comment)
    if said.points < line.points and not comment:
        raise Invalid(
            _("Say what is missing, so that the expert can learn from it and answer it."),
            field=f"comment_{line.position}",
        )
    return Grade(sitting_id=sitting.id, rubric_line_id=line.id, points=said.points, comment=comment)


def _state(
    session: Session, actor: Actor, sitting: Sitting, points: int, given: Mapping[int, LineGrade]
) -> None:
    with reading(sitting.person.locale, sitting.person.time_zone):
        explanation = _explained(sitting.test, points, given)
    state_reasons(
        session,
        actor,
        person_id=sitting.person_id,
        subject_kind="sitting",
        subject_id=sitting.public_id,
        decision=Decision.NOT_PASSED,
        reason_code="points_missing",
        explanation=explanation,
        evidence={"sitting": f"/sittings/{sitting.public_id}"},
    )


def _explained(test: QualificationTest, points: int, given: Mapping[int, LineGrade]) -> str:
    lines = [
        _(
            "%(points)s of %(whole)s points; %(needed)s are needed.",
            points=points,
            whole=test.whole,
            needed=test.pass_points,
        )
    ]
    for line in test.rubric:
        said = given[line.position]
        if said.points < line.points:
            lines.append(
                _(
                    "%(line)s: %(points)s of %(most)s. %(comment)s",
                    line=line.text,
                    points=said.points,
                    most=line.points,
                    comment=paragraph(said.comment),
                )
            )
    return "\n\n".join(lines)


def _tell(session: Session, sitting: Sitting) -> None:
    if sitting.state is SittingState.PASSED:
        tell(
            session,
            sitting.person_id,
            "test.passed",
            f"/sittings/{sitting.public_id}",
            lambda: (
                _("You passed a test"),
                _(
                    "%(test)s. It counts for every gig of this client that asks for it, for a year.",
                    test=sitting.test.title,
                ),
            ),
        )
    _tell_client(session, sitting)


def _tell_client(session: Session, sitting: Sitting) -> None:
    contract = sitting.contract
    passed = sitting.state is SittingState.PASSED
    tell_client(
        session,
        contract.organization_id,
        "test.graded",
        f"/gigs/{contract.gig.public_id}/applications",
        lambda: (
            _("An applicant passed the test") if passed else _("An applicant did not pass the test"),
            _("%(gig)s. You can make them an offer.", gig=contract.gig.title)
            if passed
            else contract.gig.title,
        ),
    )
