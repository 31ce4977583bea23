"""What finance asks the worker for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case


@use_case
def ask_for_proofs(session: Session, actor: Actor) -> None:
    """Have all proofs run, once however often it is asked."""
    actor.require(*FINANCE)
    jobs.defer(session, "proofs.watch_all", once="proofs.watch_all")
