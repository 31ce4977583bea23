"""The first approval that stands for a week, and how it ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.approving.models import EndedAs, FirstApproval
from marketplace.contracts.lines import Line, lines_of
from marketplace.contracts.models import Timesheet


def standing(session: Session, sheet: Timesheet) -> FirstApproval | None:
    """The first approval of the week as it is now; None when there is none, or the week changed since."""
    first = _open(session, sheet)
    if first is None or first.version != sheet.version or first.lines_sha256 != digest(lines_of(sheet)):
        return None
    return first


def standing_of(session: Session, sheets: sa.Select[Timesheet]) -> dict[int, FirstApproval]:
    """The first approvals of these weeks (internal ids) as they are now, for lists."""
    ids = sheets.with_only_columns(Timesheet.id, maintain_column_froms=True)
    query = (
        sa.select(FirstApproval)
        .join(FirstApproval.timesheet)
        .where(FirstApproval.ended_as.is_(None), FirstApproval.version == Timesheet.version)
        .where(FirstApproval.timesheet_id.in_(ids))
        .options(joinedload(FirstApproval.person))
    )
    return {first.timesheet_id: first for first in session.scalars(query)}


def end(
    session: Session, actor: Actor, first: FirstApproval, ended_as: EndedAs, note: str | None = None
) -> None:
    """Write down what became of it."""
    first.ended_as, first.note = ended_as, note
    first.ended_by, first.ended_at = actor.person_id, clock.now()
    session.flush()


def end_open(session: Session, actor: Actor, sheet: Timesheet, ended_as: EndedAs) -> None:
    """End what stands for a week, if anything does, also when the week has changed since."""
    if first := _open(session, sheet):
        end(session, actor, first, ended_as)


def history(session: Session, sheet: Timesheet) -> Sequence[FirstApproval]:
    """All first approvals of a week, the oldest first."""
    query = sa.select(FirstApproval).filter_by(timesheet_id=sheet.id).order_by(FirstApproval.id)
    people = (FirstApproval.person, FirstApproval.for_person, FirstApproval.ender)
    return session.scalars(query.options(*(joinedload(each) for each in people))).all()


def digest(lines: Sequence[Line]) -> bytes:
    """SHA-256 over the lines as they would be approved: what, when, how long, at what rate, for how much."""
    rows = [
        [
            str(x.entry.public_id),
            x.entry.started_at.isoformat(),
            x.minutes,
            x.rate,
            x.pay,
            x.fee,
            *([x.tax] if x.tax else []),
        ]
        for x in lines
    ]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).digest()


def _open(session: Session, sheet: Timesheet) -> FirstApproval | None:
    query = sa.select(FirstApproval).filter_by(timesheet_id=sheet.id, ended_as=None)
    return session.scalars(query).one_or_none()
