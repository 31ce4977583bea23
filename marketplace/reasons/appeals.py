"""Appeals: a person answers a statement of reasons, and somebody else looks again."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.accounts.models import Person
from marketplace.actor import SITE, Actor, Role
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.i18n import moment, reading
from marketplace.notifications import notify
from marketplace.reasons import codes
from marketplace.reasons.hooks import barred, elsewhere, on_upheld
from marketplace.reasons.models import Appeal, Outcome, Statement
from marketplace.reasons.statements import about
from marketplace.text import paragraph

LEAST_TEXT = 10


@use_case
def appeal(session: Session, actor: Actor, statement_public_id: uuid.UUID, text: str) -> Appeal:
    """Ask for another look at a decision. Somebody else decides within 14 days, or it falls.

    Raises NotFound when the statement is not about this person; Refused when there is an appeal already
    or the time is over; Invalid when `text` says nothing.
    """
    statement = session.scalars(
        sa.select(Statement).filter_by(public_id=statement_public_id, person_id=actor.id)
    ).first()
    if statement is None:
        raise NotFound(_("There is no such decision."))
    return _open(session, actor, statement, text)


@use_case
def appeal_for(session: Session, actor: Actor, subject_kind: str, subject_id: uuid.UUID, text: str) -> Appeal:
    """Enter what a person wrote who cannot sign in, against the last decision about the subject. Operators.

    Raises NotFound without a decision; otherwise as `appeal`.
    """
    actor.require(Role.OPERATOR)
    statement = about(session, subject_kind, subject_id)
    if statement is None:
        raise NotFound(_("There is no such decision."))
    return _open(session, actor, statement, text)


def _open(session: Session, actor: Actor, statement: Statement, text: str) -> Appeal:
    if statement.subject_kind in elsewhere:
        raise Refused(_("This decision is answered on its own page, where somebody else can rule on it."))
    _require_appealable(session, statement)
    now = clock.now()
    opened = Appeal(
        public_id=new_id(),
        statement_id=statement.id,
        text=_said(text, "text", _("Say in a sentence or two what is not right about the decision.")),
        opened_at=now,
        decide_by=now + codes.DECIDE_WITHIN,
    )
    session.add(opened)
    session.flush()
    audit.record(session, actor, "open", "appeal", opened.public_id, statement=statement.public_id)
    return opened


@use_case
def decide(
    session: Session, actor: Actor, appeal_public_id: uuid.UUID, outcome: Outcome | str, answer: str
) -> Appeal:
    """Uphold an appeal, which undoes the decision, or dismiss it, with an answer to the person.

    Operators only. Raises Refused for who took the decision or whom it concerns, and when the appeal is
    decided already.
    """
    actor.require(Role.OPERATOR)
    opened = _open_appeal(session, appeal_public_id)
    if not may_decide(session, actor, opened.statement):
        raise Refused(_("Somebody else has to decide this appeal, because the decision was yours."))
    said = _said(answer, "answer", _("Answer in a sentence or two what you found when you looked again."))
    _close(session, actor, opened, Outcome(outcome), said)
    return opened


def may_decide(session: Session, actor: Actor, statement: Statement) -> bool:
    """Did this operator neither take the decision, nor is it about them or a side that they belong to?"""
    if actor.id in (statement.decided_by, statement.person_id):
        return False
    is_side = barred.get(statement.subject_kind)
    return is_side is None or not is_side(session, actor, statement.subject_id)


@jobs.task("reasons.default_overdue")
def default_overdue(session: Session) -> int:
    """Uphold each appeal whose time to be decided has run out; how many there were."""
    overdue = session.scalars(
        sa.select(Appeal.public_id).where(Appeal.outcome.is_(None), Appeal.decide_by <= clock.now())
    ).all()
    return sum(_default(session, public_id) for public_id in overdue)


jobs.periodic("0 */5 * * * *", "reasons.default_overdue", by_the_clock=True)


@use_case
def _default(session: Session, public_id: uuid.UUID) -> bool:
    opened = session.scalars(_locked(public_id)).first()
    if opened is None or opened.outcome is not None:
        return False
    person = session.get_one(Person, opened.statement.person_id)
    with reading(person.locale, person.time_zone):
        answer = _("Nobody decided your appeal in time, so it is decided in your favour.")
    _close(session, SITE, opened, Outcome.UPHELD, answer)
    return True


def _close(session: Session, actor: Actor, opened: Appeal, outcome: Outcome, answer: str) -> None:
    opened.outcome = outcome
    opened.decided_by = actor.person_id
    opened.decided_at = clock.now()
    opened.answer = answer
    session.flush()
    statement = opened.statement
    audit.record(session, actor, outcome.value, "appeal", opened.public_id, statement=statement.public_id)
    if outcome is Outcome.UPHELD:
        # A kind that nobody can undo is a fault of ours, and must not look as if it had been undone.
        on_upheld[statement.subject_kind](session, actor, statement.subject_id)
    _tell(session, opened)


def _tell(session: Session, closed: Appeal) -> None:
    person = session.get_one(Person, closed.statement.person_id)
    upheld = closed.outcome is Outcome.UPHELD
    with reading(person.locale, person.time_zone):
        title = _("Your appeal was upheld") if upheld else _("Your appeal was dismissed")
        path = f"/decisions/{closed.statement.public_id}"
        notify(session, person.id, "appeal", title, closed.answer or "", path)


def _open_appeal(session: Session, public_id: uuid.UUID) -> Appeal:
    opened = session.scalars(_locked(public_id)).first()
    if opened is None:
        raise NotFound(_("There is no such appeal."))
    if opened.outcome is not None:
        raise Refused(_("This appeal is already decided. Nothing was changed."))
    return opened


def _locked(public_id: uuid.UUID) -> sa.Select[Appeal]:
    return sa.select(Appeal).filter_by(public_id=public_id).with_for_update(of=Appeal)


def hold(session: Session, statement: Statement) -> None:
    """Wait for whoever appeals against it at this moment, and let nobody else until the transaction ends."""
    key = sa.func.hashtextextended(f"appeal:{statement.public_id}", 0)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _require_appealable(session: Session, statement: Statement) -> None:
    # Two tabs: the second waits here, and then sees the first one's appeal.
    hold(session, statement)
    if session.scalar(sa.select(sa.exists().where(Appeal.statement_id == statement.id))):
        raise Refused(_("You have already appealed against this decision."))
    if clock.now() >= statement.appeal_until:
        raise Refused(_("The time to appeal ended on %(moment)s.", moment=moment(statement.appeal_until)))


def _said(text: str, field: str, otherwise: str) -> str:
    kept = paragraph(text)
    if len(kept) < LEAST_TEXT:
        raise Invalid(otherwise, field=field)
    return kept
