"""The operator's accounts at banks: their first and last statement, and what they held before."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.money import Money
from marketplace.reconciliation.models import BankAccount, BankStatement, StatementLine
from marketplace.reconciliation.states import LineState, StatementState

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
    """Say whose money the account holds. Raises Refused once something of it is booked, which stays so."""
    actor.require(*FINANCE)
    account = session.scalar(sa.select(BankAccount).filter_by(public_id=public_id).with_for_update())
    if account is None:
        raise NotFound(_("There is no such bank account."))
    if opening_of(session, account).booked or is_booked(session, account):
        raise Refused(
            _("Something of this account is booked already. Undo that first, then say whose money it holds.")
        )
    account.client_money = clients
    session.flush()
    audit.record(session, actor, "holds", "bank_account", account.public_id, client_money=clients)
    return account


def is_booked(session: Session, account: BankAccount) -> bool:
    """Is one of its lines booked?"""
    booked = sa.select(StatementLine.id).filter_by(bank_account_id=account.id, state=LineState.MATCHED)
    return session.scalar(booked.limit(1)) is not None


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
