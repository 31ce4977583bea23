"""Reading statements, lines, matches and items for finance, who see all of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import LoaderOption

from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.payments.models import ConnectedAccount, ConnectedPayout, Sweep
from marketplace.payments.states import SweepState
from marketplace.reconciliation.matches import has_arrived
from marketplace.reconciliation.models import (
    BankAccount,
    BankStatement,
    OpenItem,
    StatementContent,
    StatementFile,
    StatementLine,
    StatementMatch,
    StatementMatchLine,
)
from marketplace.reconciliation.states import ItemState, Kind, Leg, MatchState, StatementState


def find_file(session: Session, public_id: uuid.UUID) -> StatementFile:
    """An imported file. Raises NotFound."""
    file = session.scalar(sa.select(StatementFile).where(StatementFile.public_id == public_id))
    if file is None:
        raise NotFound(_("There is no such file."))
    return file


def statements() -> sa.Select[BankStatement]:
    """Statements with their accounts and files, for paging."""
    return sa.select(BankStatement).options(joinedload(BankStatement.account), joinedload(BankStatement.file))


def find_statement(session: Session, public_id: uuid.UUID) -> BankStatement:
    """A statement. Raises NotFound."""
    statement = session.scalar(statements().where(BankStatement.public_id == public_id))
    if statement is None:
        raise NotFound(_("There is no such statement."))
    return statement


def statements_in(file: StatementFile) -> sa.Select[BankStatement]:
    """The statements that a file brought, for paging."""
    return statements().where(BankStatement.file_id == file.id)


def statements_of(account: BankAccount) -> sa.Select[BankStatement]:
    """The statements of one account, for paging."""
    return statements().where(BankStatement.bank_account_id == account.id)


def lines_of(statement: BankStatement) -> sa.Select[StatementLine]:
    """The lines that the statement holds, whichever brought them first, for paging."""
    held = sa.select(StatementContent.line_id).where(StatementContent.statement_id == statement.id)
    return sa.select(StatementLine).where(StatementLine.id.in_(held))


def sum_of(session: Session, statement: BankStatement) -> tuple[int, int]:
    """How many lines the statement holds, and what they make together in minor units."""
    lines = lines_of(statement).subquery()
    count, total = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(lines.c.amount), 0)).select_from(lines)
    ).one()
    return int(count), int(total)


def statement_of(session: Session, line: StatementLine) -> BankStatement:
    """The first statement that stands and holds the line; else the one that brought it."""
    standing = session.scalar(
        statements()
        .join(StatementContent, StatementContent.statement_id == BankStatement.id)
        .where(StatementContent.line_id == line.id, BankStatement.state != StatementState.SET_ASIDE)
        .order_by(BankStatement.state == StatementState.REPLACED, BankStatement.id)
        .limit(1)
    )
    return standing or line.statement


def bank_accounts(session: Session) -> Sequence[BankAccount]:
    """Every bank account, those that were set aside last."""
    query = sa.select(BankAccount).order_by(BankAccount.set_aside_at.is_not(None), BankAccount.id)
    return session.scalars(query).all()


def find_line(session: Session, public_id: uuid.UUID) -> StatementLine:
    """A bank line with its statement. Raises NotFound."""
    line = session.scalar(
        sa.select(StatementLine)
        .where(StatementLine.public_id == public_id)
        .options(joinedload(StatementLine.statement).joinedload(BankStatement.account))
    )
    if line is None:
        raise NotFound(_("There is no such line."))
    return line


def matches_of(session: Session, line: StatementLine) -> Sequence[StatementMatch]:
    """What the line was, or may be, matched with; newest first, undone ones last."""
    return session.scalars(
        sa.select(StatementMatch)
        .where(StatementMatch.lines.any(StatementMatchLine.statement_line_id == line.id))
        .options(*_things())
        .order_by(StatementMatch.state == MatchState.UNDONE, StatementMatch.id.desc())
    ).all()


def bank_matches(state: MatchState | None = None) -> sa.Select[StatementMatch]:
    """Matches with the bank, in one state or in any, for paging."""
    query = sa.select(StatementMatch).where(StatementMatch.leg == Leg.BANK).options(*_things())
    return query.where(StatementMatch.state == state) if state else query


def sweeps_of(session: Session, line: StatementLine) -> Sequence[Sweep]:
    """Sweeps in transit of the line's amount: what a person may match it with."""
    return session.scalars(
        sa.select(Sweep)
        .where(
            Sweep.state.in_((SweepState.SENT, SweepState.PAID)),
            Sweep.amount == line.amount,
            Sweep.currency == line.currency,
            ~has_arrived(),
        )
        .order_by(Sweep.id)
    ).all()


def open_items(kind: Kind | None = None) -> sa.Select[OpenItem]:
    """Open items, of one kind or of any, for paging."""
    query = sa.select(OpenItem).where(OpenItem.state == ItemState.OPEN)
    return query.where(OpenItem.kind == kind) if kind else query


def count_items(session: Session) -> dict[Kind, int]:
    """How many items of each kind are open."""
    rows = session.execute(
        sa.select(OpenItem.kind, sa.func.count())
        .where(OpenItem.state == ItemState.OPEN)
        .group_by(OpenItem.kind)
        .order_by(OpenItem.kind)
    )
    return dict(rows.all())


def deposits() -> sa.Select[ConnectedPayout]:
    """Payouts to experts' banks, for paging."""
    return sa.select(ConnectedPayout).options(
        joinedload(ConnectedPayout.account).joinedload(ConnectedAccount.person)
    )


def _things() -> tuple[LoaderOption, ...]:
    lines = selectinload(StatementMatch.lines)
    return (
        lines.joinedload(StatementMatchLine.statement_line),
        lines.joinedload(StatementMatchLine.sweep),
        lines.joinedload(StatementMatchLine.funding),
        lines.joinedload(StatementMatchLine.posting),
    )
