"""The operator's accounts at banks: their first and last statement, and what they held before."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from marketplace import audit
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.money import Money
from marketplace.payments import wires
from marketplace.reconciliation.models import BankAccount, BankStatement, StatementLine, StatementMatchLine
from marketplace.reconciliation.states import StatementState

IN_ORDER = (BankStatement.from_on, BankStatement.to_on, BankStatement.id)


@dataclass(frozen=True)
class Opening:
    """What an account held when its first statement began, and what of it the ledger says, in minor units."""

    account: BankAccount
    held: int
    booked: int

    @property
    def rest(self) -> Money:
        """What is not booked yet; negative when too much is."""
        return Money(self.held - self.booked, self.account.currency)


def all_accounts(session: Session) -> Sequence[BankAccount]:
    """The accounts that count, in the order in which they came in."""
    ours = sa.select(BankAccount).where(BankAccount.set_aside_at.is_(None))
    return session.scalars(ours.order_by(BankAccount.id)).all()


def find_account(session: Session, public_id: uuid.UUID) -> BankAccount:
    """The account. Raises NotFound."""
    account = session.scalar(sa.select(BankAccount).filter_by(public_id=public_id))
    if account is None:
        raise NotFound(_("There is no such bank account."))
    return account


def first_statement(session: Session, account: BankAccount) -> BankStatement | None:
    """The earliest statement of the account that adds up."""
    return session.scalar(_standing(account).order_by(*IN_ORDER).limit(1))


def last_statement(session: Session, account: BankAccount) -> BankStatement | None:
    """The newest statement of the account that adds up."""
    newest = (BankStatement.to_on.desc(), BankStatement.from_on.desc(), BankStatement.id.desc())
    return session.scalar(_standing(account).order_by(*newest).limit(1))


def opening_source(account: BankAccount) -> str:
    """What the entries of an account's opening balance name as their source."""
    return f"bank_account:{account.public_id}"


@use_case
def hold_client_money(session: Session, actor: Actor, public_id: uuid.UUID, *, clients: bool) -> BankAccount:
    """Say whose money the account holds.

    Raises FreshFactorNeeded; Refused once something of it was ever booked, taken back or not, and for the
    account that clients are told to wire to.
    """
    actor.require(*FINANCE)
    actor.require_fresh_factor()
    account = session.scalar(sa.select(BankAccount).filter_by(public_id=public_id).with_for_update())
    if account is None:
        raise NotFound(_("There is no such bank account."))
    if was_booked(session, account):
        raise Refused(_("Something of this account was booked already, so whose money it holds stays."))
    if not clients and is_told_to_clients(account):
        raise Refused(_("Clients are told to wire to this account, so it holds their money."))
    account.client_money = clients
    session.flush()
    audit.record(session, actor, "holds", "bank_account", account.public_id, client_money=clients)
    return account


def was_booked(session: Session, account: BankAccount) -> bool:
    """Was one of its lines, or its opening balance, ever booked?"""
    line, posting = aliased(StatementMatchLine), aliased(StatementMatchLine)
    lines = (
        sa.select(line.id)
        .join(StatementLine, StatementLine.id == line.statement_line_id)
        .join(posting, sa.and_(posting.match_id == line.match_id, posting.posting_id.is_not(None)))
        .where(StatementLine.bank_account_id == account.id)
    )
    opening = sa.select(JournalEntry.id).where(JournalEntry.source == opening_source(account))
    return any(session.scalar(query.limit(1)) is not None for query in (lines, opening))


def may_hold_other_money(session: Session, account: BankAccount) -> bool:
    """Can finance still say whose money it holds?"""
    told = account.client_money and is_told_to_clients(account)
    return not told and not was_booked(session, account)


def is_told_to_clients(account: BankAccount) -> bool:
    """Do the settings say that clients wire to it?"""
    told = wires.account_for(account.currency)
    return told is not None and told.number == account.number.replace(" ", "")


def opening_of(session: Session, account: BankAccount) -> Opening:
    """The opening balance. Without a statement that adds up, what is booked is taken for what was held."""
    first = first_statement(session, account)
    booked = session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(
            JournalEntry.source == opening_source(account),
            LedgerAccount.code == account.ledger_account.code,
        )
    )
    return Opening(account, (first.opening or 0) if first else int(booked or 0), int(booked or 0))


def _standing(account: BankAccount) -> sa.Select[BankStatement]:
    return sa.select(BankStatement).where(
        BankStatement.bank_account_id == account.id,
        BankStatement.state.in_((StatementState.ACCEPTED, StatementState.GAP)),
    )
