"""A payment that was released and has not begun to be sent is called off: its pay is owed as before.

For what waits under a hold that may last, or what somebody finds wrong only after the release.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, jobs
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.payments import transfers
from marketplace.payments.models import PayoutItem
from marketplace.payments.states import ItemState
from marketplace.text import line

MOST_OF_A_REASON = 500


@use_case
def call_off(session: Session, actor: Actor, public_id: uuid.UUID, reason: str) -> PayoutItem:
    """Take it out of the run before anything leaves. Raises NotFound, Invalid, or Refused once it is on its
    way."""
    actor.require(*FINANCE)
    item = _locked(session, public_id)
    kept = line(reason)
    if not kept or len(kept) > MOST_OF_A_REASON:
        raise Invalid(_("Say why, in at most 500 characters."), field="reason")
    if item.state != ItemState.RELEASED:
        raise Refused(_("Only what is released and not being sent yet can be called off. Look at it again."))
    item.blocker = item.shortfall = None
    transfers.owe_again(session, item, transfers.CALLED_OFF, actor)
    audit.record(session, actor, "call_off", "payout_item", item.public_id, reason=kept)
    batch = item.batch.public_id
    # Brings the batch to its end when this was the last that waited.
    jobs.defer(session, "payments.send_batch", lock=f"batch:{batch}", batch=str(batch))
    return item


def _locked(session: Session, public_id: uuid.UUID) -> PayoutItem:
    """Waits for a worker that is about to send it, and sees what became of it."""
    query = sa.select(PayoutItem).filter_by(public_id=public_id)
    item = session.scalars(
        query.with_for_update(of=PayoutItem).execution_options(populate_existing=True)
    ).one_or_none()
    if item is None:
        raise NotFound(_("There is no such payment."))
    return item
