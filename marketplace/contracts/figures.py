"""What contracts tell of gigs: how many were made an offer, and what an hour really brought."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.models import Offer
from marketplace.gigs.rates import Earned

# Every approved week: what it paid, and all of its minutes that count, paid or not. A line in dispute counts
# once it is said what it pays.
_EARNED = """
    SELECT {by} AS subject_id, count(DISTINCT c.person_id) FILTER (WHERE lines.paid > 0) AS experts,
        CAST(sum(lines.paid) AS bigint) AS paid, CAST(sum(entries.minutes) AS bigint) AS minutes
    FROM contracts c
    JOIN timesheets t ON t.contract_id = c.id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(expert_amount), 0) AS paid FROM approvals WHERE timesheet_id = t.id
    ) AS lines
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(floor(extract(epoch FROM ended_at - started_at) / 60)), 0) AS minutes
        FROM time_entries e WHERE timesheet_id = t.id AND removed_at IS NULL AND NOT EXISTS (
            SELECT FROM time_disputes d WHERE d.time_entry_id = e.id AND d.awarded_minutes IS NULL
        )
    ) AS entries
    WHERE {which} AND t.state = 'approved'
    GROUP BY {by}
"""


def _earned_by(column: str, which: str) -> sa.TextualSelect:
    kinds = dict.fromkeys(("subject_id", "experts", "paid", "minutes"), sa.BigInteger)
    return sa.text(_EARNED.format(by=column, which=which)).columns(**kinds)


ON_GIGS = _earned_by("c.gig_id", "c.gig_id = ANY (:ids)")
BY_PERSON = _earned_by("c.id", "c.person_id = :person_id")


def offers_made(session: Session, gig_id: int) -> int:
    """Applicants of the gig (internal id) who were offered work, each once, whatever came of it."""
    work = (Offer.gig_id == gig_id, Offer.test_id.is_(None))
    query = sa.select(sa.func.count(Offer.application_id.distinct())).where(*work)
    return session.scalar(query) or 0


def earned(session: Session, gig_ids: Sequence[int]) -> dict[int, Earned]:
    """What was earned on these gigs (internal ids), of those on which a week was approved."""
    rows = session.execute(ON_GIGS, {"ids": list(gig_ids)})
    return {row.subject_id: Earned(row.experts, row.paid, row.minutes) for row in rows}


def earned_by(session: Session, person_id: int) -> dict[int, Earned]:
    """What an expert (internal id) earned, by the internal ids of the contracts."""
    rows = session.execute(BY_PERSON, {"person_id": person_id})
    return {row.subject_id: Earned(row.experts, row.paid, row.minutes) for row in rows}
