"""Reconciliation's background work, and how finance asks for it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.payments.gateway import connect
from marketplace.reconciliation import fetching, passes, statements
from marketplace.reconciliation.passes import RunResult
from marketplace.reconciliation.statements import Imported
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


@use_case
def ask_to_fetch(session: Session, actor: Actor) -> None:
    """Have the worker fetch from Stripe, once however often it is asked."""
    actor.require(*FINANCE)
    jobs.defer(session, "reconciliation.fetch", once="reconciliation.fetch")


@use_case
def import_and_match(
    session: Session, actor: Actor, name: str, data: bytes, *, new_account: bool = False
) -> tuple[Imported, RunResult]:
    """Take in a statement file and match what it brought, so that what stays open is known at once.

    Raises Invalid as `import_statement` does; then nothing came in.
    """
    imported = statements.import_statement(session, actor, name, data, new_account=new_account)
    return imported, RunResult() if imported.again else passes.run(session)


@use_case
def match_now(session: Session, actor: Actor) -> RunResult:
    """Match what is here, for somebody who waits for it."""
    actor.require(*FINANCE)
    return passes.run(session)


jobs.periodic("23 * * * *", "reconciliation.fetch")
