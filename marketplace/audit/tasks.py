"""The trail is sealed a few times a minute."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.audit import trail


@jobs.task("audit.seal")
def seal(session: Session) -> None:
    """Chain what was recorded since."""
    trail.seal(session)


jobs.periodic("*/30 * * * * *", "audit.seal")
