"""Telling a client that half, four fifths or all of a project's money is spent or set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.contracts.budgets import standing
from marketplace.contracts.budgets.models import BudgetAlert
from marketplace.contracts.budgets.standing import Standing
from marketplace.db import use_case
from marketplace.gigs.members import tell_client
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.money import Money

# Per cent of what was paid in and not refunded.
THRESHOLDS = (50, 80, 100)
Told = dict[int, BudgetAlert]


def watch(session: Session) -> int:
    """Tell of each threshold that was reached, once; for how many projects something was new."""
    told = _told(session)
    due = [each.project_id for each in standing.of_open(session) if _news(each, told[each.project_id])]
    return jobs.one_by_one(session, _look, due)


def rearm(session: Session, project: Project) -> None:
    """More was paid in: what is no longer reached may be told again. Needs a running transaction."""
    _rearm(standing.of_project(session, project), _told(session, project.id)[project.id])


def of_project(session: Session, project: Project) -> Sequence[BudgetAlert]:
    """What was told of a project, oldest first."""
    query = sa.select(BudgetAlert).filter_by(project_id=project.id)
    return session.scalars(query.order_by(BudgetAlert.id)).all()


@use_case
def _look(session: Session, project_id: int) -> bool:
    # Two workers come one after the other, and the second finds what the first has told.
    project = session.get_one(
        Project, project_id, with_for_update={"key_share": True}, populate_existing=True
    )
    now, told = standing.of_project(session, project), _told(session, project_id)[project_id]
    _rearm(now, told)
    new = [each for each in THRESHOLDS if now.reached(each) and not _stands(told, each)]
    session.add_all(_alert(now, each) for each in new)
    session.flush()
    if new:
        _tell(session, project, now, new[-1])
    return bool(new)


def _news(now: Standing, told: Told) -> bool:
    return any(now.reached(each) != _stands(told, each) for each in THRESHOLDS)


def _stands(told: Told, threshold: int) -> bool:
    return threshold in told and told[threshold].rearmed_at is None


def _rearm(now: Standing, told: Told) -> None:
    for threshold, alert in told.items():
        if not now.reached(threshold) and now.funded > alert.funded:
            alert.rearmed_at = clock.now()


def _told(session: Session, project_id: int | None = None) -> defaultdict[int, Told]:
    """What stands, by project (internal id) and threshold."""
    query = sa.select(BudgetAlert).where(BudgetAlert.rearmed_at.is_(None))
    if project_id is not None:
        query = query.filter_by(project_id=project_id)
    found: defaultdict[int, Told] = defaultdict(dict)
    for each in session.scalars(query.execution_options(populate_existing=True)):
        found[each.project_id][each.threshold] = each
    return found


def _alert(now: Standing, threshold: int) -> BudgetAlert:
    return BudgetAlert(
        project_id=now.project_id, threshold=threshold, used=now.used, funded=now.funded, at=clock.now()
    )


def _tell(session: Session, project: Project, now: Standing, threshold: int) -> None:
    used, funded, free = (Money(each, now.currency) for each in (now.used, now.funded, now.free))

    def say() -> tuple[str, str]:
        return (
            _(
                "%(n)s %% of the funds of %(project)s are spent or reserved",
                n=threshold,
                project=project.name,
            ),
            " ".join(
                [
                    _("%(used)s of %(funded)s; %(free)s are free.", used=used, funded=funded, free=free),
                    lasts(free, standing.a_week(session, project)),
                ]
            ),
        )

    path = f"/projects/{project.public_id}/funding"
    tell_client(session, project.organization_id, f"budget.{threshold}", path, say)


def lasts(free: Money, week: Money) -> str:
    """How long free money lasts at the present pace, in a sentence."""
    weeks = standing.weeks_left(free, week)
    if weeks is None:
        return _("No contract runs at the moment, so nothing of it is asked for.")
    if not weeks:
        return _(
            "A week of the contracts that run needs %(week)s, so it does not last for another.", week=week
        )
    return ngettext(
        "A week of the contracts that run needs %(week)s, so it lasts for one more after those reserved.",
        "A week of the contracts that run needs %(week)s, so it lasts for %(n)s more after those reserved.",
        weeks,
        week=week,
    )
