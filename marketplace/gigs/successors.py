"""A gig that follows one of the same client, is much the same, and pays less: kept, and said to both sides.

How much two gigs overlap, in percent, is the sum of what they share: the words of title and description
(50, by Dice's coefficient of the two sets of words), the domain (25, or 15 within its family), the skills
(15, the same way; all when neither names any) and the kind of task (10). From 70 on, a gig published at most
90 days after the other was last open follows it. Less pay is a lower middle of the band.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.gigs.models import Gig, Project, Succession
from marketplace.gigs.states import GigState
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.matching import domains, skills
from marketplace.matching.tree import Nearness
from marketplace.money import Money

WITHIN = timedelta(days=90)
LEAST_OVERLAP = 70
WORDS, DOMAIN, SKILLS, TASK = 50, 25, 15, 10
IN_OCCUPATION, IN_FAMILY = 20, 15
# So many of the client's newest gigs are looked at.
MOST = 200
LONG_ENOUGH = re.compile(r"\w{3,}")


def look(session: Session, gig: Gig) -> Succession | None:
    """Find what the gig follows, and keep it in place of what was found before. Needs a transaction."""
    session.execute(sa.delete(Succession).where(Succession.gig_id == gig.id))
    session.expire(gig, ["succession"])
    found = [(overlap(gig, each), each) for each in _earlier(session, gig) if less(gig, each) > 0]
    alike = [pair for pair in found if pair[0] >= LEAST_OVERLAP]
    if not alike:
        return None
    percent, earlier = max(alike, key=lambda pair: (pair[0], pair[1].id))
    made = Succession(
        gig_id=gig.id,
        earlier_id=earlier.id,
        overlap=percent,
        less=less(gig, earlier),
        found_at=clock.now(),
    )
    session.add(made)
    session.flush()
    return made


def overlap(gig: Gig, other: Gig) -> int:
    """How much of the two is the same, in percent."""
    words = WORDS * _alike(_words(gig), _words(other))
    named = SKILLS * _alike(set(skills.keys(gig.skills)), set(skills.keys(other.skills)))
    task = TASK if gig.task_kind is other.task_kind else 0
    return int(words + named) + task + _domain(gig, other)


def less(gig: Gig, earlier: Gig) -> int:
    """Minor units that an hour in the middle of the band brings less than the earlier gig's did."""
    return (
        (earlier.rate_min or 0) + (earlier.rate_max or 0) - (gig.rate_min or 0) - (gig.rate_max or 0)
    ) // 2


def sentence(gig: Gig) -> str:
    """What both sides are told of it; empty when it follows none."""
    found = gig.succession
    if found is None:
        return ""
    less, earlier = Money(found.less, gig.project.currency), found.earlier
    if earlier.left_at is None:
        return _(
            "In the middle of its band it pays %(less)s an hour less than “%(title)s” of the same client, "
            "which is much the same and still open.",
            less=less,
            title=earlier.title,
        )
    return _(
        "In the middle of its band it pays %(less)s an hour less than “%(title)s” of the same client, which "
        "is much the same and was open until %(day)s.",
        less=less,
        title=earlier.title,
        day=day(earlier.left_at.date()),
    )


def in_short(gig: Gig) -> str:
    """The same for a list; empty when it follows none."""
    if gig.succession is None:
        return ""
    less = Money(gig.succession.less, gig.project.currency)
    return _("Pays %(less)s an hour less than a gig like it from this client before.", less=less)


def last_open(gig: Gig) -> datetime:
    """When it last took applications: now, while it does."""
    if gig.state is GigState.PUBLISHED:
        return clock.now()
    return gig.left_at or gig.published_at or clock.now()


def _earlier(session: Session, gig: Gig) -> list[Gig]:
    """Gigs of the same client and currency that were published before, and were open not long before."""
    if gig.published_at is None:
        return []
    project = gig.project
    query = (
        sa.select(Gig)
        .join(Gig.project)
        .where(Project.organization_id == project.organization_id, Project.currency == project.currency)
        .where(Gig.id != gig.id, Gig.published_at < gig.published_at)
        .order_by(Gig.published_at.desc())
        .limit(MOST)
    )
    return [each for each in session.scalars(query) if last_open(each) >= gig.published_at - WITHIN]


def _words(gig: Gig) -> set[str]:
    return set(LONG_ENOUGH.findall(f"{gig.title} {gig.description}".casefold()))


def _alike(one: Collection[str], other: Collection[str]) -> float:
    """Dice's coefficient, 0 to 1: the same for two that are both empty."""
    if not one and not other:
        return 1
    return 2 * len(set(one) & set(other)) / (len(one) + len(other))


def _domain(gig: Gig, other: Gig) -> int:
    if gig.domain is None or other.domain is None:
        return 0
    nearness = max(domains.nearness(gig.domain, other.domain), domains.nearness(other.domain, gig.domain))
    return {Nearness.SAME: DOMAIN, Nearness.OCCUPATION: IN_OCCUPATION, Nearness.FAMILY: IN_FAMILY}.get(
        nearness, 0
    )
