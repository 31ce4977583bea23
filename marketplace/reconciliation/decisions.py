"""Moving clients' wired money: by one person up to the limit, by two above it; and paying tax, always by two.

One proposes, with a reason; a second, who may release money, confirms, and only then it is done. Both need a
fresh second factor. What was proposed and decided stays as evidence.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, text
from marketplace.actor import FINANCE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.payments.models import Funding
from marketplace.reconciliation import joining, matches, returning, tax_office, wires
from marketplace.reconciliation.models import Decision, StatementLine, StatementMatch
from marketplace.reconciliation.states import DecisionKind, DecisionState, move


@use_case
def undo(session: Session, actor: Actor, match_public_id: uuid.UUID, note: str) -> StatementMatch | Decision:
    """Undo a match; where it paid tax, or credited a client with more than the limit, propose so. Raises as
    both do."""
    actor.require(*FINANCE)
    joining.alone(session)
    match = matches.undoable(session, match_public_id)
    above = joining.credits_a_client(match) and joining.needs_two(joining.line_of(match))
    if not above and not tax_office.paid_tax(match):
        return matches.undo_match(session, actor, match_public_id, note)
    made = Decision(kind=DecisionKind.UNDO, line=joining.line_of(match), match=match)
    return _propose(session, actor, made, note, field="note")


@use_case
def apply(
    session: Session, actor: Actor, line_public_id: uuid.UUID, reference: str, reason: str
) -> Funding | Decision:
    """Credit unapplied money; where its line does not name the request, above the limit, propose so."""
    actor.require(*FINANCE)
    line, lot = wires.to_apply(session, line_public_id, reference)
    if wires.names(line, lot) or not joining.needs_two(line):
        return wires.apply(session, actor, line_public_id, reference)
    made = Decision(kind=DecisionKind.APPLY, line=line, funding=lot)
    return _propose(session, actor, made, reason, field="reason")


@use_case
def give_back(
    session: Session, actor: Actor, line_public_id: uuid.UUID, source: str, reason: str
) -> StatementMatch | Decision:
    """Say that a line gave unapplied money back; above the limit, propose so."""
    actor.require(*FINANCE)
    line = returning.to_return(session, line_public_id, source)
    if not joining.needs_two(line):
        return returning.book_returned(session, actor, line_public_id, source, reason)
    made = Decision(kind=DecisionKind.RETURN, line=line, source=source)
    return _propose(session, actor, made, reason, field="reason")


@use_case
def pay_tax(
    session: Session, actor: Actor, line_public_id: uuid.UUID, reason: str, source: str = tax_office.SOURCE
) -> Decision:
    """Propose that a line paid tax to a tax office: which, `source` names. Raises as `tax_office.to_pay`, or
    Invalid without reason."""
    actor.require(*FINANCE)
    joining.alone(session)
    line = tax_office.to_pay(session, line_public_id, source)
    made = Decision(kind=DecisionKind.TAX, line=line, source=source)
    return _propose(session, actor, made, reason, field="reason")


@use_case
def confirm(session: Session, actor: Actor, public_id: uuid.UUID) -> Decision:
    """Do what somebody else proposed. Raises NotAllowed for one's own, FreshFactorNeeded, and as doing it."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    joining.alone(session)
    decision = _locked(session, public_id)
    if decision.proposed_by == actor.id:
        raise NotAllowed(_("You proposed this, so somebody else has to confirm it. Ask a colleague."))
    _decide(session, actor, decision, DecisionState.CONFIRMED)
    _carry_out(session, actor, decision)
    return decision


@use_case
def drop(session: Session, actor: Actor, public_id: uuid.UUID) -> Decision:
    """Say no to what a colleague proposed, or take one's own back. Nothing is moved."""
    actor.require(*FINANCE)
    joining.alone(session)
    decision = _locked(session, public_id)
    _decide(session, actor, decision, DecisionState.DROPPED)
    return decision


def waiting(session: Session) -> Sequence[Decision]:
    """What waits for a second person, oldest first."""
    return session.scalars(_with_people().filter_by(state=DecisionState.PROPOSED).order_by(Decision.id)).all()


def of_line(session: Session, line: StatementLine) -> Sequence[Decision]:
    """What was proposed about a line, newest first."""
    return session.scalars(
        _with_people().filter_by(statement_line_id=line.id).order_by(Decision.id.desc())
    ).all()


def what(decision: Decision) -> str:
    """What is proposed, in the reader's words."""
    if decision.kind is DecisionKind.UNDO:
        paid_tax = decision.match is not None and tax_office.paid_tax(decision.match)
        return _("It paid no such tax") if paid_tax else _("Take it from the request that it was credited to")
    if decision.kind is DecisionKind.TAX:
        if decision.source == tax_office.SOURCE:
            return _("Tax was paid to the tax office")
        return _("Withheld tax was paid to the tax office")
    if decision.funding is not None:
        return _("Credit it to %(reference)s of %(project)s",
                 reference=decision.funding.reference, project=decision.funding.project.name)  # fmt: skip
    return _("Unapplied money went back")


def _propose(session: Session, actor: Actor, made: Decision, reason: str, *, field: str) -> Decision:
    actor.require_fresh_factor()
    made.reason = text.line(reason)
    if not made.reason:
        raise Invalid(_("Say why: it is confirmed by a second person, who reads it."), field=field)
    with session.no_autoflush:
        others = [each for each in of_line(session, made.line) if each.state is DecisionState.PROPOSED]
    if others:
        raise Refused(_("Something about this line waits for a second person. Decide about that first."))
    made.state, made.proposed_by, made.proposed_at = DecisionState.PROPOSED, actor.id, clock.now()
    session.add(made)
    session.flush()
    audit.record(
        session, actor, f"propose_{made.kind}", "statement_line", made.line.public_id,
        amount=made.line.amount, reason=made.reason,
    )  # fmt: skip
    return made


def _carry_out(session: Session, actor: Actor, decision: Decision) -> None:
    line, match, lot = decision.line, decision.match, decision.funding
    if match is not None:
        matches.undo(session, actor, matches.undoable(session, match.public_id), decision.reason)
    elif lot is not None:
        wires.settle(session, actor, *wires.to_apply(session, line.public_id, lot.reference or ""))
    elif decision.kind is DecisionKind.TAX:
        tax = decision.source or ""
        locked = tax_office.to_pay(session, line.public_id, tax)
        tax_office.settle(session, actor, locked, decision.reason, tax)
    else:
        source = decision.source or ""
        locked = returning.to_return(session, line.public_id, source)
        returning.settle(session, actor, locked, source, decision.reason)


def _decide(session: Session, actor: Actor, decision: Decision, to: DecisionState) -> None:
    move(decision, to)
    decision.decided_by, decision.decided_at = actor.id, clock.now()
    session.flush()
    audit.record(
        session, actor, f"{to}_{decision.kind}", "statement_line", decision.line.public_id,
        proposed_by=decision.proposer.public_id, amount=decision.line.amount,
    )  # fmt: skip


def _locked(session: Session, public_id: uuid.UUID) -> Decision:
    query = sa.select(Decision).filter_by(public_id=public_id).with_for_update(of=Decision)
    decision = session.scalar(query.execution_options(populate_existing=True))
    if decision is None:
        raise NotFound(_("There is no such decision."))
    return decision


def _with_people() -> sa.Select[Decision]:
    return sa.select(Decision).options(
        joinedload(Decision.line), joinedload(Decision.proposer), joinedload(Decision.decider)
    )
