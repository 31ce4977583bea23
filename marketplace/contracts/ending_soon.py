"""Telling an expert that their timer will stop: thirty and ten minutes before reserved time, or what else it
needs, ends."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.contracts import limits
from marketplace.contracts.models import Contract, TimeEntry
from marketplace.db import use_case
from marketplace.gigs.members import tell
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext, zoned
from marketplace.notifications.models import Notification

# Minutes before the end, the last warning first.
WARN_AT = (10, 30)
MINUTE = timedelta(minutes=1)


def warn_of_ends(session: Session) -> int:
    """Tell those whose timer stops soon; how many. Each warning comes once for each timer."""
    running = (
        sa.select(TimeEntry.id)
        .join(TimeEntry.contract)
        .where(TimeEntry.ended_at.is_(None), TimeEntry.removed_at.is_(None), Contract.test_id.is_(None))
    )
    return jobs.one_by_one(session, _warn, session.scalars(running.order_by(TimeEntry.id)).all())


@use_case
def _warn(session: Session, entry_id: int) -> bool:
    # The lock is for the notice: two workers would both find that it was not given yet.
    entry = session.get_one(TimeEntry, entry_id, with_for_update=True, populate_existing=True)
    if entry.ended_at is not None or entry.removed_at is not None:
        return False
    end, why = limits.timer_end(session, entry)
    left = -(-(end - clock.now()) // MINUTE)
    stage = next((each for each in WARN_AT if 0 < left <= each), None)
    if stage is None or _told(session, entry, stage):
        return False
    tell(
        session,
        entry.person_id,
        _kind(stage),
        f"/work/{entry.contract.public_id}",
        lambda: (
            ngettext("Your timer stops in %(n)s minute", "Your timer stops in %(n)s minutes", left),
            _("At %(when)s. %(why)s", when=zoned(end, entry.contract.time_zone), why=why),
        ),
    )
    return True


def _told(session: Session, entry: TimeEntry, stage: int) -> bool:
    """Was this warning, or the later one, given since the timer was started?"""
    query = sa.select(Notification.id).where(
        Notification.person_id == entry.person_id,
        Notification.kind.in_([_kind(each) for each in WARN_AT if each <= stage]),
        Notification.path == f"/work/{entry.contract.public_id}",
        Notification.created_at >= entry.started_at,
    )
    return session.scalars(query.limit(1)).first() is not None


def _kind(stage: int) -> str:
    return f"timer.ends_in_{stage}"
