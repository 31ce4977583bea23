"""Jobs: everything that talks to Stripe outside a request. Each may run twice, late, or after a crash."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.payments import (
    backfilling,
    connected_accounts,
    events,
    fundings,
    payouts,
    resolving,
    sending,
    sweeps,
    topups,
)
from marketplace.payments.chargebacks import answering, failures, recording
from marketplace.payments.gateway import Gateway, connect
from marketplace.payments.invoices import issuing
from marketplace.payments.lost import finding as lost
from marketplace.payments.models import ConnectedAccount, Funding, PayoutBatch, PayoutItem
from marketplace.payments.refunds import planning
from marketplace.payments.refunds import sending as refunding
from marketplace.payments.rounds import Round
from marketplace.payments.runs import reversing
from marketplace.payments.setup import payable, schedules
from marketplace.payments.states import FundingState, ItemState, TransfersState
from marketplace.payments.tax import notices as tax_notices
from marketplace.settings import current

# What no webhook told of is found within this time; what changes by itself is looked at once a day.
LOOK_AGAIN = timedelta(minutes=30)
LOOK_DAILY = timedelta(days=1)
# Taken in no order, so that some that fail each time do not take up every round.
AT_ONCE = 100
# It asks what keeps an expert from being paid, wherever hours begin.
assert payable


def gateway() -> Gateway:
    """This process's door to Stripe."""
    return connect(current())


@jobs.task("payments.send_batch")
def send_batch(session: Session, batch: str, since: int = 0) -> None:
    """Send a released batch, or go on with it. What fails is asked for again within minutes."""
    with Round(session, gateway()).one(batch):
        lost.catch_up(session, gateway())
        sending.send_batch(session, gateway(), uuid.UUID(batch), since)


@jobs.task("payments.send_waiting")
def send_waiting(session: Session) -> None:
    """Ask to go on with batches whose items still wait: for money, for Stripe, or because a worker died. Each
    has a job of its own, so that they take up one worker at most. Finish those of which nothing waits."""
    sending.finish_forgotten(session)
    for batch in _with_released_items(session):
        sending.send_later(session, batch)


@jobs.task("payments.resolve_unknown")
def resolve_unknown(session: Session) -> None:
    """Find out about transfers whose outcome nobody knows."""
    resolving.resolve_unknown(session, gateway())


@jobs.task("payments.track_payouts")
def track_payouts(session: Session) -> None:
    """Follow the payouts of accounts that have money on its way."""
    payouts.track_payouts(session, gateway())


@jobs.task("payments.track_reversals")
def track_reversals(session: Session) -> None:
    """Find the transfers that came back of which nobody told us."""
    reversing.track_reversals(session, gateway())


@jobs.task("payments.settle_items")
def settle_items(session: Session) -> None:
    """Settle what was paid five business days ago."""
    payouts.settle_items(session, gateway())


@jobs.task("payments.issue_invoices")
def issue_invoices(session: Session) -> None:
    """Issue the invoices of months that are over."""
    issuing.issue_due(session)


@jobs.task("payments.warn_of_tax_forms")
def warn_of_tax_forms(session: Session) -> None:
    """Tell experts whose tax form runs out."""
    tax_notices.warn(session)


@jobs.task("payments.send_sweeps")
def send_sweeps(session: Session) -> None:
    """Send released sweeps, and look into those of unknown outcome."""
    sweeps.send_sweeps(session, gateway())


@jobs.task("payments.send_top_ups")
def send_top_ups(session: Session) -> None:
    """Ask for released top-ups, and look into those of unknown outcome."""
    topups.send_top_ups(session, gateway())


@jobs.task("payments.prepare_refunds")
def prepare_refunds(session: Session) -> None:
    """Prepare what goes back of projects that have ended, and nothing of what a bank contests."""
    recording.set_more_aside(session)
    planning.prepare_refunds(session)


@jobs.task("payments.send_refunds")
def send_refunds(session: Session) -> None:
    """Send released refunds, and look into those of unknown outcome."""
    refunding.send_refunds(session, gateway())


@jobs.task("payments.send_evidence")
def send_evidence(session: Session) -> None:
    """Send what we say about chargebacks, and look into what has an unknown outcome."""
    answering.send_evidence(session, gateway())


@jobs.task("payments.track_chargebacks")
def track_chargebacks(session: Session) -> None:
    """Find the payments that came back of which nobody told us, and set aside what became free."""
    recording.track_chargebacks(session, gateway())
    failures.track_failures(session, gateway())


@jobs.task("payments.drain_webhooks")
def drain_webhooks(session: Session) -> None:
    """Apply the events that are waiting."""
    events.drain_webhooks(session, gateway())


@jobs.task("payments.backfill_events")
def backfill_events(session: Session) -> None:
    """Store what Stripe told while nobody listened."""
    backfilling.backfill(session, gateway())


@jobs.task("payments.keep_schedules")
def keep_schedules(session: Session) -> None:
    """Set the payouts of accounts that are held to manual, and back afterwards."""
    schedules.keep_schedules(session, gateway())


@jobs.task("payments.poll")
def poll(session: Session) -> None:
    """Look at what should have changed by now, in case nobody told us. Cheap while nothing is outstanding."""
    turn = Round(session, gateway())
    for session_id in turn.over(_unsettled_fundings(session)):
        with turn.one(session_id):
            fundings.settle_funding(session, gateway(), session_id)
    for account in turn.over(_unready_accounts(session)):
        with turn.one(account):
            connected_accounts.refresh_account(session, gateway(), account)
    if not turn.away:
        sweeps.track_sweeps(session, gateway())
        topups.track_top_ups(session, gateway())
        refunding.track_refunds(session, gateway())


def _with_released_items(session: Session) -> Sequence[uuid.UUID]:
    return session.scalars(
        sa.select(PayoutBatch.public_id)
        .where(PayoutBatch.items.any(PayoutItem.state == ItemState.RELEASED))
        .order_by(PayoutBatch.id)
    ).all()


def _unsettled_fundings(session: Session) -> list[str]:
    rows = session.scalars(
        sa.select(Funding.session_id)
        .where(
            Funding.state.in_((FundingState.OPEN, FundingState.PROCESSING)),
            Funding.session_id.is_not(None),
            sa.func.coalesce(Funding.looked_at, Funding.created_at) <= clock.now() - LOOK_AGAIN,
        )
        .order_by(sa.func.random())
        .limit(AT_ONCE)
    )
    return [session_id for session_id in rows if session_id]


def _unready_accounts(session: Session) -> list[str]:
    """Accounts that Stripe is checking, or that were never looked at, often; the others once a day."""
    now = clock.now()
    looked_at = sa.func.coalesce(ConnectedAccount.refreshed_at, ConnectedAccount.created_at)
    soon = sa.and_(
        ConnectedAccount.transfers.in_((TransfersState.NEW, TransfersState.PENDING)),
        looked_at <= now - LOOK_AGAIN,
    )
    rows = session.scalars(
        sa.select(ConnectedAccount.stripe_id)
        .where(
            ConnectedAccount.stripe_id.is_not(None),
            ConnectedAccount.ended_at.is_(None),
            sa.or_(soon, looked_at <= now - LOOK_DAILY),
        )
        .order_by(sa.func.random())
        .limit(AT_ONCE)
    )
    return [stripe_id for stripe_id in rows if stripe_id]


jobs.periodic("* * * * *", "payments.resolve_unknown")
jobs.periodic("*/5 * * * *", "payments.send_waiting")
jobs.periodic("* * * * *", "payments.drain_webhooks")
jobs.periodic("3 */15 * * * *", "payments.backfill_events")
jobs.periodic("*/10 * * * *", "payments.poll")
jobs.periodic("*/10 * * * *", "payments.send_sweeps")
jobs.periodic("*/10 * * * *", "payments.send_top_ups")
jobs.periodic("*/10 * * * *", "payments.send_refunds")
jobs.periodic("15 */10 * * * *", "payments.prepare_refunds", by_the_clock=True)
jobs.periodic("*/10 * * * *", "payments.send_evidence")
jobs.periodic("5 */10 * * * *", "payments.track_chargebacks")
jobs.periodic("*/15 * * * *", "payments.track_payouts")
jobs.periodic("25 */10 * * * *", "payments.track_reversals")
jobs.periodic("*/5 * * * *", "payments.keep_schedules")
jobs.periodic("7 * * * *", "payments.settle_items")
jobs.periodic("40 6 * * *", "payments.issue_invoices")
jobs.periodic("50 6 * * *", "payments.warn_of_tax_forms")
