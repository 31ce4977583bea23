"""What a client owes of a project is paid before anything goes back to it by hand.

A payment may fail after it was paid, while some of it is on its way back. What of that does not reach the
client is no money that it brought: it is free in the project again, and pays what is owed first.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit
from marketplace.actor import SITE, Actor
from marketplace.gigs.models import Project
from marketplace.payments.debts.models import LEFT, ClientDebt
from marketplace.payments.models import Funding
from marketplace.payments.refunds import books
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import FundingState, RefundState


def owes(session: Session, project: Project) -> bool:
    """Does the client owe anything of the project?"""
    owed = sa.select(ClientDebt.id).join(ClientDebt.funding).where(Funding.project_id == project.id, LEFT > 0)
    return session.scalar(owed.limit(1)) is not None


def keep_back(session: Session, actor: Actor, refund: Refund) -> bool:
    """Call off what would be paid by hand, where its payment failed or its client owes; did it? Needs the
    refund held."""
    lot = refund.funding
    if lot is not None:
        session.refresh(lot)
    failed = lot is not None and lot.state is FundingState.FAILED_AFTER_PAID
    if not failed and not owes(session, refund.project):
        return False
    session.flush()
    books.call_off(session, actor, refund)
    audit.record(session, actor, "call_off", "refund", refund.public_id, amount=refund.amount)
    return True


def keep_all_back(session: Session, project: Project) -> None:
    """A payment of the project fails: nothing that was not paid out by hand yet is. Where one has noted a
    reference the money has left the bank."""
    owed = sa.select(Refund).filter_by(project_id=project.id, state=RefundState.OWED, noted_by=None)
    owed = owed.order_by(Refund.id).with_for_update(of=Refund)
    for refund in session.scalars(owed.execution_options(populate_existing=True)).all():
        books.call_off(session, SITE, refund)
        audit.record(session, SITE, "call_off", "refund", refund.public_id, amount=refund.amount)
        books.tell(session, refund)
