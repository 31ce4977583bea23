"""What every match with the bank is made with: its lock, its line, and the entry that explains the line."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock, ledger, settings
from marketplace.actor import Actor
from marketplace.errors import NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.chart import Account
from marketplace.ledger.models import JournalEntry, Posting
from marketplace.payments.models import Funding
from marketplace.payments.states import Rail
from marketplace.reconciliation import sql
from marketplace.reconciliation.models import StatementLine, StatementMatch, StatementMatchLine
from marketplace.reconciliation.states import Leg, LineState, MatchState, move

BY_HAND = 0
# The reason of a match with an entry that was there before the bank's line, and stays when it is undone.
WAS_BOOKED = "was_booked"
MATCHING_LOCK = 700_703
BOOKED_BEFORE = sa.text(f"""
    WITH {sql.NOT_ON_STATEMENT} SELECT posting_id FROM not_on_statement WHERE amount = :amount
""")  # noqa: S608 (a part of our own)


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


def booked_before(session: Session, line: StatementLine) -> list[Posting]:
    """What was booked on the account for clients' money in the line's very amount, and is on no statement."""
    if on_bank(line) != chart.bank_client():
        return []
    rows = session.execute(BOOKED_BEFORE, {"amount": line.amount})
    ids = [row.posting_id for row in rows]
    query = sa.select(Posting).where(sql.among(Posting.id, ids), Posting.currency == line.currency)
    return list(session.scalars(query.options(joinedload(Posting.entry)).order_by(Posting.id)))


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
    other: Account | Sequence[tuple[Account, int]],
    memo: str,
) -> JournalEntry:
    """Book the line against `other`, or several accounts with what each takes, on its own day, and make it
    explained by the match."""
    others = [(other, -line.amount)] if isinstance(other, Account) else other
    entry = ledger.post(
        session,
        actor,
        source=source,
        event=event,
        currency=line.currency,
        lines=[(on_bank(line), line.amount), *others],
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


def locked_request(session: Session, public_id: uuid.UUID) -> Funding:
    """A client's request for a wire, locked and read anew. Raises NotFound."""
    query = sa.select(Funding).filter_by(public_id=public_id, rail=Rail.WIRE).with_for_update(of=Funding)
    found = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound(_("There is no such request."))
    return found


def _posting_on(entry: JournalEntry, account: Account) -> Posting:
    return next(posting for posting in entry.postings if posting.account.key == account.key)


def moment_of(line: StatementLine) -> datetime:
    """A bank books by days: the beginning of that day in the books' zone."""
    return clock.midnight(line.booked_on, settings.current().books_zone.key)
