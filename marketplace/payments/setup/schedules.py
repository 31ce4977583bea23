"""While a change of bank account is held, the account's own payouts are manual too; afterwards as before.

Row, call, outcome: what is asked of Stripe is committed before the call. After an unknown outcome it is asked
again, because to set the same schedule twice does no harm. While a hold lasts, Stripe is asked in each round
whether they still are: a call from before, or somebody at Stripe, may have changed them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.payments import facts
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.outcomes import GatewayError, GatewayRefused
from marketplace.payments.rounds import Round
from marketplace.payments.setup import holding
from marketplace.payments.setup.models import BankHold

MANUAL = facts.Schedule("manual")
AT_ONCE = 200


@dataclass(frozen=True)
class _Order:
    """What to ask of Stripe for a hold; without a schedule the present one has to be read first."""

    hold_id: int
    key: str
    account: str
    schedule: facts.Schedule | None
    to_manual: bool


def keep_schedules(session: Session, gateway: Gateway) -> int:
    """End the holds that are over, and bring the payouts of each held account to what they have to be; how
    many calls changed something."""
    holding.end_over(session)
    changed, turn = 0, Round(session, gateway)
    for hold_id in turn.over(_waiting(session)):
        with turn.one(f"hold {hold_id}"):
            changed += _keep(session, gateway, hold_id)
    return changed


def _keep(session: Session, gateway: Gateway, hold_id: int) -> int:
    order = _take(session, hold_id, None)
    if order is not None and order.schedule is None:
        order = _take(session, hold_id, gateway.schedule(order.account))
    if order is None or order.schedule is None:
        return 0
    try:
        gateway.set_schedule(order.key, order.account, order.schedule)
    except GatewayError as error:
        _put_off(session, hold_id, error)
        raise
    _done(session, hold_id, order.to_manual)
    return 1


def _waiting(session: Session) -> list[int]:
    """Holds whose account is not yet as it has to be, or may not be any more, those that waited longest
    first."""
    now = clock.now()
    ids = session.scalars(
        sa.select(BankHold.id)
        .join(BankHold.account)
        .where(
            BankHold.restored_at.is_(None),
            ConnectedAccount.ended_at.is_(None),
            sa.or_(BankHold.retry_at.is_(None), BankHold.retry_at <= now),
        )
        .order_by(BankHold.retry_at.nulls_first(), BankHold.id)
        .limit(AT_ONCE)
    ).all()
    session.rollback()
    return list(ids)


@use_case
def _take(session: Session, hold_id: int, found: facts.Schedule | None) -> _Order | None:
    """Commit what is asked for next. None when there is nothing to ask."""
    hold = session.scalars(sa.select(BankHold).filter_by(id=hold_id).with_for_update()).one()
    account = hold.account.stripe_id or ""
    if hold.restored_at is not None:
        return None
    if hold.ended_at is None and hold.manual_at is not None:
        if found is None:
            # Whoever was not looked at for longer comes first in the next round.
            hold.retry_at = clock.now()
            return _Order(hold.id, "", account, None, to_manual=True)
        if found.interval == MANUAL.interval:
            return None
    if hold.ended_at is None:
        before = hold.schedule_before or _of_another(session, hold) or (asdict(found) if found else None)
        if before is not None:
            hold.schedule_before = before
            hold.manual_asked_at = hold.manual_asked_at or clock.now()
        hold.tries += 1
        key = f"hold:{hold.public_id}:manual:{hold.tries}"
        return _Order(hold.id, key, account, MANUAL if before else None, to_manual=True)
    later = _held_by_another(session, hold)
    if later is not None:
        # That one sets it back.
        later.schedule_before = later.schedule_before or hold.schedule_before
    if later is not None or hold.manual_asked_at is None:
        hold.restored_at = clock.now()
        return None
    hold.tries += 1
    key = f"hold:{hold.public_id}:restore:{hold.tries}"
    return _Order(hold.id, key, account, _schedule(hold), to_manual=False)


def _of_another(session: Session, hold: BankHold) -> dict[str, object] | None:
    """What the payouts were before an earlier hold that is not undone yet."""
    return session.scalar(
        sa.select(BankHold.schedule_before)
        .where(
            BankHold.connected_account_id == hold.connected_account_id,
            BankHold.id != hold.id,
            BankHold.restored_at.is_(None),
            BankHold.schedule_before.is_not(None),
        )
        .order_by(BankHold.id)
        .limit(1)
    )


def _held_by_another(session: Session, hold: BankHold) -> BankHold | None:
    """A later hold of the same account that lasts."""
    query = sa.select(BankHold).where(
        BankHold.connected_account_id == hold.connected_account_id,
        BankHold.id > hold.id,
        BankHold.ended_at.is_(None),
    )
    return session.scalars(query.order_by(BankHold.id).limit(1).with_for_update()).one_or_none()


def _schedule(hold: BankHold) -> facts.Schedule:
    before = hold.schedule_before or {}
    return facts.Schedule(
        before["interval"], tuple(before["weekly_payout_days"]), tuple(before["monthly_payout_days"])
    )


@use_case
def _done(session: Session, hold_id: int, to_manual: bool) -> None:
    hold = session.scalars(sa.select(BankHold).filter_by(id=hold_id).with_for_update()).one()
    hold.retry_at = hold.failure = None
    if to_manual:
        hold.manual_at = hold.manual_at or clock.now()
    else:
        hold.restored_at = hold.restored_at or clock.now()
    verb = "set_manual" if to_manual else "restore"
    audit.record(session, SITE, verb, "bank_hold", hold.public_id)


@use_case
def _put_off(session: Session, hold_id: int, error: GatewayError) -> None:
    """Again later, less and less often; finance sees what Stripe said."""
    hold = session.scalars(sa.select(BankHold).filter_by(id=hold_id).with_for_update()).one()
    hold.failure = error.code
    most = 60 if isinstance(error, GatewayRefused) else 15
    hold.retry_at = clock.now() + timedelta(minutes=min(2 ** min(hold.tries, 6), most))
