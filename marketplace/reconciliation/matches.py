"""Matches with the bank: confirmed with the entry that records the arrival, undone with its reversal."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import audit, clock, ledger, settings, text
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.chart import Account
from marketplace.ledger.models import JournalEntry, Posting
from marketplace.payments import wires
from marketplace.payments.models import Funding, Sweep
from marketplace.payments.states import Rail, SweepState
from marketplace.reconciliation import open_items, sql
from marketplace.reconciliation.models import StatementLine, StatementMatch, StatementMatchLine
from marketplace.reconciliation.states import Leg, LineState, MatchState, move

BY_HAND = 0
# The reason of a match with an entry that was there before the bank's line, and stays when it is undone.
WAS_BOOKED = "was_booked"
# The reason of an application whose request was made for it.
AGAIN = "again"
MATCHING_LOCK = 700_703
Pairs = set[tuple[int, int]]
_STATE = StatementMatch.state
BOOKED_BEFORE = sa.text(f"""
    WITH {sql.NOT_ON_STATEMENT} SELECT posting_id FROM not_on_statement WHERE amount = :amount
""")  # noqa: S608 (a part of our own)


@use_case
def confirm_match(session: Session, actor: Actor, public_id: uuid.UUID) -> StatementMatch:
    """Say that a proposed match is right. Its rivals are undone. Raises Refused when one was confirmed."""
    actor.require(*FINANCE)
    alone(session)
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
    alone(session)
    line = locked_line(session, line_public_id)
    sweep = session.scalar(sa.select(Sweep).filter_by(public_id=sweep_public_id))
    if sweep is None:
        raise NotFound(_("There is no such sweep."))
    if on_bank(line) == chart.bank_client():
        raise Refused(_("This account holds clients’ money, and a sweep brings the operator’s own."))
    if (line.amount, line.currency) != (sweep.amount, sweep.currency):
        raise Refused(_("The amounts differ, so the line cannot be this sweep."))
    match = confirm_new(session, actor, line, sweep, BY_HAND, ["by_hand", "amount"])
    open_items.refresh(session)
    return match


@use_case
def undo_match(session: Session, actor: Actor, public_id: uuid.UUID, note: str) -> StatementMatch:
    """Take a match with the bank back, and the entry that it booked. The pair is not proposed again.

    One that credited a client needs a fresh second factor, and above the limit two people (`decisions`).
    """
    actor.require(*FINANCE)
    alone(session)
    match = undoable(session, public_id)
    if credits_a_client(match):
        alone_may(actor, line_of(match))
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
    open_items.refresh(session)
    return match


def credits_a_client(match: StatementMatch) -> bool:
    """Does a client's request count by it?"""
    return match.state is MatchState.CONFIRMED and any(each.funding_id for each in match.lines)


def line_of(match: StatementMatch) -> StatementLine:
    """The bank line of a match with the bank."""
    return next(each.statement_line for each in match.lines if each.statement_line)


def needs_two(line: StatementLine) -> bool:
    """Is it more than one person may move of clients' money, which is what one may send back?"""
    return abs(line.amount) > settings.current().refund_limit


def alone_may(actor: Actor, line: StatementLine) -> None:
    """Let one person move clients' money of this line. Raises FreshFactorNeeded; Refused above the limit."""
    actor.require_fresh_factor()
    if needs_two(line):
        raise Refused(_("This is above the limit, so one proposes it and somebody else confirms it."))


@use_case
def match_entry(
    session: Session, actor: Actor, line_public_id: uuid.UUID, entry_public_id: uuid.UUID
) -> StatementMatch:
    """Say that a bank line is what an entry on its account booked before. Raises NotFound or Refused."""
    actor.require(*FINANCE)
    alone(session)
    line = locked_line(session, line_public_id)
    posting = next(
        (each for each in booked_before(session, line) if each.entry.public_id == entry_public_id), None
    )
    if posting is None:
        raise Refused(_("This entry is matched already, or is of another amount. Look again."))
    match = new_match(session, MatchState.CONFIRMED, BY_HAND, ["by_hand", WAS_BOOKED], by=actor.id)
    session.add(StatementMatchLine(match_id=match.id, leg=Leg.BANK, live=True, statement_line_id=line.id))
    session.flush()
    explain(session, match, line, posting.entry)
    audit.record(session, actor, "matched", "statement_line", line.public_id, entry=posting.entry.public_id)
    open_items.refresh(session)
    return match


def booked_before(session: Session, line: StatementLine) -> list[Posting]:
    """What was booked on the account for clients' money in the line's very amount, and is on no statement."""
    if on_bank(line) != chart.bank_client():
        return []
    rows = session.execute(BOOKED_BEFORE, {"amount": line.amount})
    ids = [row.posting_id for row in rows]
    query = sa.select(Posting).where(sql.among(Posting.id, ids), Posting.currency == line.currency)
    return list(session.scalars(query.options(joinedload(Posting.entry)).order_by(Posting.id)))


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


def alone(session: Session) -> None:
    """Take the lock under which matches are made and undone, one run or person at a time."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(MATCHING_LOCK)))


def book(
    session: Session,
    actor: Actor,
    match: StatementMatch,
    line: StatementLine,
    *,
    source: str,
    event: str,
    other: Account,
    memo: str,
) -> JournalEntry:
    """Book the line against `other` on its own day, and make it explained by the match."""
    entry = ledger.post(
        session,
        actor,
        source=source,
        event=event,
        currency=line.currency,
        lines=[(on_bank(line), line.amount), (other, -line.amount)],
        occurred_at=moment_of(line),
        memo=memo,
    )
    explain(session, match, line, entry)
    return entry


def explain(session: Session, match: StatementMatch, line: StatementLine, entry: JournalEntry) -> None:
    """Let the posting of an entry on the line's bank account be what explains the line."""
    posting = _posting_on(entry, on_bank(line))
    session.add(StatementMatchLine(match_id=match.id, leg=Leg.BANK, live=True, posting_id=posting.id))
    move(line, LineState.MATCHED)
    session.flush()


def on_bank(line: StatementLine) -> Account:
    """1010 or 1020: where the books keep the account of the line."""
    return line.statement.account.ledger_account


def locked_line(session: Session, public_id: uuid.UUID) -> StatementLine:
    """The line, locked. Raises NotFound, or Refused when it is explained."""
    line = session.scalar(
        sa.select(StatementLine)
        .filter_by(public_id=public_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if line is None:
        raise NotFound(_("There is no such line."))
    if line.state == LineState.MATCHED:
        raise Refused(_("This line is explained. Undo its match first."))
    if line.state == LineState.SET_ASIDE:
        raise Refused(_("This line was set aside with its statement. Bring that back first."))
    return line


def new_match(
    session: Session,
    state: MatchState,
    number: int,
    reasons: list[str],
    *,
    by: int | None,
    note: str = "",
    leg: Leg = Leg.BANK,
) -> StatementMatch:
    """A match with the bank, without its lines yet."""
    match = StatementMatch(
        pass_number=number,
        leg=leg,
        state=state,
        reasons=reasons,
        note=note,
        matched_at=clock.now(),
        confirmed_by=by,
    )
    session.add(match)
    session.flush()
    return match


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
    match = new_match(session, state, number, reasons, by=by)
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
    book(
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
            lot = locked_request(session, each.funding.public_id)
            wires.open_again(session, actor, lot)
            if AGAIN in match.reasons:
                wires.expire(session, actor, lot)
        if each.posting is not None and WAS_BOOKED not in match.reasons:
            _reverse(session, actor, match, each.posting, note or "")
    session.flush()
    for each in match.lines:
        if each.statement_line is not None:
            if match.leg is Leg.BANK:
                _free(session, each.statement_line, was_confirmed)
            audit.record(
                session, actor, "unmatched", "statement_line", each.statement_line.public_id, note=note
            )


def locked_request(session: Session, public_id: uuid.UUID) -> Funding:
    """A client's request for a wire, locked and read anew. Raises NotFound."""
    query = sa.select(Funding).filter_by(public_id=public_id, rail=Rail.WIRE).with_for_update(of=Funding)
    found = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound(_("There is no such request."))
    return found


def _refuse_used(session: Session, match: StatementMatch) -> None:
    """What was applied to a request, or went back, is taken from there first."""
    if "unapplied" not in match.reasons or match.state is not MatchState.CONFIRMED:
        return
    line = line_of(match)
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


def _posting_on(entry: JournalEntry, account: Account) -> Posting:
    return next(posting for posting in entry.postings if posting.account.key == account.key)


def moment_of(line: StatementLine) -> datetime:
    """A bank books by days: the beginning of that day in the books' zone."""
    return clock.midnight(line.booked_on, settings.current().books_zone.key)
