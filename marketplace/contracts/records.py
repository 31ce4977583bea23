"""What the work of an expert says of them in a match: weeks approved as submitted, tests passed, and how soon
they answer.

All look back a year. A return that fell on appeal counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.models import Contract
from marketplace.gigs import projection
from marketplace.gigs.projection import Told

YEAR = timedelta(days=365)
AT_ONCE = 500

RECORDS = sa.text("""
    SELECT person_id, 100 * count(*) FILTER (WHERE good) / count(*) AS record FROM (
    SELECT c.person_id, NOT returned AS good
    FROM timesheets t
    JOIN contracts c ON c.id = t.contract_id
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM statements_of_reasons s LEFT JOIN appeals a ON a.statement_id = s.id
            WHERE s.subject_kind = 'timesheet' AND s.subject_id = t.public_id
                AND a.outcome IS DISTINCT FROM 'upheld'
        ) AS returned
    ) AS looked
    WHERE c.person_id = ANY (:ids) AND t.week_end_at > :since
        AND (t.state = 'approved' OR (t.state = 'returned' AND returned)) AND c.test_id IS NULL
    UNION ALL
    SELECT person_id, state = 'passed' FROM sittings
    WHERE person_id = ANY (:ids) AND graded_at > :since
    ) AS decided
    GROUP BY person_id
""").columns(person_id=sa.BigInteger, record=sa.BigInteger)
# An offer that nobody answered took all of its time.
RESPONSES = sa.text("""
    SELECT person_id, CAST(ceil(extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (
        ORDER BY decided_at - made_at)) / 3600) AS bigint) AS hours
    FROM offers
    WHERE person_id = ANY (:ids) AND made_at > :since AND state IN ('accepted', 'declined', 'expired')
    GROUP BY person_id
""").columns(person_id=sa.BigInteger, hours=sa.BigInteger)


def records_of(session: Session, person_ids: Sequence[int]) -> dict[int, Told]:
    """Of those among these people (internal ids) who were asked or worked at all."""
    values = {"ids": list(person_ids), "since": clock.now() - YEAR}
    records = {row.person_id: row.record for row in session.execute(RECORDS, values)}
    hours = {row.person_id: row.hours for row in session.execute(RESPONSES, values)}
    return {each: Told(records.get(each), hours.get(each)) for each in records.keys() | hours.keys()}


def refresh_records(session: Session) -> int:
    """Tell matching how everybody with a contract stands; how many. Once a day will do."""
    ids = session.scalars(sa.select(Contract.person_id).distinct().order_by(Contract.person_id)).all()
    session.rollback()
    for start in range(0, len(ids), AT_ONCE):
        projection.push_experts(session, ids[start : start + AT_ONCE])
    return len(ids)


projection.records.append(records_of)
