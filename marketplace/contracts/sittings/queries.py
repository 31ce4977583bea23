"""Reading tests as they are taken and graded, and where somebody stands with the test of a gig."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.models import Contract, Offer
from marketplace.contracts.sittings import passes
from marketplace.contracts.sittings.models import Answer, Grade, Sitting
from marketplace.contracts.states import OfferState, SittingState
from marketplace.gigs.find import visible
from marketplace.gigs.models import Gig
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.i18n import day
from marketplace.i18n import gettext as _


@dataclass(frozen=True)
class Standing:
    """Where a person stands with the test that a gig asks for.

    `offer` waits for their answer; `sitting` is their latest. `again_on` is when somebody who did not pass
    may be asked again; `counts` says that they have passed what the gig asks for.
    """

    offer: Offer | None
    sitting: Sitting | None
    counts: bool
    again_on: datetime | None

    @property
    def may_ask(self) -> bool:
        """Can they be asked to take it now?"""
        return not self.sentence

    @property
    def sentence(self) -> str:
        """Why they cannot be asked now; '' when they can."""
        if self.counts:
            return _("This expert has passed the test.")
        if self.offer is not None:
            return _("This expert was asked to take the test already.")
        if self.sitting is not None and self.sitting.state is SittingState.BEGUN:
            return _("This expert is taking the test.")
        if self.sitting is not None and self.sitting.state is SittingState.HANDED_IN:
            return _("This expert has taken the test, and it waits for its grade.")
        if self.again_on is not None:
            return _(
                "This expert did not pass the test, and can be asked again on %(day)s.",
                day=day(self.again_on.date()),
            )
        return ""


def sitting(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Sitting:
    """The sitting, if `actor` may see it. Raises NotFound."""
    return visible(session, actor, Sitting, public_id, lock)


def standings(session: Session, gig: Gig, people: Sequence[int]) -> dict[int, Standing]:
    """Of each of these people (internal ids); none when the gig asks for no test."""
    if gig.test_id is None or not people:
        return {}
    counting = passes.passed(session, gig, people)
    waiting = offers_waiting(session, gig.test_id, people)
    latest = _latest(session, gig.test_id, people)
    return {
        each: Standing(waiting.get(each), latest.get(each), each in counting, _again_on(latest.get(each)))
        for each in people
    }


def of_offer(session: Session, offer: Offer) -> Sitting | None:
    """The sitting that began with an offer."""
    query = sa.select(Sitting).join(Sitting.contract).where(Contract.offer_id == offer.id)
    return session.scalars(query).one_or_none()


def of_contract(session: Session, contract: Contract) -> Sitting | None:
    """The sitting that a contract is about."""
    return session.scalars(sa.select(Sitting).filter_by(contract_id=contract.id)).one_or_none()


def answers_of(session: Session, sitting: Sitting) -> dict[int, str]:
    """What is kept, by the position of the question."""
    query = sa.select(Answer).filter_by(sitting_id=sitting.id).options(joinedload(Answer.question))
    return {each.question.position: each.text for each in session.scalars(query)}


def grades_of(session: Session, sitting: Sitting) -> dict[int, Grade]:
    """The grades, by the position of the line in the rubric."""
    query = sa.select(Grade).filter_by(sitting_id=sitting.id).options(joinedload(Grade.line))
    return {each.line.position: each for each in session.scalars(query)}


def to_grade(actor: Actor) -> sa.Select[Sitting]:
    """What waits for somebody like this person to grade it."""
    return (
        sa.select(Sitting)
        .where(Sitting.state == SittingState.HANDED_IN, Sitting.graded_in_turn_by(actor))
        .options(
            joinedload(Sitting.test).joinedload(QualificationTest.organization),
            joinedload(Sitting.contract).joinedload(Contract.gig),
        )
    )


def sittings_of(test: QualificationTest) -> sa.Select[Sitting]:
    """Everybody who took a test."""
    return (
        sa.select(Sitting)
        .filter_by(test_id=test.id)
        .options(
            joinedload(Sitting.contract).joinedload(Contract.gig),
            joinedload(Sitting.grader),
            joinedload(Sitting.person),
        )
    )


def grades_in_turn(session: Session, actor: Actor, sitting: Sitting) -> bool:
    """Was this person chosen to grade what is handed in, and it is not their own?"""
    query = sa.select(Sitting.id).where(Sitting.id == sitting.id, Sitting.graded_in_turn_by(actor))
    return session.scalar(query) is not None


def offers_waiting(session: Session, test_id: int, people: Sequence[int]) -> dict[int, Offer]:
    """The offers of a test that these people (internal ids) have not answered, by person."""
    query = sa.select(Offer).where(
        Offer.test_id == test_id,
        Offer.person_id.in_(people),
        Offer.state == OfferState.MADE,
        Offer.expires_at > clock.now(),
    )
    return {each.person_id: each for each in session.scalars(query)}


def _latest(session: Session, test_id: int, people: Sequence[int]) -> dict[int, Sitting]:
    query = (
        sa.select(Sitting)
        .where(Sitting.test_id == test_id, Sitting.person_id.in_(people))
        .ext(distinct_on(Sitting.person_id))
        .order_by(Sitting.person_id, Sitting.id.desc())
    )
    return {each.person_id: each for each in session.scalars(query)}


def _again_on(latest: Sitting | None) -> datetime | None:
    if latest is None or latest.state is not SittingState.FAILED or latest.graded_at is None:
        return None
    again = latest.graded_at + passes.AGAIN_AFTER
    return again if again > clock.now() else None
