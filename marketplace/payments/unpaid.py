"""What is owed and in no batch: the approved hours, and the bonuses and corrections that go with them."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.adjustments import hooks
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.payments import adjusted, covered
from marketplace.payments.contents import Again, Contents, Hours, More
from marketplace.payments.models import (
    PayoutItem,
    PayoutItemApproval,
    PayoutItemReversal,
    Transfer,
    TransferReversal,
)
from marketplace.payments.payees import any_of

# Rows that are taken from the database in one go.
AT_ONCE = 2_000


def unpaid(currency: str, cut_off_at: datetime | None = None) -> sa.Select[Approval, int]:
    """Approvals that no live item pays, with the internal id of the person they are owed to."""
    return (
        sa.select(Approval, Contract.person_id)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .where(_is_unpaid(currency, cut_off_at))
        .order_by(Approval.id)
    )


def payable_for(session: Session, contract: Contract) -> int:
    """Minor units that are owed for a contract and in no live item; no batch takes them until the
    transaction ends."""
    covered.take_turns(session)
    hours = session.execute(unpaid(contract.currency).where(Contract.id == contract.id))
    more = session.scalars(adjusted.waiting(contract.currency).where(Adjustment.contract_id == contract.id))
    return sum(each.expert_amount for each, _person in hours) + sum(each.amount for each in more)


def owed_in_all(session: Session, currency: str) -> tuple[int, int]:
    """How many people are owed something that is in no live item, and how many minor units together."""
    hours = unpaid(currency).order_by(None).with_only_columns(Contract.person_id, Approval.expert_amount)
    more = adjusted.unpaid(currency).with_only_columns(Contract.person_id, Adjustment.amount)
    again = reopened(currency).with_only_columns(PayoutItem.person_id, TransferReversal.amount)
    both = sa.union_all(hours, more, again).subquery()
    person, amount = both.c
    row = session.execute(
        sa.select(sa.func.count(person.distinct()), sa.func.coalesce(sa.func.sum(amount), 0))
    ).one()
    return row[0], int(row[1])


def currencies(session: Session) -> list[str]:
    """In which something is owed that is in no live item."""
    every = session.scalars(sa.select(Contract.currency).distinct().order_by(Contract.currency)).all()
    return [each for each in every if owed_in_all(session, each)[1] > 0]


def going_out(session: Session, currency: str, cut_off_at: datetime) -> Iterator[tuple[int, Contents]]:
    """Person by person, in order of their internal ids, what a batch pays each; nothing below one minor unit.

    Pay that waits for a client who works on credit is left out, and so is a contract of which more is to be
    taken off than goes out by the cut-off: it waits whole for the next batch. Reads while it is gone through.
    """
    waiting = covered.waiting(session, currency)
    waits = adjusted.not_covered(session, currency, cut_off_at, _hours(currency, cut_off_at, waiting))
    hours = _hours(currency, cut_off_at, waiting).with_only_columns(
        Contract.person_id, Approval.id, Approval.public_id, Approval.lines_sha256, Approval.expert_amount
    )
    more = adjusted.unpaid(currency, cut_off_at).with_only_columns(
        Contract.person_id, Adjustment.id, Adjustment.public_id, Adjustment.amount
    )
    # A cursor would be planned for its first rows, and all are wanted.
    session.execute(sa.text("SET LOCAL cursor_tuple_fraction = 1"))
    again = reopened(currency, cut_off_at).with_only_columns(
        PayoutItem.person_id, TransferReversal.id, TransferReversal.public_id, TransferReversal.amount
    )
    streams = (
        map(Again._make, _stream(session, again)),
        map(Hours._make, _stream(session, hours.where(~_one_of(Contract.id, waits)))),
        map(More._make, _stream(session, more.where(~_one_of(Contract.id, waits)))),
    )
    rows: Iterator[Hours | More | Again] = heapq.merge(*streams, key=_owner)
    for person, theirs in groupby(rows, key=_owner):
        found = Contents()
        for row in theirs:
            if isinstance(row, Hours):
                found.hours.append(row)
            elif isinstance(row, Again):
                found.again.append(row)
            else:
                found.more.append(row)
        # What was corrected down to nothing waits for something to pay.
        if found.amount > 0:
            yield person, found


def reopened(currency: str, cut_off_at: datetime | None = None) -> sa.Select[TransferReversal]:
    """What came back of transfers and no live item pays once more, joined to the items that paid it."""
    paid = sa.exists().where(
        PayoutItemReversal.reversal_id == TransferReversal.id, PayoutItemReversal.ended_at.is_(None)
    )
    by_then = sa.true() if cut_off_at is None else TransferReversal.made_at <= cut_off_at
    return (
        sa.select(TransferReversal)
        .join(TransferReversal.transfer)
        .join(Transfer.item)
        .where(Transfer.currency == currency, ~paid, by_then)
    )


def _owner(row: Hours | More | Again) -> int:
    return row.owner


def _is_unpaid(currency: str, cut_off_at: datetime | None) -> sa.ColumnElement[bool]:
    paid = sa.exists().where(
        PayoutItemApproval.approval_id == Approval.id, PayoutItemApproval.ended_at.is_(None)
    )
    by_then = sa.true() if cut_off_at is None else Approval.at <= cut_off_at
    return sa.and_(Contract.currency == currency, Approval.expert_amount > 0, ~paid, by_then)


def _hours(currency: str, cut_off_at: datetime, waiting: Collection[int]) -> sa.Select[Approval, int]:
    return unpaid(currency, cut_off_at).where(~_one_of(Approval.id, waiting))


def _one_of(column: sa.orm.InstrumentedAttribute[int], ids: Collection[int]) -> sa.ColumnElement[bool]:
    return column == any_of(ids) if ids else sa.false()


def _stream(session: Session, query: sa.Select[*tuple[Any, ...]]) -> Iterator[sa.Row[Any]]:
    person, key = list(query.exported_columns)[:2]
    in_turn = query.order_by(None).order_by(person, key)
    yield from session.execute(in_turn.execution_options(yield_per=AT_ONCE))


hooks.waiting.append(payable_for)
