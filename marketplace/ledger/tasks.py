"""The ledger's background work."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.ledger import seals


@jobs.task("ledger.seal")
def seal(session: Session) -> int:
    """Chain what was committed since, until nothing waits; the number of entries."""
    sealed = 0
    while found := seals.seal(session):
        sealed += found
    return sealed


jobs.periodic("*/20 * * * * *", "ledger.seal")
