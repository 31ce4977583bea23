"""Reconciliation's background work."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.payments.gateway import connect
from marketplace.reconciliation import fetching, passes
from marketplace.settings import current


@jobs.task("reconciliation.fetch")
def fetch(session: Session) -> None:
    """Bring the mirror of Stripe up to date, then match."""
    fetching.fetch_stripe(session, connect(current()))
    passes.run(session)


@jobs.task("reconciliation.run")
def run(session: Session) -> None:
    """Match what is here."""
    passes.run(session)


jobs.periodic("23 * * * *", "reconciliation.fetch")
