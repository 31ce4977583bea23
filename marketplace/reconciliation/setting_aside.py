"""Statements and bank accounts that should not have come in: set aside with a reason, and brought back.

Setting aside changes nothing that is booked. A line leaves with the last statement that holds it.
"""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from marketplace import audit, clock, text
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.reconciliation import bank_accounts, holding, joining, open_items, sql, statements
from marketplace.reconciliation.models import (
    BankAccount,
    BankStatement,
    SetAside,
    StatementContent,
    StatementLine,
)
from marketplace.reconciliation.states import GONE, LineState, StatementState


@use_case
def set_statement_aside(session: Session, actor: Actor, public_id: uuid.UUID, reason: str) -> BankStatement:
    """Let a statement, and the lines that only it holds, count no more.

    Raises Invalid without a reason, and Refused while one of those lines is matched or booked.
    """
    said = _begin(session, actor, reason)
    statement = _statement(session, public_id)
    if statement.state == StatementState.SET_ASIDE:
        raise Refused(_("This statement was set aside already."))
    if statement.state == StatementState.REPLACED:
        raise Refused(_("A later file replaced this statement, so it counts no more as it is."))
    _leave(session, actor, statement, said, clock.now())
    _settle(session, statement.account)
    return statement


@use_case
def bring_statement_back(session: Session, actor: Actor, public_id: uuid.UUID) -> BankStatement:
    """Let a statement count again. Raises Refused when its lines came in again since."""
    _begin(session, actor, None)
    statement = _statement(session, public_id)
    if statement.state != StatementState.SET_ASIDE:
        raise Refused(_("This statement is not set aside."))
    if statement.account.set_aside_at:
        raise Refused(_("Its account was set aside. Bring that back first."))
    _return(session, actor, statement)
    _settle(session, statement.account)
    return statement


@use_case
def set_account_aside(session: Session, actor: Actor, public_id: uuid.UUID, reason: str) -> BankAccount:
    """Let a bank account with all of its statements count no more.

    Raises Invalid without a reason, and Refused while something of it is matched or booked.
    """
    said = _begin(session, actor, reason)
    account, now = bank_accounts.find_account(session, public_id), clock.now()
    if account.set_aside_at:
        raise Refused(_("This account was set aside already."))
    if bank_accounts.opening_of(session, account).booked:
        raise Refused(_("Its opening balance is booked. Take that back first."))
    for statement in _statements(session, account):
        if statement.state not in GONE:
            _leave(session, actor, statement, said, now)
    _mark(account, actor, said, now)
    audit.record(session, actor, "set_aside", "bank_account", account.public_id, reason=said)
    open_items.refresh(session)
    return account


@use_case
def bring_account_back(session: Session, actor: Actor, public_id: uuid.UUID) -> BankAccount:
    """Let a bank account count again, with the statements that were set aside together with it."""
    _begin(session, actor, None)
    account = bank_accounts.find_account(session, public_id)
    if account.set_aside_at is None:
        raise Refused(_("This account is not set aside."))
    for statement in _statements(session, account):
        if statement.set_aside_at == account.set_aside_at:
            _return(session, actor, statement)
    _unmark(account)
    audit.record(session, actor, "brought_back", "bank_account", account.public_id)
    _settle(session, account)
    return account


def _begin(session: Session, actor: Actor, reason: str | None) -> str:
    """Alone from here on. The reason on one line; None needs none."""
    actor.require(*FINANCE)
    said = text.line(reason or "")
    if reason is not None and not said:
        raise Invalid(_("Say why, for whoever reads this later."), field="reason")
    statements.alone(session)
    joining.alone(session)
    return said


def _settle(session: Session, account: BankAccount) -> None:
    statements.check_continuity(session, account)
    open_items.refresh(session)


def _statement(session: Session, public_id: uuid.UUID) -> BankStatement:
    statement = session.scalar(sa.select(BankStatement).filter_by(public_id=public_id))
    if statement is None:
        raise NotFound(_("There is no such statement."))
    return statement


def _statements(session: Session, account: BankAccount) -> list[BankStatement]:
    mine = sa.select(BankStatement).filter_by(bank_account_id=account.id)
    return list(session.scalars(mine.order_by(BankStatement.id)))


def _leave(session: Session, actor: Actor, statement: BankStatement, reason: str, now: datetime) -> None:
    lines = holding.only_here(session, statement)
    first = holding.first_matched(session, lines)
    if first is not None:
        raise Refused(
            _(
                "Its line of %(amount)s, %(text)s, is matched or booked. Undo that match first.",
                amount=first.money,
                text=first.text or first.bank_ref,
            )
        )
    holding.leave(session, actor, lines)
    statement.set_aside_from, statement.state = statement.state, StatementState.SET_ASIDE
    _mark(statement, actor, reason, now)
    audit.record(
        session, actor, "set_aside", "bank_statement", statement.public_id, reason=reason, lines=len(lines)
    )
    session.flush()


def _return(session: Session, actor: Actor, statement: BankStatement) -> None:
    lines = _aside(session, statement)
    if _came_again(session, lines):
        raise Refused(_("Its lines came in again with another file, so there is nothing to bring back."))
    holding.change(session, lines, LineState.IMPORTED)
    statement.state = statement.set_aside_from or StatementState.ACCEPTED
    statement.set_aside_from = None
    _unmark(statement)
    audit.record(session, actor, "brought_back", "bank_statement", statement.public_id, lines=len(lines))
    session.flush()


def _aside(session: Session, statement: BankStatement) -> list[int]:
    """Internal ids of its lines that are set aside."""
    return list(
        session.scalars(
            sa.select(StatementLine.id)
            .join(StatementContent, StatementContent.line_id == StatementLine.id)
            .where(StatementContent.statement_id == statement.id, StatementLine.state == LineState.SET_ASIDE)
        )
    )


def _came_again(session: Session, lines: list[int]) -> bool:
    again = aliased(StatementLine)
    return bool(
        session.scalar(
            sa.select(again.id)
            .join(
                StatementLine,
                sa.and_(
                    StatementLine.bank_account_id == again.bank_account_id,
                    StatementLine.line_key == again.line_key,
                ),
            )
            .where(sql.among(StatementLine.id, lines), again.state != LineState.SET_ASIDE)
            .limit(1)
        )
    )


def _mark(thing: SetAside, actor: Actor, reason: str, now: datetime) -> None:
    thing.set_aside_at, thing.set_aside_by, thing.set_aside_reason = now, actor.id, reason


def _unmark(thing: SetAside) -> None:
    thing.set_aside_at = thing.set_aside_by = thing.set_aside_reason = None
