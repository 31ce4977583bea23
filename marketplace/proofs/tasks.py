"""When proofs run by themselves; on demand `marketplace proofs` runs them all."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.proofs.watching import AFTER_FETCHING, CONTINUOUSLY, watch


@jobs.task("proofs.watch_books")
def watch_books(session: Session) -> None:
    """What stops sending."""
    watch(session, CONTINUOUSLY)


@jobs.task("proofs.watch_outside")
def watch_outside(session: Session) -> None:
    """What is held against Stripe and the bank."""
    watch(session, AFTER_FETCHING)


@jobs.task("proofs.watch_all")
def watch_all(session: Session) -> None:
    """Everything."""
    watch(session)


jobs.periodic("40 */10 * * * *", "proofs.watch_books", by_the_clock=True)
# Four minutes after the fetch of each hour.
jobs.periodic("10 27 * * * *", "proofs.watch_outside", by_the_clock=True)
jobs.periodic("20 50 4 * * *", "proofs.watch_all", by_the_clock=True)
