"""Writing a paid test, and putting it away."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find
from marketplace.gigs.models import Gig
from marketplace.gigs.qualification.models import QualificationTest, Question, RubricLine
from marketplace.gigs.states import GigState
from marketplace.i18n import gettext as _
from marketplace.text import line, paragraph

SHORTEST, LONGEST = 5, 240
MOST_QUESTIONS, MOST_LINES, MOST_POINTS = 6, 8, 100
# With its mark, the copy's title still fits.
LONGEST_COPIED = 180


@dataclass(frozen=True)
class QualificationDraft:
    """What a client says of a test. `rubric` is what is looked at, and the most points for each."""

    title: str
    minutes: int
    pass_points: int
    introduction: str = ""
    questions: tuple[str, ...] = ()
    rubric: tuple[tuple[str, int], ...] = ()


@use_case
def write_test(
    session: Session, actor: Actor, organization_public_id: uuid.UUID, draft: QualificationDraft
) -> QualificationTest:
    """Write a test for a client. Raises Invalid for what cannot be."""
    organization = find.organization(session, actor, organization_public_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=organization.id)
    return _add(session, actor, organization.id, draft)


@use_case
def change_test(
    session: Session, actor: Actor, test_public_id: uuid.UUID, draft: QualificationDraft
) -> QualificationTest:
    """Say it anew. Raises Refused once somebody was asked to take it, Invalid for what cannot be."""
    test = _own(session, actor, test_public_id)
    if test.fixed_at is not None:
        raise Refused(
            _(
                "Somebody was asked to take this test already, so it stays as it is: everybody is graded by "
                "the same. Copy it, and change the copy."
            )
        )
    # The positions of the old are free before the new take them.
    test.questions, test.rubric = [], []
    session.flush()
    _write(test, draft)
    session.flush()
    audit.record(session, actor, "test.changed", "test", test.public_id)
    return test


@use_case
def copy_test(session: Session, actor: Actor, test_public_id: uuid.UUID) -> QualificationTest:
    """Write another test that says the same, to be changed."""
    test = _own(session, actor, test_public_id)
    title = _("%(title)s (copy)", title=test.title[:LONGEST_COPIED])
    return _add(session, actor, test.organization_id, draft_of(test, title))


@use_case
def retire_test(session: Session, actor: Actor, test_public_id: uuid.UUID) -> QualificationTest:
    """Put a test away: no gig can ask for it any more, and who passed has passed.

    Raises Refused while a gig that is not closed asks for it.
    """
    test = _own(session, actor, test_public_id)
    gigs = open_gigs(session, test)
    if gigs:
        raise Refused(
            _(
                "These gigs ask for this test: %(gigs)s. Take it out of them first.",
                gigs=", ".join(gig.title for gig in gigs),
            )
        )
    if test.retired_at is None:
        test.retired_at = clock.now()
        session.flush()
        audit.record(session, actor, "test.retired", "test", test.public_id)
    return test


def open_gigs(session: Session, test: QualificationTest) -> list[Gig]:
    """The gigs that ask for it and are not over."""
    over = (GigState.CLOSED, GigState.REMOVED)
    query = sa.select(Gig).where(Gig.test_id == test.id, Gig.state.not_in(over))
    return list(session.scalars(query.order_by(Gig.id)))


def draft_of(test: QualificationTest, title: str | None = None) -> QualificationDraft:
    """What the test says."""
    return QualificationDraft(
        title=title or test.title,
        minutes=test.minutes,
        pass_points=test.pass_points,
        introduction=test.introduction,
        questions=tuple(each.text for each in test.questions),
        rubric=tuple((each.text, each.points) for each in test.rubric),
    )


def fix(session: Session, test: QualificationTest) -> None:
    """Somebody is asked to take it: from here on it stays as it is. Needs a running transaction."""
    session.refresh(test, with_for_update={"key_share": True})
    test.fixed_at = test.fixed_at or clock.now()


def _add(
    session: Session, actor: Actor, organization_id: int, draft: QualificationDraft
) -> QualificationTest:
    test = QualificationTest(organization_id=organization_id, created_by=actor.id, created_at=clock.now())
    _write(test, draft)
    session.add(test)
    session.flush()
    audit.record(session, actor, "test.written", "test", test.public_id)
    return test


def _own(session: Session, actor: Actor, public_id: uuid.UUID) -> QualificationTest:
    test = find.visible(session, actor, QualificationTest, public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=test.organization_id)
    return test


def _write(test: QualificationTest, draft: QualificationDraft) -> None:
    test.title, test.introduction = line(draft.title), paragraph(draft.introduction)
    test.minutes, test.pass_points = draft.minutes, draft.pass_points
    test.questions = [Question(position=n, text=text) for n, text in enumerate(_said(draft.questions), 1)]
    lines = [(paragraph(text), points) for text, points in draft.rubric if paragraph(text)]
    test.rubric = [
        RubricLine(position=n, text=text, points=points) for n, (text, points) in enumerate(lines, 1)
    ]
    _check(test)


def _said(texts: Iterable[str]) -> list[str]:
    return [said for text in texts if (said := paragraph(text))]


def _check(test: QualificationTest) -> None:
    if not test.title:
        raise Invalid(_("Give the test a title that an expert understands."), field="title")
    if not SHORTEST <= test.minutes <= LONGEST:
        raise Invalid(_("A test takes between 5 minutes and 4 hours."), field="minutes")
    if not 1 <= len(test.questions) <= MOST_QUESTIONS:
        raise Invalid(_("Ask between one question and six."), field="questions")
    if not 1 <= len(test.rubric) <= MOST_LINES:
        raise Invalid(_("Say what is looked at, in one line to eight."), field="rubric")
    if any(not 1 <= each.points <= MOST_POINTS for each in test.rubric):
        raise Invalid(_("Each line of the rubric brings between 1 and 100 points."), field="rubric")
    if not 1 <= test.pass_points <= test.whole:
        raise Invalid(
            _("There are %(whole)s points in all, so ask for between 1 and %(whole)s.", whole=test.whole),
            field="pass_points",
        )
