"""What other slices set off: an upheld appeal opens an application again, a credential changes a match."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.gigs import (
    applications,
    autosaves,
    moderation,
    outsiders,
    projection,
    skill_aliases,
    watching,
)
from marketplace.gigs.finding import alerts, telling
from marketplace.matching import rules
from marketplace.reasons import hooks


@jobs.task("gigs.rebuild_projections")
def rebuild_projections(session: Session) -> None:
    """Make what matching knows anew."""
    projection.rebuild_projections(session)


@jobs.task(skill_aliases.MATCH_AGAIN)
def match_skills_again(session: Session, names: list[str]) -> None:
    """Match anew whoever has a skill that an alias changed."""
    skill_aliases.match_again(session, names)


@jobs.task("gigs.forget_autosaves")
def forget_autosaves(session: Session) -> None:
    """Forget what was typed long ago and never saved."""
    autosaves.forget_old(session)


@jobs.task("gigs.forget_outsiders")
def forget_outsiders(session: Session) -> None:
    """Forget whoever was asked by mail and did not come."""
    outsiders.forget_outsiders(session)


jobs.periodic("0 23 4 * * *", "gigs.forget_autosaves")
jobs.periodic("0 33 4 * * *", "gigs.forget_outsiders")


@jobs.task(alerts.ANNOUNCE)
def announce(session: Session, gig: int) -> None:
    """Find whom to tell of a gig."""
    alerts.announce(session, gig)
    alerts.spread(session)


@jobs.task("gigs.tell_at_once")
def tell_at_once(session: Session) -> None:
    """Tell of new gigs those who hear at once."""
    telling.tell_at_once(session)


@jobs.task("gigs.tell_in_the_morning")
def tell_in_the_morning(session: Session) -> None:
    """Tell of new gigs those for whom it is morning."""
    telling.tell_in_the_morning(session)


@jobs.task("gigs.tell_watchers")
def tell_watchers(session: Session) -> None:
    """Tell clients of experts who newly fit."""
    watching.tell_watchers(session)


jobs.before_each.append(rules.use)
projection.opened.append(alerts.announce_later)
jobs.periodic("15 * * * * *", "gigs.tell_at_once", by_the_clock=True)
jobs.periodic("25 5,35 * * * *", "gigs.tell_in_the_morning", by_the_clock=True)
jobs.periodic("35 10,40 * * * *", "gigs.tell_watchers", by_the_clock=True)
hooks.on_upheld["gig"] = moderation.put_back
hooks.on_upheld["application"] = applications.reopen
