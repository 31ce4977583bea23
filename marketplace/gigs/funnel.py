"""How a gig goes against its first day: invited, applied, offered, started; and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.gigs import projection, queries
from marketplace.gigs.models import Application, Gig, Invitation, OutsideInvitation
from marketplace.gigs.states import ApplicationState, GigState
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext

# How many applicants of a gig (internal id) were ever made an offer. Filled by the slice above.
offers_made: list[Callable[[Session, int], int]] = []
WAITING = (ApplicationState.APPLIED, ApplicationState.SHORTLISTED)
STARTED = (ApplicationState.HIRED, ApplicationState.ENDED)
# Fewer invitations than this say nothing of how many start.
TELLING = 5


@dataclass(frozen=True)
class Stage:
    """`people` got so far; `told` says which part that is of those of the stage before, if any were there."""

    label: str
    people: int
    told: str = ""


@dataclass(frozen=True)
class Step:
    """The next thing to do, and the view in which it is done."""

    text: str
    where: str


@dataclass(frozen=True)
class Funnel:
    """`left` places are to fill; `days` until the first day, negative once it has passed."""

    stages: list[Stage]
    wanted: int
    working: int
    left: int
    days: int | None
    step: Step | None


def funnel(session: Session, gig: Gig) -> Funnel:
    """How the gig goes."""
    states = queries.counts(session, [gig.id])[gig.id]
    invited, came = _invited(session, gig)
    applied, started = sum(states.values()), sum(states.get(each, 0) for each in STARTED)
    offered = sum(made(session, gig.id) for made in offers_made)
    working = states.get(ApplicationState.HIRED, 0)
    left = max(0, (gig.headcount or 0) - working)
    return Funnel(
        stages=list(_stages(invited, came, applied, offered, started, _outside(session, gig))),
        wanted=gig.headcount or 0,
        working=working,
        left=left,
        days=(gig.starts_on - clock.today("UTC")).days if gig.starts_on else None,
        step=_step(
            gig,
            projection.has_funds(session, gig),
            left,
            sum(states.get(each, 0) for each in WAITING),
            states,
            invited,
            started,
        ),
    )


def _invited(session: Session, gig: Gig) -> tuple[int, int]:
    """How many were invited, and how many of them applied."""
    applied = sa.exists().where(
        Application.gig_id == Invitation.gig_id, Application.person_id == Invitation.person_id
    )
    query = sa.select(sa.func.count(), sa.func.count().filter(applied))
    invited, came = session.execute(query.where(Invitation.gig_id == gig.id)).one()
    return invited, came


def _outside(session: Session, gig: Gig) -> tuple[int, int]:
    """How many were asked by mail, and how many of them came."""
    query = sa.select(sa.func.count(), sa.func.count(OutsideInvitation.taken_by))
    asked, came = session.execute(query.where(OutsideInvitation.gig_id == gig.id)).one()
    return asked, came


def _by_mail(asked: int, came: int) -> str:
    if not asked:
        return ""
    return _("%(asked)s asked by mail, %(came)s came", asked=asked, came=came)


def _stages(
    invited: int, came: int, applied: int, offered: int, started: int, outside: tuple[int, int]
) -> Iterator[Stage]:
    yield Stage(_("Invited"), invited, _by_mail(*outside))
    told = []
    if invited:
        told = [_("%(percent)s %% of those invited", percent=_percent(came, invited))]
    if applied > came:
        told.append(ngettext("%(n)s came uninvited", "%(n)s came uninvited", applied - came))
    yield Stage(_("Applied"), applied, "; ".join(told))
    share = _("%(percent)s %% of those who applied", percent=_percent(offered, applied)) if applied else ""
    yield Stage(_("Were offered a contract"), offered, share)
    share = _("%(percent)s %% of those offers", percent=_percent(started, offered)) if offered else ""
    yield Stage(_("Started"), started, share)


def _percent(part: int, whole: int) -> int:
    return 100 * part // whole


def _step(
    gig: Gig,
    funded: bool,
    left: int,
    waiting: int,
    states: dict[ApplicationState, int],
    invited: int,
    started: int,
) -> Step | None:
    """The one thing that brings it on most."""
    pending = states.get(ApplicationState.OFFERED, 0)
    answer = ngettext(
        "Answer the application that waits.", "Answer the %(n)s applications that wait.", waiting
    )
    steps = (
        (gig.state in (GigState.CLOSED, GigState.REMOVED), None),
        (
            gig.state is GigState.DRAFT and not funded,
            Step(_("Publish it. Experts find it once the project has money for it."), "gigs.preview"),
        ),
        (gig.state is GigState.DRAFT, Step(_("Publish it, and experts who fit can apply."), "gigs.preview")),
        (not left, Step(_("All places are filled. Add one to look for another person."), "gigs.edit")),
        (waiting > 0, Step(answer, "gigs.received")),
        (pending >= left, Step(_("As many offers as places wait for an answer."), "contracts.made")),
        (
            gig.state is GigState.PAUSED,
            Step(_("It is paused, so nobody finds it. Publish it again."), "gigs.preview"),
        ),
        # The page says above what is to be done.
        (not funded, None),
    )
    inviting = Step(_inviting(left - pending, invited, started), "gigs.experts")
    return next((step for holds, step in steps if holds), inviting)


def _inviting(wanted: int, invited: int, started: int) -> str:
    """How many invitations it takes, as far as the ones so far tell."""
    if invited < TELLING or not started:
        return _("Invite experts who fit. They answer sooner than others find the gig.")
    more = -(-wanted * invited // started)
    return ngettext(
        "Invite %(more)s more: as it went so far, %(n)s of them starts.",
        "Invite %(more)s more: as it went so far, %(n)s of them start.",
        wanted,
        more=more,
    )
