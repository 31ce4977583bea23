"""What both sides do about a questioned line: answer, offer, agree, ask for a ruling. Nobody can let it lie:
each turn has a deadline, and silence of the client or of the site pays the expert.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.accounts.models import RoleGrant
from marketplace.actor import CLIENT, SITE, Actor, Role
from marketplace.contracts import find
from marketplace.contracts.disputes import queries, ruling, settling
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import ANSWER_WITHIN, SUBJECT, take_turn
from marketplace.contracts.limits import spell
from marketplace.contracts.states import DISPUTE_MOVES, DisputeState, SettledBy, TurnAct, move
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.find import there
from marketplace.gigs.members import tell, tell_client
from marketplace.i18n import gettext as _
from marketplace.reasons import appeals
from marketplace.reasons.models import Appeal, Outcome
from marketplace.reasons.statements import about
from marketplace.text import paragraph

REPLY_WITHIN = timedelta(days=5)
RULE_WITHIN = timedelta(days=14)
LEAST_TEXT = 10


@use_case
def answer(
    session: Session, actor: Actor, dispute_public_id: uuid.UUID, text: str, asked_minutes: int | None = None
) -> TimeDispute:
    """The expert answers, and may say with how many minutes they would be content; the client's turn.

    Raises Refused when it is not the expert's turn, Invalid for an empty answer or more than was entered.
    """
    dispute = _held(session, actor, dispute_public_id)
    find.require_expert(actor, dispute.contract)
    _require_turn(dispute, DisputeState.ASKED)
    asked = dispute.minutes if asked_minutes is None else asked_minutes
    if not dispute.offered_minutes < asked <= dispute.minutes:
        raise Invalid(
            _(
                "Ask for more than the %(offered)s that the client would pay for, and for no more than the "
                "%(entered)s that you entered.",
                offered=spell(dispute.offered_minutes),
                entered=spell(dispute.minutes),
            ),
            field="minutes",
        )
    dispute.asked_minutes = asked
    take_turn(session, actor, dispute, TurnAct.ANSWERED, _said(text), asked)
    _pass(session, actor, dispute, DisputeState.ANSWERED, REPLY_WITHIN)
    tell_client(
        session,
        dispute.contract.organization_id,
        "dispute.answered",
        f"/disputes/{dispute.public_id}",
        lambda: (
            _("%(expert)s answered about a questioned line", expert=dispute.contract.person.full_name),
            _("Reply within five days: after that the whole line is paid."),
        ),
        *CLIENT,
    )
    return dispute


@use_case
def offer(
    session: Session, actor: Actor, dispute_public_id: uuid.UUID, text: str, offered_minutes: int
) -> TimeDispute:
    """The client offers to pay for so many minutes; the expert's turn again.

    Raises Refused when it is not the client's turn, Invalid for less than was offered before, or all of it.
    """
    dispute = _held(session, actor, dispute_public_id)
    _require_client(actor, dispute)
    _require_turn(dispute, DisputeState.ANSWERED)
    if not dispute.offered_minutes < offered_minutes < dispute.asked_minutes:
        raise Invalid(
            _(
                "Offer more than the %(offered)s of before and less than the %(asked)s that are asked for, "
                "which you can also agree to.",
                offered=spell(dispute.offered_minutes),
                asked=spell(dispute.asked_minutes),
            ),
            field="minutes",
        )
    dispute.offered_minutes = offered_minutes
    take_turn(session, actor, dispute, TurnAct.OFFERED, _said(text), offered_minutes)
    _pass(session, actor, dispute, DisputeState.ASKED, ANSWER_WITHIN)
    tell(
        session,
        dispute.contract.person_id,
        "dispute.offered",
        f"/disputes/{dispute.public_id}",
        lambda: (
            _("The client offers to pay for part of a questioned line"),
            _(
                "%(offered)s of %(entered)s. Agree, answer, or ask somebody who is neither side to rule.",
                offered=spell(offered_minutes),
                entered=spell(dispute.minutes),
            ),
        ),
    )
    return dispute


@use_case
def agree(session: Session, actor: Actor, dispute_public_id: uuid.UUID, seen_minutes: int) -> TimeDispute:
    """Take what the other side last named, which is the end of it: the expert the minutes offered, the client
    the minutes asked for.

    Raises Refused when the dispute is not between the two any more, or another number was seen.
    """
    dispute = _held(session, actor, dispute_public_id)
    _require_turn(dispute, DisputeState.ASKED, DisputeState.ANSWERED)
    if dispute.contract.person_id == actor.person_id:
        minutes, by = dispute.offered_minutes, SettledBy.AGREED
    else:
        _require_client(actor, dispute)
        minutes = dispute.asked_minutes
        by = SettledBy.CLIENT if minutes == dispute.minutes else SettledBy.AGREED
    if minutes != seen_minutes:
        raise Refused(_("The other side has named another number meanwhile. Look at it again."))
    take_turn(session, actor, dispute, TurnAct.ACCEPTED, "", minutes)
    settling.settle(session, actor, dispute, minutes, by)
    return dispute


@use_case
def ask_for_ruling(session: Session, actor: Actor, dispute_public_id: uuid.UUID, text: str) -> TimeDispute:
    """Whoever's turn it is asks an operator to rule. Raises Refused when it is not their turn."""
    dispute = _held(session, actor, dispute_public_id)
    if dispute.contract.person_id == actor.person_id:
        _require_turn(dispute, DisputeState.ASKED)
    else:
        _require_client(actor, dispute)
        _require_turn(dispute, DisputeState.ANSWERED)
    take_turn(session, actor, dispute, TurnAct.ASKED_RULING, _said(text))
    _to_ruling(session, actor, dispute)
    return dispute


def settle_overdue(session: Session) -> int:
    """Do what follows from each deadline that has passed; how many there were."""
    overdue = sa.select(TimeDispute.id).where(
        TimeDispute.state != DisputeState.SETTLED, TimeDispute.due_at <= clock.now()
    )
    return jobs.one_by_one(session, _run_out, session.scalars(overdue.order_by(TimeDispute.id)).all())


def win_appeal(session: Session, actor: Actor, subject_id: uuid.UUID) -> None:
    """An appeal against a ruling was upheld: the whole line is paid."""
    dispute = session.scalars(sa.select(TimeDispute).filter_by(public_id=subject_id)).one()
    find.hold(session, dispute.contract_id)
    session.refresh(dispute, with_for_update={"of": TimeDispute})
    if dispute.state is not DisputeState.RULED:
        return
    take_turn(session, actor, dispute, TurnAct.UPHELD, "", dispute.minutes)
    settling.award_rest(session, actor, dispute)


@use_case
def _run_out(session: Session, dispute_id: int) -> bool:
    dispute = session.get_one(TimeDispute, dispute_id)
    find.hold(session, dispute.contract_id)
    session.refresh(dispute, with_for_update={"of": TimeDispute})
    if dispute.due_at is None or dispute.due_at > clock.now():
        return False
    match dispute.state:
        case DisputeState.ASKED:
            # Silence of the expert proves nothing; somebody looks at what is there.
            take_turn(session, SITE, dispute, TurnAct.RAN_OUT, "")
            _to_ruling(session, SITE, dispute)
        case DisputeState.RULED:
            if _appealed(session, dispute):
                return False
            settling.finish(session, SITE, dispute)
        case _:
            take_turn(session, SITE, dispute, TurnAct.RAN_OUT, "", dispute.minutes)
            settling.settle(session, SITE, dispute, dispute.minutes, SettledBy.DEADLINE)
    return True


def _appealed(session: Session, dispute: TimeDispute) -> bool:
    """Is an appeal against the ruling still to be decided? Waits for one that is sent at this moment."""
    statement = there(about(session, ruling.SUBJECT, dispute.public_id))
    appeals.hold(session, statement)
    query = sa.select(Appeal.id).where(
        Appeal.statement_id == statement.id, Appeal.outcome.is_distinct_from(Outcome.DISMISSED)
    )
    return session.scalars(query.limit(1)).first() is not None


def _to_ruling(session: Session, actor: Actor, dispute: TimeDispute) -> None:
    _pass(session, actor, dispute, DisputeState.RULING, RULE_WITHIN)
    for person_id in _operators(session):
        tell(
            session,
            person_id,
            "dispute.ruling",
            f"/disputes/{dispute.public_id}",
            lambda: (
                _("A questioned line waits for a ruling"),
                _("Nobody who is a side of it can rule. After fourteen days the whole line is paid."),
            ),
        )


def _operators(session: Session) -> list[int]:
    query = sa.select(RoleGrant.person_id).where(
        RoleGrant.role == Role.OPERATOR, RoleGrant.ended_at.is_(None)
    )
    return list(session.scalars(query.distinct()))


def _pass(session: Session, actor: Actor, dispute: TimeDispute, to: DisputeState, within: timedelta) -> None:
    move(dispute, to, DISPUTE_MOVES)
    dispute.due_at = clock.now() + within
    session.flush()
    audit.record(session, actor, f"dispute.{to}", SUBJECT, dispute.public_id)


def _held(session: Session, actor: Actor, public_id: uuid.UUID) -> TimeDispute:
    return queries.dispute(session, actor, public_id, lock=True)


def _require_client(actor: Actor, dispute: TimeDispute) -> None:
    actor.require(*CLIENT, organization_id=dispute.contract.organization_id)
    if dispute.contract.person_id == actor.person_id:
        raise NotAllowed(_("Somebody else has to decide about your own time."))


def _require_turn(dispute: TimeDispute, *states: DisputeState) -> None:
    if dispute.state not in states:
        raise Refused(_("It is not your turn any more. Look at where it stands."))


def _said(text: str) -> str:
    kept = paragraph(text)
    if len(kept) < LEAST_TEXT:
        raise Invalid(_("Say in a sentence or two what you want to be known."), field="text")
    return kept
