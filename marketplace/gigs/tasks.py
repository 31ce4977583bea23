"""What other slices set off: an upheld appeal opens an application again, a credential changes a match."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.gigs import applications, autosaves, projection
from marketplace.reasons import hooks


@jobs.task("gigs.rebuild_projections")
def rebuild_projections(session: Session) -> None:
    """Make what matching knows anew."""
    projection.rebuild_projections(session)


@jobs.task("gigs.forget_autosaves")
def forget_autosaves(session: Session) -> None:
    """Forget what was typed long ago and never saved."""
    autosaves.forget_old(session)


jobs.periodic("0 23 4 * * *", "gigs.forget_autosaves")
hooks.on_upheld["application"] = applications.reopen
