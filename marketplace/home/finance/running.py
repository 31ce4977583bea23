"""The batches that are being sent: how far each is, how fast it goes, and when it should be through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.money import Money
from marketplace.payments import queries
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
from marketplace.payments.runs import pausing
from marketplace.payments.runs.models import SendingPause
from marketplace.payments.states import BatchState, ItemState

# Stripe takes so many requests a second at one place; nothing goes faster.
LIMIT = 25
MEASURED_OVER = timedelta(minutes=1)
TO_GO = (ItemState.RELEASED, ItemState.SENDING)


@dataclass(frozen=True)
class Running:
    """A batch on its way. `rate` is transfers a second of the last minute, 0 when none was made in it;
    `waiting` and `unknown` are experts whose transfer waits for something, or has no known outcome.
    While it has `pauses`, nothing more of it begins."""

    batch: PayoutBatch
    people: int
    to_go: int
    waiting: int
    unknown: int
    amount: Money
    sent: Money
    rate: float
    pauses: Sequence[SendingPause]

    @property
    def done(self) -> int:
        return self.people - self.to_go

    @property
    def left(self) -> timedelta | None:
        """How long the rest takes at this rate; None while nothing moves."""
        if not self.rate:
            return None
        return timedelta(seconds=(self.to_go - self.waiting) / min(self.rate, LIMIT))

    @property
    def at_best(self) -> timedelta:
        """How long the rest takes at the limit."""
        return timedelta(seconds=(self.to_go - self.waiting) / LIMIT)


def running(session: Session, limit: int = 5) -> list[Running]:
    """The batches that are released or being sent, the oldest first."""
    moving = sa.select(PayoutBatch).where(PayoutBatch.state.in_((BatchState.RELEASED, BatchState.SENDING)))
    return [
        _running(session, batch) for batch in session.scalars(moving.order_by(PayoutBatch.id).limit(limit))
    ]


def _running(session: Session, batch: PayoutBatch) -> Running:
    states = queries.by_state(session, batch)
    going = {state: found for state, found in states.items() if state not in queries.LEFT_OUT}
    to_go = sum(going[state][0] for state in TO_GO if state in going)
    open_ = sum(
        amount.amount for state, (_n, amount) in going.items() if state in (*TO_GO, ItemState.UNKNOWN)
    )
    whole = sum(amount.amount for _n, amount in going.values())
    waiting = session.scalar(
        sa.select(sa.func.count())
        .select_from(PayoutItem)
        .where(
            PayoutItem.batch_id == batch.id,
            PayoutItem.state == ItemState.RELEASED,
            PayoutItem.blocker.is_not(None) | PayoutItem.shortfall.is_not(None),
        )
    )
    return Running(
        batch,
        sum(count for count, _amount in going.values()),
        to_go,
        waiting or 0,
        going[ItemState.UNKNOWN][0] if ItemState.UNKNOWN in going else 0,
        Money(whole, batch.currency),
        Money(whole - open_, batch.currency),
        _rate(session, batch, clock.now()),
        pausing.pauses_of(session, batch.id),
    )


def _rate(session: Session, batch: PayoutBatch, now: datetime) -> float:
    """Transfers a second, over the last minute or since the release if that was later."""
    since = max(now - MEASURED_OVER, batch.released_at or now)
    made = session.scalar(
        sa.select(sa.func.count())
        .select_from(Transfer)
        .join(PayoutItem, PayoutItem.id == Transfer.payout_item_id)
        .where(Transfer.sent_at > since, PayoutItem.batch_id == batch.id)
    )
    return (made or 0) / max(1.0, (now - since).total_seconds())
