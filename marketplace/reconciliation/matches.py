"""Matches with the bank: confirmed with the entry that records the arrival, undone with its reversal."""

from __future__ import annotations

import uuid
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from marketplace import audit, clock, ledger, text
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import Posting
from marketplace.payments import wires
from marketplace.payments.models import Sweep
from marketplace.payments.states import SweepState
from marketplace.reconciliation import joining, open_items, sql, tax_office
from marketplace.reconciliation.models import StatementLine, StatementMatch, StatementMatchLine
from marketplace.reconciliation.states import Leg, LineState, MatchState, move

# The reason of an application whose request was made for it.
AGAIN = "again"
Pairs = set[tuple[int, int]]
_STATE = StatementMatch.state


@use_case
def confirm_match(session: Session, actor: Actor, public_id: uuid.UUID) -> StatementMatch:
    """Say that a proposed match is right. Its rivals are undone. Raises Refused when one was confirmed."""
    actor.require(*FINANCE)
    joining.alone(session)
    match = _locked(session, public_id)
    move(match, MatchState.CONFIRMED)
    match.confirmed_by = actor.id
    line, sweep = pair_of(match)
    _take(session, actor, match, line, sweep)
    open_items.refresh(session)
    return match


@use_case
def match_by_hand(
    session: Session, actor: Actor, line_public_id: uuid.UUID, sweep_public_id: uuid.UUID
) -> StatementMatch:
    """Say that a bank line is the arrival of a sweep. Raises Refused when amounts differ or one is taken."""
    actor.require(*FINANCE)
    joining.alone(session)
    line = joining.locked_line(session, line_public_id)
    sweep = session.scalar(sa.select(Sweep).filter_by(public_id=sweep_public_id))
    if sweep is None:
        raise NotFound(_("There is no such sweep."))
    if joining.on_bank(line) == chart.bank_client():
        raise Refused(_("This account holds clients’ money, and a sweep brings the operator’s own."))
    if (line.amount, line.currency) != (sweep.amount, sweep.currency):
        raise Refused(_("The amounts differ, so the line cannot be this sweep."))
    match = confirm_new(session, actor, line, sweep, joining.BY_HAND, ["by_hand", "amount"])
    open_items.refresh(session)
    return match


@use_case
def undo_match(session: Session, actor: Actor, public_id: uuid.UUID, note: str) -> StatementMatch:
    """Take a match with the bank back, and the entry that it booked. The pair is not proposed again.

    One that credited a client needs a fresh second factor, and above the limit two people (`decisions`).
    """
    actor.require(*FINANCE)
    joining.alone(session)
    match = undoable(session, public_id)
    if joining.credits_a_client(match):
        joining.alone_may(actor, joining.line_of(match))
    if tax_office.paid_tax(match):
        raise Refused(_("That it paid no tax is proposed by one and confirmed by another."))
    return undo(session, actor, match, note)


def undoable(session: Session, public_id: uuid.UUID) -> StatementMatch:
    """A match that can be undone, locked. Raises NotFound or Refused. Needs the matching lock."""
    match = _locked(session, public_id)
    if match.leg not in (Leg.BANK, Leg.APPLIED):
        raise Refused(_("Stripe's own ids made this match, so there is nothing to undo."))
    _refuse_used(session, match)
    return match


def undo(session: Session, actor: Actor, match: StatementMatch, note: str) -> StatementMatch:
    """Undo it in the running transaction, whoever may have decided so. Raises Invalid without a note."""
    if not text.line(note):
        raise Invalid(_("Say why, for whoever reads this later."), field="note")
    _let_go(session, actor, match, text.line(note))
    match.undone_by = actor.id
    tax_office.taken_back(session, actor, match)
    open_items.refresh(session)
    return match


@use_case
def match_entry(
    session: Session, actor: Actor, line_public_id: uuid.UUID, entry_public_id: uuid.UUID
) -> StatementMatch:
    """Say that a bank line is what an entry on its account booked before. Raises NotFound or Refused."""
    actor.require(*FINANCE)
    joining.alone(session)
    line = joining.locked_line(session, line_public_id)
    posting = next(
        (each for each in joining.booked_before(session, line) if each.entry.public_id == entry_public_id),
        None,
    )
    if posting is None:
        raise Refused(_("This entry is matched already, or is of another amount. Look again."))
    match = joining.new_match(
        session, MatchState.CONFIRMED, joining.BY_HAND, ["by_hand", joining.WAS_BOOKED], by=actor.id
    )
    session.add(StatementMatchLine(match_id=match.id, leg=Leg.BANK, live=True, statement_line_id=line.id))
    session.flush()
    joining.explain(session, match, line, posting.entry)
    audit.record(session, actor, "matched", "statement_line", line.public_id, entry=posting.entry.public_id)
    open_items.refresh(session)
    return match


def confirm_new(
    session: Session, actor: Actor, line: StatementLine, sweep: Sweep, number: int, reasons: list[str]
) -> StatementMatch:
    """A match of line and sweep that stands at once. Needs a running transaction."""
    match = _add(session, MatchState.CONFIRMED, number, reasons, line, sweep, by=actor.person_id)
    _take(session, actor, match, line, sweep)
    return match


def propose(session: Session, line: StatementLine, sweep: Sweep, number: int, reasons: list[str]) -> None:
    """Propose the pair for a person to decide. Needs a running transaction."""
    _add(session, MatchState.PROPOSED, number, reasons, line, sweep)
    if line.state == LineState.IMPORTED:
        move(line, LineState.PROPOSED)
    session.flush()


def let_proposals_go(session: Session, actor: Actor, lines: Collection[int]) -> None:
    """End what is proposed for these lines (internal ids). Needs a running transaction."""
    proposed = session.scalars(
        sa.select(StatementMatch)
        .where(
            _STATE == MatchState.PROPOSED,
            StatementMatch.lines.any(sql.among(StatementMatchLine.statement_line_id, lines)),
        )
        .order_by(StatementMatch.id)
    )
    for match in proposed.all():
        _let_go(session, actor, match, None)


def rejected_pairs(session: Session) -> Pairs:
    """Lines and sweeps (internal ids) of which somebody said that they do not belong together."""
    return _pairs(session, sa.and_(_STATE == MatchState.UNDONE, StatementMatch.undone_by.is_not(None)))


def proposed_pairs(session: Session) -> Pairs:
    """Lines and sweeps (internal ids) that wait for somebody to decide."""
    return _pairs(session, _STATE == MatchState.PROPOSED)


def has_arrived() -> sa.ColumnElement[bool]:
    """Is a Sweep matched with a bank line?"""
    return sa.exists().where(StatementMatchLine.sweep_id == Sweep.id, StatementMatchLine.live)


def pair_of(match: StatementMatch) -> tuple[StatementLine, Sweep]:
    """The bank line and the sweep of a match. Raises Refused when it joins other things."""
    line = next((each.statement_line for each in match.lines if each.statement_line), None)
    sweep = next((each.sweep for each in match.lines if each.sweep), None)
    if line is None or sweep is None:
        raise Refused(_("This match is not about a sweep."))
    return line, sweep


def _add(
    session: Session,
    state: MatchState,
    number: int,
    reasons: list[str],
    line: StatementLine,
    sweep: Sweep,
    *,
    by: int | None = None,
) -> StatementMatch:
    match = joining.new_match(session, state, number, reasons, by=by)
    match.lines = [
        StatementMatchLine(leg=Leg.BANK, live=False, statement_line=line),
        StatementMatchLine(leg=Leg.BANK, live=False, sweep=sweep),
    ]
    return match


def _take(session: Session, actor: Actor, match: StatementMatch, line: StatementLine, sweep: Sweep) -> None:
    """Book the arrival; whoever proposed the line or the sweep for something else was wrong."""
    if sweep.state not in (SweepState.SENT, SweepState.PAID) or _is_taken(session, match, sweep):
        raise Refused(_("This sweep is not on its way any more. Look again."))
    for each in match.lines:
        each.live = True
    session.flush()
    for rival in _rivals(session, match, line, sweep):
        _let_go(session, actor, rival, None)
    joining.book(
        session,
        actor,
        match,
        line,
        source=f"sweep:{sweep.public_id}",
        event=_arrival(session, sweep),
        other=chart.payouts_in_transit(),
        memo=_("Fees arrived at our bank"),
    )
    audit.record(session, actor, "matched", "statement_line", line.public_id, sweep=sweep.public_id)


def _let_go(session: Session, actor: Actor, match: StatementMatch, note: str | None) -> None:
    """End the match. Without a note it only lost to another, and may be proposed again some day."""
    was_confirmed = match.state == MatchState.CONFIRMED
    move(match, MatchState.UNDONE)
    match.undone_at = clock.now()
    for each in match.lines:
        each.live = False
        if each.funding is not None and was_confirmed:
            lot = joining.locked_request(session, each.funding.public_id)
            wires.open_again(session, actor, lot)
            if AGAIN in match.reasons:
                wires.expire(session, actor, lot)
        if each.posting is not None and joining.WAS_BOOKED not in match.reasons:
            _reverse(session, actor, match, each.posting, note or "")
    session.flush()
    for each in match.lines:
        if each.statement_line is not None:
            if match.leg is Leg.BANK:
                _free(session, each.statement_line, was_confirmed)
            audit.record(
                session, actor, "unmatched", "statement_line", each.statement_line.public_id, note=note
            )


def _refuse_used(session: Session, match: StatementMatch) -> None:
    """What was applied to a request, or went back, is taken from there first."""
    if "unapplied" not in match.reasons or match.state is not MatchState.CONFIRMED:
        return
    line = joining.line_of(match)
    held = -ledger.balance(session, chart.unapplied(f"statement_line:{line.public_id}"), line.currency)
    if held < line.amount:
        raise Refused(_("This money was applied to a request, or went back. Undo that first."))


def _free(session: Session, line: StatementLine, was_confirmed: bool) -> None:
    """Back to imported, or to proposed while other proposals stand."""
    proposed = sa.select(StatementMatchLine.id).join(StatementMatchLine.match)
    others = session.scalar(
        proposed.where(
            StatementMatchLine.statement_line_id == line.id, StatementMatch.state == MatchState.PROPOSED
        ).limit(1)
    )
    if was_confirmed or (others is None and line.state == LineState.PROPOSED):
        move(line, LineState.IMPORTED)
    session.flush()


def _reverse(session: Session, actor: Actor, match: StatementMatch, posting: Posting, note: str) -> None:
    entry = posting.entry
    ledger.reverse(session, actor, entry, source=entry.source, event=f"undone {match.public_id}", memo=note)


def _arrival(session: Session, sweep: Sweep) -> str:
    """`arrived`; a number follows when an earlier arrival was undone."""
    before = [
        entry
        for entry in ledger.entries_for(session, f"sweep:{sweep.public_id}")
        if entry.event.startswith("arrived")
    ]
    return f"arrived {len(before) + 1}" if before else "arrived"


def _is_taken(session: Session, match: StatementMatch, sweep: Sweep) -> bool:
    return bool(
        session.scalar(
            sa.select(StatementMatchLine.id).where(
                StatementMatchLine.sweep_id == sweep.id,
                StatementMatchLine.live,
                StatementMatchLine.match_id != match.id,
            )
        )
    )


def _rivals(
    session: Session, match: StatementMatch, line: StatementLine, sweep: Sweep
) -> list[StatementMatch]:
    same = sa.or_(StatementMatchLine.statement_line_id == line.id, StatementMatchLine.sweep_id == sweep.id)
    return list(
        session.scalars(
            sa.select(StatementMatch)
            .where(
                StatementMatch.state == MatchState.PROPOSED,
                StatementMatch.id != match.id,
                StatementMatch.lines.any(same),
            )
            .order_by(StatementMatch.id)
        )
    )


def _pairs(session: Session, which: sa.ColumnElement[bool]) -> Pairs:
    line, sweep = sa.orm.aliased(StatementMatchLine), sa.orm.aliased(StatementMatchLine)
    rows = session.execute(
        sa.select(line.statement_line_id, sweep.sweep_id)
        .join(sweep, sweep.match_id == line.match_id)
        .join(StatementMatch, StatementMatch.id == line.match_id)
        .where(line.statement_line_id.is_not(None), sweep.sweep_id.is_not(None), which)
    )
    return {(line_id or 0, sweep_id or 0) for line_id, sweep_id in rows}


def _locked(session: Session, public_id: uuid.UUID) -> StatementMatch:
    match = session.scalar(
        sa.select(StatementMatch)
        .filter_by(public_id=public_id)
        .options(selectinload(StatementMatch.lines))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if match is None:
        raise NotFound(_("There is no such match."))
    return match
