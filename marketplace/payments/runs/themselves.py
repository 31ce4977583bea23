"""Nobody lets a batch go that pays them: neither those who release it, nor the one who prepared it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.actor import Actor
from marketplace.errors import NotAllowed
from marketplace.i18n import gettext as _
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.states import ItemState


def paid_by(batch_id: int | InstrumentedAttribute[int]) -> sa.Select[int]:
    """The internal ids of whom a prepared batch pays."""
    return sa.select(PayoutItem.person_id).where(
        PayoutItem.batch_id == batch_id, PayoutItem.state == ItemState.PREPARED
    )


def why_not(session: Session, actor: Actor, batch: PayoutBatch) -> str | None:
    """Why this person may not release it, if it pays them, or nobody, if it pays who prepared it."""
    asked = PayoutItem.person_id.in_((actor.person_id, batch.prepared_by))
    paid = session.scalars(paid_by(batch.id).where(asked)).all()
    if batch.prepared_by in paid:
        return _("This batch pays the person who prepared it. Take that payment out; somebody else has to "
                 "prepare it.")  # fmt: skip
    if paid:
        return _("This batch pays you, so somebody else has to release it. Ask a colleague.")
    return None


def require_others(session: Session, actor: Actor, batch: PayoutBatch) -> None:
    """Raises NotAllowed."""
    if (why := why_not(session, actor, batch)) is not None:
        raise NotAllowed(why)
