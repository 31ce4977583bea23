"""Transfers that came back out of an expert's Stripe account, in part or whole: followed to the cent (F51).

Somebody reverses one at Stripe: to an account in wrong hands, or of a wrong amount. What came back is owed to
the expert again, and the next batch pays it once more, once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.notifications import notify
from marketplace.payments import facts, sending
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer, TransferReversal
from marketplace.payments.rounds import Round
from marketplace.payments.states import ItemState, TransferState, move

# Webhooks are tried for three days; a worker may have been away for a few more.
LOOK_BACK = timedelta(days=7)
MONEY_PATH = "/pay"


def track_transfer(session: Session, gateway: Gateway, transfer: str) -> None:
    """Fetch what came back of one transfer, and record it. Raises NotHereYet and the gateway's errors."""
    session.rollback()
    record_reversals(session, transfer, gateway.reversals(transfer))


def track_reversals(session: Session, gateway: Gateway) -> None:
    """Find what came back of which no webhook told."""
    session.rollback()
    turn, found = Round(session, gateway), list[facts.Reversal]()
    with turn.one("transfer reversals"):
        found = gateway.reversals_since(clock.now() - LOOK_BACK)
    by_transfer: dict[str, list[facts.Reversal]] = defaultdict(list)
    for each in found:
        by_transfer[each.transfer].append(each)
    for transfer, reversals in by_transfer.items():
        with turn.one(transfer):
            record_reversals(session, transfer, reversals)


@use_case
def record_reversals(session: Session, stripe_id: str, reversals: Sequence[facts.Reversal]) -> None:
    """Book each once: in flight nothing changes, what came back is owed again. Raises NotHereYet."""
    if not reversals:
        return
    transfer, item = _held(session, stripe_id)
    known = set(
        session.scalars(
            sa.select(TransferReversal.stripe_id).where(TransferReversal.transfer_id == transfer.id)
        )
    )
    new = [each for each in reversed(reversals) if each.id not in known]
    if not new:
        return
    for each in new:
        _record(session, transfer, item, each)
    _follow(session, item)
    _tell(session, item, Money(sum(each.amount for each in new), transfer.currency))
    batch = session.get_one(PayoutBatch, item.batch_id).public_id
    sending.finish_batch(session, batch)


def of_item(session: Session, item: PayoutItem) -> Sequence[TransferReversal]:
    """What came back of an item, in order."""
    return session.scalars(
        sa.select(TransferReversal)
        .join(TransferReversal.transfer)
        .where(Transfer.payout_item_id == item.id)
        .order_by(TransferReversal.id)
    ).all()


def _held(session: Session, stripe_id: str) -> tuple[Transfer, PayoutItem]:
    """The transfer and its item, locked, the item first as everywhere."""
    mine = sa.select(Transfer.payout_item_id).filter_by(stripe_id=stripe_id, state=TransferState.SENT)
    item = session.scalars(
        sa.select(PayoutItem)
        .where(PayoutItem.id.in_(mine))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if item is None:
        raise NotHereYet(_("No payment here was sent as %(transfer)s.", transfer=stripe_id))
    return session.scalars(sa.select(Transfer).filter_by(stripe_id=stripe_id)).one(), item


def _record(session: Session, transfer: Transfer, item: PayoutItem, found: facts.Reversal) -> None:
    reversal = TransferReversal(
        transfer=transfer, stripe_id=found.id, amount=found.amount,
        balance_transaction=found.balance_transaction, destination_refund=found.destination_refund,
        made_at=found.made_at, recorded_at=clock.now(),
    )  # fmt: skip
    session.add(reversal)
    item.amount_reversed += found.amount
    session.flush()
    person = item.person.public_id
    ledger.post(
        session,
        SITE,
        source=f"transfer_reversal:{reversal.public_id}",
        event="reversed",
        currency=transfer.currency,
        lines=[
            (chart.stripe_balance(), found.amount),
            (chart.expert_payable(person), -found.amount),
            (chart.held_contra(), found.amount),
            (chart.expert_held(person), -found.amount),
        ],
        occurred_at=found.made_at,
        memo=_("Transfer taken back out of the expert's Stripe account"),
    )
    audit.record(
        session, SITE, "reverse", "payout_item", item.public_id, reversal=found.id, amount=found.amount
    )


def _follow(session: Session, item: PayoutItem) -> None:
    to = ItemState.REVERSED if item.amount_reversed == item.amount else ItemState.REVERSED_IN_PART
    if item.state is not to:
        move(item, to)
    item.changed_at = clock.now()
    session.flush()


def _tell(session: Session, item: PayoutItem, amount: Money) -> None:
    title = _("%(amount)s was taken back out of your Stripe account", amount=amount)
    body = _("You are owed it as before, and the next pay run sends it again. Write to us if you ask why.")
    notify(session, item.person_id, "payout", title, body, MONEY_PATH)
