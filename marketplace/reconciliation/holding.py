"""Which lines a statement alone holds, and their leaving when it counts no more."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from marketplace.actor import Actor
from marketplace.reconciliation import matches, sql
from marketplace.reconciliation.models import BankStatement, StatementContent, StatementLine
from marketplace.reconciliation.states import GONE, LineState


def only_here(session: Session, statement: BankStatement) -> list[int]:
    """Internal ids of the lines that no other standing statement holds."""
    elsewhere, other = aliased(StatementContent), aliased(BankStatement)
    held_elsewhere = sa.exists().where(
        elsewhere.line_id == StatementContent.line_id,
        elsewhere.statement_id == other.id,
        other.id != statement.id,
        other.state.not_in(GONE),
    )
    held = sa.select(StatementContent.line_id).where(StatementContent.statement_id == statement.id)
    return list(session.scalars(held.where(~held_elsewhere)))


def first_matched(session: Session, lines: list[int]) -> StatementLine | None:
    """One of these lines that is matched or booked, and so cannot leave."""
    matched = sa.select(StatementLine).where(
        sql.among(StatementLine.id, lines), StatementLine.state == LineState.MATCHED
    )
    return session.scalar(matched.order_by(StatementLine.id).limit(1))


def leave(session: Session, actor: Actor, lines: list[int]) -> None:
    """Let the lines count no more; what was proposed for them ends. None may be matched."""
    matches.let_proposals_go(session, actor, lines)
    change(session, lines, LineState.SET_ASIDE)


def change(session: Session, lines: list[int], to: LineState) -> None:
    """Give all of these lines the state."""
    session.execute(sa.update(StatementLine).where(sql.among(StatementLine.id, lines)).values(state=to))
