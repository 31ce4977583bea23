"""Bank lines that are no sweep: booked by finance, with a reason, as what they are."""

from __future__ import annotations

import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger, settings, text
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry
from marketplace.reconciliation import matches
from marketplace.reconciliation.models import BankAccount, BankStatement, StatementMatch, StatementMatchLine
from marketplace.reconciliation.states import Leg, MatchState, StatementState


class BookAs(StrEnum):
    """What finance may say that a bank line is: a charge of the bank, or the operator's own other money."""

    CHARGE = "charge"
    CAPITAL = "capital"


OTHER_SIDE = {BookAs.CHARGE: chart.bank_charges(), BookAs.CAPITAL: chart.owner_capital()}


@use_case
def book_line(
    session: Session, actor: Actor, line_public_id: uuid.UUID, book_as: BookAs, reason: str
) -> StatementMatch:
    """Book a bank line that is no sweep. Raises Refused when it is explained, Invalid without a reason."""
    actor.require(*FINANCE)
    said = text.line(reason)
    if not said:
        raise Invalid(_("Say what this line is, for whoever reads the books later."), field="reason")
    matches.alone(session)
    line = matches.locked_line(session, line_public_id)
    if book_as == BookAs.CHARGE and line.amount > 0:
        raise Refused(_("A charge takes money away, but this line brings some."))
    match = matches.new_match(
        session, MatchState.CONFIRMED, matches.BY_HAND, ["by_hand", book_as.value], by=actor.id, note=said
    )
    session.add(StatementMatchLine(match_id=match.id, leg=Leg.BANK, live=True, statement_line_id=line.id))
    session.flush()
    matches.book(
        session,
        actor,
        match,
        line,
        source=f"statement_line:{line.public_id}",
        event=f"booked {match.public_id}",
        other=OTHER_SIDE[book_as],
        memo=said,
    )
    audit.record(session, actor, "booked", "statement_line", line.public_id, book_as=book_as.value)
    return match


@use_case
def book_opening(session: Session, actor: Actor, account_public_id: uuid.UUID) -> JournalEntry:
    """Book what the bank account held when its first statement began, as the operator's own money."""
    actor.require(*FINANCE)
    account = session.scalar(sa.select(BankAccount).filter_by(public_id=account_public_id))
    first = first_statement(session, account) if account else None
    if account is None or first is None:
        raise NotFound(_("There is no such bank account."))
    zone = settings.current().books_zone.key
    entry = ledger.post(
        session,
        actor,
        source=f"bank_account:{account.public_id}",
        event="opened",
        currency=account.currency,
        lines=[(chart.bank_operating(), first.opening or 0), (chart.owner_capital(), -(first.opening or 0))],
        occurred_at=clock.midnight(first.from_on, zone),
        memo=_("Opening balance of the bank account"),
    )
    audit.record(session, actor, "opened", "bank_account", account.public_id, amount=first.opening)
    return entry


def first_statement(session: Session, account: BankAccount) -> BankStatement | None:
    """The earliest accepted statement of the account."""
    return session.scalar(
        sa.select(BankStatement)
        .where(
            BankStatement.bank_account_id == account.id,
            BankStatement.state.in_((StatementState.ACCEPTED, StatementState.GAP)),
        )
        .order_by(BankStatement.from_on, BankStatement.to_on, BankStatement.id)
        .limit(1)
    )
