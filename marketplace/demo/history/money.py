"""Friday is pay day; once a month the fees are swept and the bank's statement comes in."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.demo.history.stage import WEEKS, Stage, trying
from marketplace.demo.seed import actor_of
from marketplace.demo.stripe_server import hands
from marketplace.payments import batches, payouts, sending, sweeps
from marketplace.payments.models import PayoutBatch, Sweep
from marketplace.payments.states import BatchState, SweepState
from marketplace.reconciliation import booking, fetching, passes, statements
from marketplace.reconciliation.models import BankAccount, StatementLine
from marketplace.reconciliation.states import LineState

PREPARER, RELEASER, SECOND = "fin", "gil", "mia"


def pay(stage: Stage, week: int) -> None:
    """Fin prepares what is approved, Gil releases it an hour later, with Mia what is much, and it is sent."""
    session = stage.session
    with stage.at(week, 4, 15) as cut_off:
        if not _is_prepared(session, cut_off):
            trying(session, lambda: batches.prepare_batch(session, actor_of(session, PREPARER), cut_off))
    with stage.at(week, 4, 16):
        for person in (RELEASER, SECOND):
            for batch in _batches(session, BatchState.PREPARED):
                trying(session, partial(_release, session, batch, person))
        for batch in _batches(session, BatchState.RELEASED, BatchState.SENDING):
            sending.send_batch(session, stage.gateway, batch)


def follow(stage: Stage, week: int) -> None:
    """What was sent arrives at the experts' banks, and after five business days counts as settled."""
    with stage.at(week, 3, 12):
        payouts.track_payouts(stage.session, stage.gateway, limit=10_000)
        payouts.settle_items(stage.session, stage.gateway, limit=10_000)
        jobs.run_due(stage.session)


def catch_up(stage: Stage) -> None:
    """In the present: whatever moved at Stripe since, and everything matched again."""
    hands.rest(stage.stripe_url)
    payouts.track_payouts(stage.session, stage.gateway, limit=10_000)
    payouts.settle_items(stage.session, stage.gateway, limit=10_000)
    sweeps.track_sweeps(stage.session, stage.gateway)
    fetching.fetch_stripe(stage.session, stage.gateway)
    passes.run(stage.session)


def sweep(stage: Stage, week: int) -> None:
    """The operator's own fees go to its bank, by two people."""
    session = stage.session
    with stage.at(week, 4, 17):
        trying(session, lambda: sweeps.prepare_sweep(session, actor_of(session, PREPARER)))
    with stage.at(week, 4, 18):
        for sweep_id in session.scalars(
            sa.select(Sweep.public_id).filter_by(state=SweepState.PREPARED)
        ).all():
            trying(session, partial(_release_sweep, session, sweep_id))
        sweeps.send_sweeps(session, stage.gateway)


def reconcile(stage: Stage, week: int) -> None:
    """The bank's statement of the four weeks up to Thursday is imported and everything is matched."""
    with stage.at(week, 4, 9) as moment:
        until = moment.date() - timedelta(days=1)
        since = until - timedelta(days=27)
        # Stripe is asked first: by its answer all that was due is done, and the bank's statement whole.
        fetching.fetch_stripe(stage.session, stage.gateway)
        data = _statement(stage.stripe_url, since, until)
        trying(
            stage.session,
            lambda: statements.import_statement(
                stage.session, actor_of(stage.session, PREPARER), f"harbour-{until}.xml", data
            ),
        )
        passes.run(stage.session)
        if week < WEEKS - 1:
            _book(stage.session)


def _book(session: Session) -> None:
    """What the account held before, and what the bank takes for it; the last charge is left for Fin."""
    for account in session.scalars(sa.select(BankAccount.public_id)).all():
        trying(session, partial(_book_opening, session, account))
    charges = sa.select(StatementLine.public_id).where(
        StatementLine.state == LineState.IMPORTED, StatementLine.amount < 0
    )
    for line in session.scalars(charges).all():
        trying(session, partial(_book_charge, session, line))


def _book_opening(session: Session, account: UUID) -> None:
    booking.book_opening(session, actor_of(session, PREPARER), account)


def _book_charge(session: Session, line: UUID) -> None:
    reason = "Account fee, as in the bank's price list"
    booking.book_line(session, actor_of(session, PREPARER), line, booking.BookAs.CHARGE, reason)


def _statement(base: str, since: date, until: date) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    connection.request("GET", f"/bank/statement.camt053.xml?from={since}&to={until}")
    return connection.getresponse().read()


def _batches(session: Session, *states: BatchState) -> Sequence[UUID]:
    return session.scalars(sa.select(PayoutBatch.public_id).where(PayoutBatch.state.in_(states))).all()


def _is_prepared(session: Session, cut_off: datetime) -> bool:
    """Played again after a crash, the day would have one more batch, of those who cannot be paid."""
    return session.scalar(sa.select(PayoutBatch.id).filter_by(cut_off_at=cut_off)) is not None


def _release(session: Session, batch: UUID, person: str) -> None:
    batches.release_batch(session, actor_of(session, person), batch)


def _release_sweep(session: Session, sweep_id: UUID) -> None:
    sweeps.release_sweep(session, actor_of(session, RELEASER), sweep_id)
