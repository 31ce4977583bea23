"""Bank lines that are no sweep: booked by finance, with a reason, as what they are."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger, settings, text
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry
from marketplace.reconciliation import bank_accounts, joining, open_items
from marketplace.reconciliation.models import StatementLine, StatementMatch, StatementMatchLine
from marketplace.reconciliation.states import Leg, MatchState


class BookAs(StrEnum):
    """What finance may say that a bank line is: a charge of the bank, the operator's own other money,
    unapplied money that went back (`returning`), or tax that was paid (`tax_office`)."""

    CHARGE = "charge"
    CAPITAL = "capital"
    RETURNED = "returned"
    TAX = "tax"


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
    joining.alone(session)
    line = joining.locked_line(session, line_public_id)
    if book_as == BookAs.RETURNED:
        raise Refused(_("Say which unapplied money went back."))
    if book_as == BookAs.TAX:
        raise Refused(_("That tax was paid is proposed by one and confirmed by another."))
    if book_as == BookAs.CHARGE and line.amount > 0:
        raise Refused(_("A charge takes money away, but this line brings some."))
    if book_as == BookAs.CAPITAL and line.amount > 0 and line.statement.account.client_money:
        raise Refused(
            _(
                "What comes in on the account for clients’ money is never the operator’s own. "
                "Keep it as unapplied cash, and send back what is no client’s."
            )
        )
    return book_against(session, actor, line, book_as, OTHER_SIDE[book_as], said)


def book_against(
    session: Session,
    actor: Actor,
    line: StatementLine,
    book_as: BookAs,
    other: chart.Account | Sequence[tuple[chart.Account, int]],
    said: str,
    source: str | None = None,
) -> StatementMatch:
    """Book a locked line against `other`, as something of the line or of `source`. Needs the matching lock,
    and that somebody decided so."""
    match = joining.new_match(
        session, MatchState.CONFIRMED, joining.BY_HAND, ["by_hand", book_as.value], by=actor.id, note=said
    )
    session.add(StatementMatchLine(match_id=match.id, leg=Leg.BANK, live=True, statement_line_id=line.id))
    session.flush()
    joining.book(
        session,
        actor,
        match,
        line,
        source=source or f"statement_line:{line.public_id}",
        event=f"booked {match.public_id}",
        other=other,
        memo=said,
    )
    audit.record(session, actor, "booked", "statement_line", line.public_id, book_as=book_as.value)
    open_items.refresh(session)
    return match


@use_case
def book_opening(session: Session, actor: Actor, account_public_id: uuid.UUID) -> JournalEntry:
    """Book what the bank account held when its first statement began, as the operator's own money; on the
    account for clients' money, as unapplied.

    An earlier statement may come in later; then the difference is booked. Raises Refused when there is none.
    """
    actor.require(*FINANCE)
    joining.alone(session)
    account = bank_accounts.find_account(session, account_public_id)
    first = bank_accounts.first_statement(session, account)
    if first is None:
        raise Refused(_("No statement of this account adds up yet. Import its first one."))
    opening = bank_accounts.opening_of(session, account)
    if not opening.rest:
        raise Refused(_("There is nothing to book: the ledger begins with what the first statement says."))
    source = bank_accounts.opening_source(account)
    whose = chart.unapplied(source) if account.client_money else chart.owner_capital()
    entry = ledger.post(
        session,
        actor,
        source=source,
        event=_opened(session, source),
        currency=account.currency,
        lines=[(account.ledger_account, opening.rest.amount), (whose, -opening.rest.amount)],
        occurred_at=clock.midnight(first.from_on, settings.current().books_zone.key),
        memo=_("Opening balance of the bank account"),
    )
    audit.record(session, actor, "opened", "bank_account", account.public_id, amount=opening.rest.amount)
    open_items.refresh(session)
    return entry


@use_case
def take_opening_back(
    session: Session, actor: Actor, account_public_id: uuid.UUID, reason: str
) -> list[JournalEntry]:
    """Reverse what was booked as the account's opening balance, which may be booked again afterwards.

    Raises Invalid without a reason, and Refused when nothing is booked.
    """
    actor.require(*FINANCE)
    said = text.line(reason)
    if not said:
        raise Invalid(_("Say why, for whoever reads this later."), field="reason")
    joining.alone(session)
    account = bank_accounts.find_account(session, account_public_id)
    opening_source = bank_accounts.opening_source(account)
    entries = ledger.entries_for(session, opening_source)
    taken_back = {entry.reverses_id for entry in entries}
    standing = [entry for entry in entries if entry.id not in taken_back and entry.reverses_id is None]
    if not standing:
        raise Refused(_("The opening balance is not booked, so there is nothing to take back."))
    if account.client_money:
        # What of it went back to its sender is taken from there first.
        booked = bank_accounts.opening_of(session, account).booked
        ledger.require_cover(session, chart.unapplied(opening_source), account.currency, max(booked, 0))
    reversals = [
        ledger.reverse(
            session, actor, entry, source=entry.source, event=f"undone {entry.public_id}", memo=said
        )
        for entry in standing
    ]
    audit.record(session, actor, "took_back", "bank_account", account.public_id, reason=said)
    open_items.refresh(session)
    return reversals


def _opened(session: Session, source: str) -> str:
    """`opened`; a number follows when it was booked before."""
    times = sum(entry.event.startswith("opened") for entry in ledger.entries_for(session, source))
    return f"opened {times + 1}" if times else "opened"
