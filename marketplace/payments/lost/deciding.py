"""What a lost transfer was: two people of finance say it, of each transfer by itself."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload

from marketplace import audit, clock, jobs, text
from marketplace.actor import FINANCE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.payments import sending, transfers
from marketplace.payments.lost import keeping
from marketplace.payments.lost.models import LostTransfer, Says
from marketplace.payments.models import ConnectedAccount, PayoutBatch, PayoutItem
from marketplace.payments.states import ItemState

MOST_OF_A_REASON = 500


def lost_for(actor: Actor) -> sa.Select[LostTransfer]:
    """All that were ever lost, for finance."""
    actor.require(*FINANCE)
    return sa.select(LostTransfer)


def lost(session: Session, actor: Actor, public_id: uuid.UUID) -> LostTransfer:
    """One, for finance. Raises NotFound."""
    return there(session.scalars(lost_for(actor).filter_by(public_id=public_id)).one_or_none())


def that_it_may_pay(session: Session, found: LostTransfer) -> Sequence[PayoutItem]:
    """The released payments of exactly this amount to this account, which would be sent once more."""
    return session.scalars(_that_it_may_pay(found).options(joinedload(PayoutItem.person))).all()


@use_case
def ask(
    session: Session, actor: Actor, public_id: uuid.UUID, item: uuid.UUID | None, reason: str
) -> LostTransfer:
    """One of finance says which payment it was; None: it pays nothing here. Raises NotFound, Invalid or
    Refused."""
    actor.require(*FINANCE)
    kept = text.line(reason)
    if not kept or len(kept) > MOST_OF_A_REASON:
        raise Invalid(_("Say why, in at most 500 characters."), field="reason")
    found = _standing(session, public_id)
    if found.asked_by not in (None, actor.id):
        raise Refused(_("A colleague has asked for something already. Confirm that, or talk to them first."))
    found.item = _waiting(session, found, item) if item else None
    if found.item is None:
        _require_none_waiting(session, found)
    found.says = Says.PAID if found.item else Says.NOT_OURS
    found.asked_by, found.asked_at, found.reason = actor.id, clock.now(), kept
    audit.record(
        session, actor, "ask", "lost_transfer", public_id,
        says=found.says, item=item, transfer=found.stripe_id, reason=kept,
    )  # fmt: skip
    return found


@use_case
def take_back(session: Session, actor: Actor, public_id: uuid.UUID) -> LostTransfer:
    """What was asked for is not confirmed, by whoever of finance: it may be asked anew. Raises NotFound or
    Refused."""
    actor.require(*FINANCE)
    found = _standing(session, public_id)
    if found.asked_by is None:
        raise Refused(_("Nobody has asked for anything yet."))
    audit.record(session, actor, "take_back", "lost_transfer", public_id, says=found.says)
    found.says = found.item = found.reason = found.asked_by = found.asked_at = None
    return found


@use_case
def decide(session: Session, actor: Actor, public_id: uuid.UUID, seen: str) -> LostTransfer:
    """Another confirms what they have `seen`: the payment is booked as sent by it, or it pays nothing here.

    Raises NotFound, NotAllowed, FreshFactorNeeded, or Refused when it is not as it was seen any more.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    found = _standing(session, public_id)
    if found.asked_by is None or found.seen != seen:
        raise Refused(_("This is not what was asked for any more. Look at it again."))
    if found.asked_by == actor.id:
        raise NotAllowed(_("You asked for this, so somebody else has to confirm it. Ask a colleague."))
    if found.item is not None:
        _book(session, found, _waiting(session, found, found.item.public_id))
    else:
        _require_none_waiting(session, found)
    found.decided_by, found.decided_at = actor.id, clock.now()
    audit.record(
        session, actor, "decide", "lost_transfer", public_id, says=found.says, transfer=found.stripe_id,
        amount=found.amount, currency=found.currency, destination=found.destination,
    )  # fmt: skip
    session.flush()
    keeping.look(session)
    jobs.defer(session, "payments.send_waiting", once="payments.send_waiting")
    return found


def _book(session: Session, found: LostTransfer, item: PayoutItem) -> None:
    """As if this had been the answer to sending it."""
    transfer = sending.start(session, item, found.source_type)
    transfers.record_sent(session, transfer.id, found.sent)
    batch = item.batch.public_id
    # Brings the batch to its end when this was the last that waited.
    jobs.defer(session, "payments.send_batch", lock=f"batch:{batch}", batch=str(batch))


def _standing(session: Session, public_id: uuid.UUID) -> LostTransfer:
    query = sa.select(LostTransfer).filter_by(public_id=public_id).with_for_update(of=LostTransfer)
    found = there(session.scalars(query.execution_options(populate_existing=True)).one_or_none())
    if not found.stands:
        raise Refused(_("What it was is known by now. Nothing was changed."))
    return found


def _that_it_may_pay(found: LostTransfer) -> sa.Select[PayoutItem]:
    return (
        sa.select(PayoutItem)
        .join(PayoutItem.batch)
        .join(PayoutItem.account)
        .where(
            PayoutItem.state == ItemState.RELEASED,
            PayoutItem.amount == found.amount,
            PayoutBatch.currency == found.currency,
            ConnectedAccount.stripe_id == found.destination,
        )
        .options(contains_eager(PayoutItem.batch), contains_eager(PayoutItem.account))
        .order_by(PayoutItem.id)
    )


def _waiting(session: Session, found: LostTransfer, item: uuid.UUID) -> PayoutItem:
    """Locked. Raises Invalid."""
    query = _that_it_may_pay(found).where(PayoutItem.public_id == item).with_for_update(of=PayoutItem)
    waiting = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if waiting is None:
        raise Invalid(_("This payment does not wait any more. Look again at what does."), field="pays")
    return waiting


def _require_none_waiting(session: Session, found: LostTransfer) -> None:
    if that_it_may_pay(session, found):
        raise Invalid(
            _("A payment of exactly this amount to this account waits, and would be sent. Choose it, or call "
              "it off first."),
            field="pays",
        )  # fmt: skip
