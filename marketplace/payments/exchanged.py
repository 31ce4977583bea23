"""What was changed between currencies, as cover: 1290 is there in one currency and owed in another.

Of euros that Stripe settled in dollars, what is still owed in euros is covered by dollars: in euros it
counts as there, and as much of the dollars as came for it is owed. The rest of the dollars is free: it came
for our own fees, or went back.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.payments.models import Funding
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import FundingState, RefundState

CAME = (FundingState.PAID, FundingState.FAILED_AFTER_PAID)
WENT = (RefundState.SENT, RefundState.ARRIVED)


def sides(session: Session, currency: str, short_of: Callable[[str], int]) -> tuple[int, int]:
    """What counts as there and as owed in a currency, in minor units; `short_of` is what is owed and not
    there, by the rest of the books."""
    there = owed = 0
    for paid, _settled, amount, into, lots in _pairs(session, currency):
        need = min(amount, max(0, short_of(paid)))
        if paid == currency:
            there += need
        else:
            # The fee of each lot was rounded to the minor unit, half up.
            owed += into * max(0, 2 * need - lots) // (2 * amount)
    return there, owed


def _pairs(session: Session, currency: str) -> list[tuple[str, str, int, int, int]]:
    """In which currency clients paid, in which Stripe settled, how much of both is left, of how many lots."""
    paid = sa.select(
        Funding.currency, Funding.settled_currency.label("settled"),
        (Funding.net + Funding.fee).label("amount"), Funding.settled_amount.label("into"),
        sa.literal(1).label("lots"),
    ).where(Funding.settled_currency.is_not(None), Funding.state.in_(CAME))  # fmt: skip
    back = sa.select(
        Refund.currency, Refund.settled_currency, -Refund.amount, -Refund.settled_amount, sa.literal(0)
    ).where(Refund.settled_currency.is_not(None), Refund.state.in_(WENT))
    moved = sa.union_all(paid, back).subquery()
    amount = sa.func.sum(moved.c.amount)
    rows = session.execute(
        sa.select(
            moved.c.currency, moved.c.settled, amount, sa.func.sum(moved.c.into), sa.func.sum(moved.c.lots)
        )
        .where(sa.or_(moved.c.currency == currency, moved.c.settled == currency))
        .group_by(moved.c.currency, moved.c.settled)
        .having(amount > 0)
        .order_by(moved.c.currency, moved.c.settled)
    )
    return [(each, settled, int(left), int(into), int(lots)) for each, settled, left, into, lots in rows]


def realised(session: Session, lot: Funding | None) -> int:
    """What a payment that was changed left, in what it was changed into, once all of it went back; else 0."""
    if lot is None or lot.settled_amount is None:
        return 0
    back = sa.select(sa.func.sum(Refund.amount), sa.func.sum(Refund.settled_amount))
    amount, took = session.execute(back.where(Refund.funding_id == lot.id, Refund.state.in_(WENT))).one()
    return lot.settled_amount - int(took or 0) if amount == lot.charge_amount else 0


def all_realised() -> sa.Select[str | None, int | None]:
    """What 1290 lost in that way, by the currency that payments were changed into."""
    back = (
        sa.select(
            Refund.funding_id, sa.func.sum(Refund.amount).label("amount"),
            sa.func.sum(Refund.settled_amount).label("took"),
        )
        .where(Refund.settled_currency.is_not(None), Refund.state.in_(WENT))
        .group_by(Refund.funding_id)
        .subquery()
    )  # fmt: skip
    return (
        sa.select(Funding.settled_currency, Funding.settled_amount - back.c.took)
        .join(back, back.c.funding_id == Funding.id)
        .where(back.c.amount == Funding.charge_amount)
    )
