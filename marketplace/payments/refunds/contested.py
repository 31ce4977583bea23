"""What may go back of a payment that its bank contests: nothing until that is decided, then what it left."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.payments.chargebacks.models import NOT_REFUNDABLE, Chargeback
from marketplace.payments.models import Funding
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import ChargebackState, RefundState


def may_go_back(session: Session, lot: Funding, besides: Refund | None = None) -> int:
    """Minor units of a lot that its own way can still bring back."""
    left, contesting = _left(session, lot, besides), _contesting(session, lot)
    if any(_waits(each, lot) for each in contesting):
        return 0
    left -= sum(each.from_funds for each in contesting)
    # Stripe brings back what was charged, less what the bank took and what went back already.
    back = (lot.net or 0) - _left(session, lot, besides)
    return max(0, min(left, lot.charge_amount - back - sum(each.contested for each in contesting)))


def withheld(session: Session, lots: Sequence[Funding]) -> int:
    """Minor units that wait in the project until banks have decided: what undecided lots brought, less what
    went back of them and what left it or is set aside already."""
    waiting = 0
    for lot in lots:
        contesting = _contesting(session, lot)
        if any(_waits(each, lot) for each in contesting):
            gone = sum(each.held + each.from_funds for each in contesting)
            waiting += max(0, _left(session, lot) - gone)
    return waiting


def _waits(chargeback: Chargeback, lot: Funding) -> bool:
    """Not decided; or lost in another currency, of which the books cannot say what it left."""
    currencies = {chargeback.currency, *(each.currency for each in chargeback.moves)}
    return chargeback.state is not ChargebackState.LOST or currencies != {lot.currency}


def _contesting(session: Session, lot: Funding) -> Sequence[Chargeback]:
    query = sa.select(Chargeback).filter_by(funding_id=lot.id).where(Chargeback.state.in_(NOT_REFUNDABLE))
    return session.scalars(query.order_by(Chargeback.id).execution_options(populate_existing=True)).all()


def _left(session: Session, lot: Funding, besides: Refund | None = None) -> int:
    """What it brought, less what went or is to go back of it."""
    back = sa.select(sa.func.coalesce(sa.func.sum(Refund.amount), 0)).where(
        Refund.funding_id == lot.id,
        Refund.state != RefundState.CANCELLED,
        Refund.id != (besides.id if besides else 0),
    )
    return (lot.net or 0) - int(session.scalar(back) or 0)
