"""Clients' wires on the account for clients' money: credited to their request, or kept as unapplied cash.

Pass 6: the payer gave the request's reference as a structured one, and the amount is equal. Pass 7: the
bank's text holds the reference, and the amount is equal. Anything else that came in is unapplied until a
person says what it is for; nothing is ever credited on a guess.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from marketplace import audit, clock, ledger
from marketplace.actor import FINANCE, SITE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.payments import wires
from marketplace.payments.models import Funding
from marketplace.payments.states import FundingState, Rail
from marketplace.reconciliation import joining, matches, open_items
from marketplace.reconciliation.models import BankAccount, BankStatement, StatementLine, StatementMatch
from marketplace.reconciliation.models import StatementMatchLine as MatchLine
from marketplace.reconciliation.states import NOT_EXPLAINED, Leg, LineState, MatchState

BY_REFERENCE, BY_TEXT = 6, 7
PASSES = (BY_REFERENCE, BY_TEXT)
REASONS = {BY_REFERENCE: ["reference", "amount"], BY_TEXT: ["reference_in_text", "amount"]}


def run(session: Session) -> Counter[int]:
    """Credit what names its request, and keep the rest; how many of each pass. Needs the matching lock."""
    done: Counter[int] = Counter()
    for number, names in ((BY_REFERENCE, _gives), (BY_TEXT, _says)):
        for line, lot in _sure(session, names):
            _credit(session, line, lot, number)
            done[number] += 1
    for line in _lines(session, ~_was_undone()):
        # What the bank gave back of a top-up is booked already, and a person says that it is that.
        if not joining.booked_before(session, line):
            keep_unapplied(session, SITE, line)
    return +done


def keep_unapplied(session: Session, actor: Actor, line: StatementLine) -> StatementMatch:
    """Clients' money that nobody can place yet. Needs the matching lock."""
    match = joining.new_match(session, MatchState.CONFIRMED, BY_TEXT, ["unapplied"], by=actor.person_id)
    session.add(MatchLine(match_id=match.id, leg=Leg.BANK, live=True, statement_line_id=line.id))
    joining.book(
        session,
        actor,
        match,
        line,
        source=f"statement_line:{line.public_id}",
        event=f"unapplied {match.public_id}",
        other=_unapplied(line),
        memo=_("Clients’ money that no request names"),
    )
    audit.record(session, actor, "unapplied", "statement_line", line.public_id, amount=line.amount)
    return match


@use_case
def keep(session: Session, actor: Actor, line_public_id: uuid.UUID) -> StatementMatch:
    """Keep a line as unapplied after all, of which somebody had said that it is not. Raises Refused."""
    actor.require(*FINANCE)
    joining.alone(session)
    line = joining.locked_line(session, line_public_id)
    if line.amount < 0 or not line.statement.account.client_money:
        raise Refused(_("Only what came in on the account for clients’ money can be unapplied."))
    match = keep_unapplied(session, actor, line)
    open_items.refresh(session)
    return match


@use_case
def apply(session: Session, actor: Actor, line_public_id: uuid.UUID, reference: str) -> Funding:
    """Say for which request unapplied money came: what arrived is credited, whatever was asked for. Under a
    request that is paid already it becomes one of its own.

    A request that the line does not name needs a fresh second factor, and above the limit two people
    (`decisions`). Raises Invalid for a reference of no request of ours, NotFound, Refused.
    """
    actor.require(*FINANCE)
    line, lot = to_apply(session, line_public_id, reference)
    if not names(line, lot):
        joining.alone_may(actor, line)
    return settle(session, actor, line, lot)


def to_apply(session: Session, line_public_id: uuid.UUID, reference: str) -> tuple[StatementLine, Funding]:
    """The unapplied line and the request named, locked. Takes the matching lock; raises as `apply`."""
    joining.alone(session)
    line = unapplied_line(session, line_public_id)
    named = wires.read_reference(reference)
    asked = session.scalar(sa.select(Funding.public_id).filter_by(reference=named)) if named else None
    if asked is None:
        said = _("No request has this reference. Look at it again, digit by digit.")
        raise Invalid(said, field="reference")
    lot = joining.locked_request(session, asked)
    if lot.currency != line.currency:
        raise Refused(_("This request is in another currency."))
    return line, lot


def names(line: StatementLine, lot: Funding) -> bool:
    """Does the line name this request, and no other?"""
    return _named(line) == {lot.reference}


def settle(session: Session, actor: Actor, line: StatementLine, lot: Funding) -> Funding:
    """Credit what `to_apply` gave, whoever decided so: the request, or the one made in its place."""
    paid = _apply(session, actor, line, lot)
    open_items.refresh(session)
    return paid


def unapplied(session: Session) -> Sequence[StatementLine]:
    """The lines whose money nobody has placed, oldest first."""
    return session.scalars(
        _with_account()
        .join(LedgerAccount, LedgerAccount.key == _key())
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "2030")
        .group_by(StatementLine.id, BankStatement.id, BankAccount.id)
        .having(sa.func.sum(LedgerBalance.amount) < 0)
        .order_by(StatementLine.booked_on, StatementLine.id)
    ).all()


def is_unapplied(session: Session, line: StatementLine) -> bool:
    """Does its money wait for somebody to place it?"""
    return ledger.balance(session, _unapplied(line), line.currency) < 0


def suggested(session: Session, line: StatementLine) -> Funding | None:
    """The request that the line names, by its reference alone: its amount differs, or it is paid."""
    named = _named(line)
    found = session.scalars(sa.select(Funding).where(Funding.reference.in_(named))).all()
    return found[0] if len(named) == len(found) == 1 else None


def _named(line: StatementLine) -> set[str]:
    """The references that the line carries: its structured one, else those of its text."""
    given = wires.read_reference(line.creditor_ref)
    return {given} if given else wires.references_in(f"{line.text} {line.end_to_end}")


def _unapplied(line: StatementLine) -> chart.Account:
    return chart.unapplied(f"statement_line:{line.public_id}")


Names = Callable[[StatementLine, Funding], bool]


def _sure(session: Session, names: Names) -> list[tuple[StatementLine, Funding]]:
    """Pairs of equal amount that are joined by `names`, and where neither side has another."""
    rejected = _rejected(session)
    lines = _lines(session)
    amounts = {line.amount for line in lines}
    requests = _requests(session, Funding.amount.in_(amounts)) if amounts else []
    pairs = [
        (line, lot)
        for line in lines
        for lot in requests
        if (line.amount, line.currency) == (lot.amount, lot.currency)
        and (line.id, lot.id) not in rejected
        and names(line, lot)
    ]
    of_line, of_lot = Counter(line.id for line, _lot in pairs), Counter(lot.id for _line, lot in pairs)
    return [(line, lot) for line, lot in pairs if of_line[line.id] == of_lot[lot.id] == 1]


def _gives(line: StatementLine, lot: Funding) -> bool:
    return wires.read_reference(line.creditor_ref) == lot.reference


def _says(line: StatementLine, lot: Funding) -> bool:
    """Its text names this request, and neither it nor a structured reference names another."""
    return names(line, lot) and not wires.read_reference(line.creditor_ref)


def _credit(session: Session, line: StatementLine, lot: Funding, number: int) -> None:
    lot = joining.locked_request(session, lot.public_id)
    match = joining.new_match(session, MatchState.CONFIRMED, number, REASONS[number], by=None)
    session.add_all(
        [
            MatchLine(match_id=match.id, leg=Leg.BANK, live=True, statement_line_id=line.id),
            MatchLine(match_id=match.id, leg=Leg.BANK, live=True, funding_id=lot.id),
        ]
    )
    session.flush()
    entry = _pay(session, SITE, line, lot, chart.bank_client())
    joining.explain(session, match, line, entry)
    audit.record(session, SITE, "matched", "statement_line", line.public_id, funding=lot.public_id)


def _apply(session: Session, actor: Actor, line: StatementLine, lot: Funding) -> Funding:
    source, reasons = _unapplied(line), ["applied"]
    ledger.require_cover(session, source, line.currency, line.amount)
    if lot.state is not FundingState.OPEN:
        lot, reasons = wires.again(session, actor, lot, line.amount), ["applied", matches.AGAIN]
    match = joining.new_match(
        session, MatchState.CONFIRMED, joining.BY_HAND, reasons, by=actor.id, leg=Leg.APPLIED
    )
    entry = _pay(session, actor, line, lot, source)
    posting = next(each for each in entry.postings if each.account.key == source.key)
    things: tuple[dict[str, int], ...] = (
        {"statement_line_id": line.id}, {"funding_id": lot.id}, {"posting_id": posting.id},
    )  # fmt: skip
    session.add_all(MatchLine(match_id=match.id, leg=Leg.APPLIED, live=True, **thing) for thing in things)
    session.flush()
    audit.record(
        session, actor, "applied", "statement_line", line.public_id,
        funding=lot.public_id, amount=line.amount, asked=lot.amount,
    )  # fmt: skip
    return lot


def _pay(
    session: Session, actor: Actor, line: StatementLine, lot: Funding, source: chart.Account
) -> ledger.JournalEntry:
    moment = joining.moment_of(line) if source == chart.bank_client() else clock.now()
    entry = wires.entry_for(session, lot, source, line.amount, moment)
    paid_from = " · ".join(part for part in (line.counterparty, line.counterparty_account) if part)
    return wires.credit(session, actor, lot, entry, line.amount, paid_from)


def _lines(session: Session, *which: sa.ColumnElement[bool]) -> Sequence[StatementLine]:
    """What came in on accounts for clients' money, and nothing explains."""
    return session.scalars(
        _with_account()
        .where(
            StatementLine.state.in_(NOT_EXPLAINED),
            StatementLine.amount > 0,
            BankAccount.client_money,
            *which,
        )
        .order_by(StatementLine.id)
    ).all()


def _with_account() -> sa.Select[StatementLine]:
    return (
        sa.select(StatementLine)
        .join(StatementLine.statement)
        .join(BankStatement.account)
        .options(contains_eager(StatementLine.statement).contains_eager(BankStatement.account))
    )


def _requests(session: Session, *which: sa.ColumnElement[bool]) -> Sequence[Funding]:
    waiting = sa.select(Funding).where(Funding.rail == Rail.WIRE, Funding.state == FundingState.OPEN, *which)
    return session.scalars(waiting.order_by(Funding.id)).all()


def unapplied_line(session: Session, public_id: uuid.UUID) -> StatementLine:
    """A line whose money nobody has placed, locked. Raises NotFound or Refused."""
    query = _with_account().where(StatementLine.public_id == public_id).with_for_update(of=StatementLine)
    line = session.scalar(query.execution_options(populate_existing=True))
    if line is None:
        raise NotFound(_("There is no such line."))
    if line.state is not LineState.MATCHED or not is_unapplied(session, line):
        raise Refused(_("The money of this line is not unapplied any more. Look again."))
    return line


def _key() -> sa.ColumnElement[str]:
    return sa.func.concat("statement_line:", sa.cast(StatementLine.public_id, sa.Text), ":unapplied")


def _was_undone() -> sa.ColumnElement[bool]:
    """Has somebody said of this line that it is no unapplied cash?"""
    return sa.exists().where(
        MatchLine.statement_line_id == StatementLine.id,
        MatchLine.match_id == StatementMatch.id,
        StatementMatch.undone_by.is_not(None),
        StatementMatch.reasons.contains(["unapplied"]),
    )


def _rejected(session: Session) -> set[tuple[int | None, int | None]]:
    """Lines and requests of which somebody said that they do not belong together."""
    line, lot = sa.orm.aliased(MatchLine), sa.orm.aliased(MatchLine)
    rows = session.execute(
        sa.select(line.statement_line_id, lot.funding_id)
        .join(lot, lot.match_id == line.match_id)
        .join(StatementMatch, StatementMatch.id == line.match_id)
        .where(line.statement_line_id.is_not(None), lot.funding_id.is_not(None))
        .where(StatementMatch.undone_by.is_not(None))
    )
    return {(line_id, lot_id) for line_id, lot_id in rows}
