"""Taking a paid test: it begins with the signature, and ends when it is handed in or its time is over.

It is a contract like any other, so its minutes are funded before they are worked, and paid like an hour.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.actor import SITE, Actor
from marketplace.contracts import approvals, find, limits, offers, reservations, signing, timer
from marketplace.contracts.fees import offering
from marketplace.contracts.models import Contract, Offer, Reservation, Timesheet
from marketplace.contracts.sittings import graders, passes, queries
from marketplace.contracts.sittings.models import Answer, Sitting
from marketplace.contracts.states import (
    CONTRACT_MOVES,
    SITTING_MOVES,
    ContractState,
    OfferState,
    ReservationState,
    SittingState,
    TimesheetState,
    move,
)
from marketplace.contracts.terms import GRADING_DAYS
from marketplace.contracts.weeks import Week, to_minute, week_of
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs import projection
from marketplace.gigs.members import tell, tell_client
from marketplace.gigs.states import GigState, TaskKind
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger import NotCovered
from marketplace.text import paragraph

GRADED_WITHIN = timedelta(days=GRADING_DAYS)
LONGEST_ANSWER = 20_000
# What was sent in time may arrive a little later.
ON_THE_WAY = timedelta(seconds=30)


@use_case
def begin(session: Session, actor: Actor, offer_public_id: uuid.UUID, signed_name: str) -> Sitting:
    """Sign by typing one's own name; the test and its paid time begin. A second click finds it begun.

    Raises Invalid when the name is another; Refused when the offer is over, a timer runs, a credential does
    not count now, or the project's free money does not pay for all of it.
    """
    offer = offers.own(find.offer(session, actor, offer_public_id, lock=True), actor)
    begun = queries.of_offer(session, offer)
    if begun is not None:
        return begun
    name = _require_begin(session, actor, offer, signed_name)
    offers.decide(session, actor, offer, OfferState.ACCEPTED)
    contract = _contract(session, actor, offer, name)
    sitting = _sitting(session, contract)
    kind = contract.gig.task_kind or TaskKind.REVIEW
    timer.start_on(session, actor, contract, kind.value, _("Test: %(test)s", test=sitting.test.title))
    projection.push_project(session, contract.project_id)
    audit.record(session, actor, "test.begun", "sitting", sitting.public_id, offer=offer.public_id)
    return sitting


@use_case
def keep(
    session: Session, actor: Actor, sitting_public_id: uuid.UUID, answers: Mapping[int, str], version: int
) -> Sitting:
    """Keep what is written so far, by the position of the question, in place of version `version`.

    Raises Refused when it is handed in, or another window kept something else since; Invalid when it is too
    long.
    """
    sitting = _own(session, actor, sitting_public_id)
    _require_seen(session, sitting, answers, version)
    _keep(session, sitting, answers)
    return sitting


@use_case
def hand_in(
    session: Session, actor: Actor, sitting_public_id: uuid.UUID, answers: Mapping[int, str], version: int
) -> Sitting:
    """Hand in these answers, in place of version `version`; the paid time ends and is approved at once,
    whatever the grade will be.

    Raises Invalid for a question without an answer; otherwise as `keep`.
    """
    sitting = _own(session, actor, sitting_public_id)
    _require_seen(session, sitting, answers, version)
    _keep(session, sitting, answers)
    empty = [
        each.position for each in sitting.test.questions if not paragraph(answers.get(each.position, ""))
    ]
    if empty:
        raise Invalid(
            _("This question has no answer yet. If you have none, write so."), field=f"answer_{empty[0]}"
        )
    _end(session, actor, sitting)
    return sitting


def end_overdue(session: Session) -> int:
    """Hand in, as they stand, the tests whose time is over; how many."""
    over = sa.select(Sitting.id).where(Sitting.state == SittingState.BEGUN, Sitting.ends_at <= clock.now())
    return jobs.one_by_one(session, _end_overdue, session.scalars(over).all())


@use_case
def _end_overdue(session: Session, sitting_id: int) -> bool:
    sitting = session.get_one(Sitting, sitting_id, with_for_update=True, populate_existing=True)
    if sitting.state is not SittingState.BEGUN or sitting.ends_at > clock.now():
        return False
    _end(session, SITE, sitting)
    tell(
        session,
        sitting.person_id,
        "test.over",
        f"/sittings/{sitting.public_id}",
        lambda: (
            _("Your test is handed in"),
            _("%(test)s. Its time was over; what you had written is kept.", test=sitting.test.title),
        ),
    )
    return True


def _require_begin(session: Session, actor: Actor, offer: Offer, signed_name: str) -> str:
    if offer.test is None:
        raise Refused(_("This offer is no test. Sign it on its own page."))
    if offers.stands(offer) is OfferState.EXPIRED:
        raise Refused(_("The time to begin this test is over. Ask the client to ask you again."))
    if offer.test_id in graders.tests_of(session, actor.id):
        raise Refused(_("You were chosen to grade this test, so you cannot take it."))
    if offer.gig.state is GigState.REMOVED:
        raise Refused(_("The gig was taken down, so no test can begin for it now."))
    running = timer.running(session, actor.id)
    if running is not None:
        raise Refused(
            _("A timer is running for %(gig)s. Stop it before you begin.", gig=running.contract.gig.title)
        )
    limits.require_credentials(session, offer.gig, actor.id, clock.now())
    return signing.signature(offer, signed_name)


def _contract(session: Session, actor: Actor, offer: Offer, name: str) -> Contract:
    contract = signing.contract_of(offer, name)
    contract.starts_on = clock.today(contract.time_zone)
    session.add(contract)
    session.flush()
    offering.tell_if_other(session, contract)
    try:
        reservations.reserve_parts(session, actor, contract, _parts(contract))
    except NotCovered as short:
        raise Refused(
            _(
                "The client's money for this test is not there at the moment, and nothing is worked "
                "unfunded. Ask them to add funds, then begin."
            )
        ) from short
    return contract


def _parts(contract: Contract) -> list[tuple[Week, int]]:
    """The weeks that it can touch, and for how many minutes: a test may go on over midnight on Sunday."""
    start, minutes = limits.begins(contract), contract.week_minutes
    first = week_of(start, contract.time_zone)
    before = min(minutes, (first.end - start) // timedelta(minutes=1))
    return [(first, before), *([(first.next, minutes - before)] if before < minutes else [])]


def _sitting(session: Session, contract: Contract) -> Sitting:
    now = clock.now()
    sitting = Sitting(
        contract=contract,
        test=contract.test,
        person_id=contract.person_id,
        state=SittingState.BEGUN,
        requirements=passes.as_kept(limits.requirements(contract.gig)),
        begun_at=now,
        ends_at=now + timedelta(minutes=contract.week_minutes),
        version=0,
    )
    session.add(sitting)
    session.flush()
    return sitting


def _own(session: Session, actor: Actor, public_id: uuid.UUID) -> Sitting:
    sitting = queries.sitting(session, actor, public_id, lock=True)
    if sitting.person_id != actor.person_id:
        raise NotAllowed(_("Only who takes a test writes its answers."))
    if sitting.state is not SittingState.BEGUN:
        raise Refused(_("This test is handed in, so its answers stay as they were then."))
    if clock.now() > sitting.ends_at + ON_THE_WAY:
        raise Refused(_("The time of this test is over. It is handed in with what was kept until then."))
    return sitting


def _require_seen(session: Session, sitting: Sitting, answers: Mapping[int, str], version: int) -> None:
    """Raise Refused when another window kept other answers. That the same were kept meanwhile, as what is
    typed is on its own, does no harm."""
    kept = {position: text for position, text in queries.answers_of(session, sitting).items() if text}
    sent = {position: text for position, said in answers.items() if (text := paragraph(said))}
    if sitting.version != version and kept != sent:
        raise Refused(
            _(
                "Another window of yours has kept other answers. Compare them with what stands here: sent "
                "again, this replaces them."
            )
        )


def _keep(session: Session, sitting: Sitting, answers: Mapping[int, str]) -> None:
    kept = {
        each.question_id: each for each in session.scalars(sa.select(Answer).filter_by(sitting_id=sitting.id))
    }
    for question in sitting.test.questions:
        text = paragraph(answers.get(question.position, ""))
        if len(text) > LONGEST_ANSWER:
            raise Invalid(
                _("This answer is too long. Keep it under 20,000 characters."),
                field=f"answer_{question.position}",
            )
        if question.id in kept:
            kept[question.id].text = text
        elif text:
            session.add(Answer(sitting_id=sitting.id, question_id=question.id, text=text))
    sitting.version += 1
    session.flush()


def _end(session: Session, actor: Actor, sitting: Sitting) -> None:
    """Its time ends, is approved and paid; the contract is over, and what was not used goes back."""
    contract = find.hold(session, sitting.contract_id)
    timer.stop_at(session, actor, contract.id, clock.now())
    move(contract, ContractState.ENDED, CONTRACT_MOVES)
    contract.ended_at = to_minute(clock.now())
    sheets = sa.select(Timesheet).filter_by(contract_id=contract.id, state=TimesheetState.OPEN)
    for sheet in session.scalars(sheets.order_by(Timesheet.week_start_at)).all():
        session.refresh(sheet)
        approvals.settle(session, sheet)
    held = sa.select(Reservation).filter_by(contract_id=contract.id, state=ReservationState.HELD)
    for reservation in session.scalars(held).all():
        reservations.give_back(session, actor, reservation)
    move(sitting, SittingState.HANDED_IN, SITTING_MOVES)
    sitting.handed_in_at, sitting.grade_by = clock.now(), clock.now() + GRADED_WITHIN
    session.flush()
    projection.push_project(session, contract.project_id)
    audit.record(session, actor, "test.handed_in", "sitting", sitting.public_id)
    _tell(session, sitting)


def _tell(session: Session, sitting: Sitting) -> None:
    path, due = f"/sittings/{sitting.public_id}", sitting.grade_by or clock.now()

    def say() -> tuple[str, str]:
        return (
            _("A test waits for its grade"),
            _("%(test)s. Grade it by %(day)s.", test=sitting.test.title, day=day(due.date())),
        )

    able = graders.able(session, sitting.test, sitting.asked)
    for person_id in able:
        if person_id != sitting.person_id:
            tell(session, person_id, "test.to_grade", path, say)
    if not able:
        tell_client(session, sitting.contract.organization_id, "test.to_grade", path, say)
