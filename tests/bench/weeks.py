"""Weeks of a contract that wait for approval, many at once: written by SQL after one made by hand."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor
from marketplace.contracts.models import Timesheet
from marketplace.ledger import NewEntry, chart
from tests.factories.contracts import MONDAY, a_deal

# Of twelve minutes each: a full week, in which nothing is left over.
LINES, HOURS = 100, 20
FIRST = 2

WEEKS = """
    WITH week AS (
        SELECT n, r.contract_id, r.week_start_at + n * interval '7 days' AS starts,
            r.week_end_at + n * interval '7 days' AS ends, r.minutes, r.amount
        FROM generate_series(%(first)s::int, %(last)s::int) AS n, LATERAL (
            SELECT * FROM reservations ORDER BY week_start_at LIMIT 1
        ) AS r
    ), reserved AS (
        INSERT INTO reservations (contract_id, week_start_at, week_end_at, minutes, amount, state)
        SELECT contract_id, starts, ends, minutes, amount, 'held' FROM week
    ), sheet AS (
        INSERT INTO timesheets (public_id, contract_id, week_start_at, week_end_at, zone, state, submitted_at,
            approve_by, version)
        SELECT gen_random_uuid(), contract_id, starts, ends, 'UTC', 'submitted', ends,
            ends + interval '7 days', 2
        FROM week RETURNING id, contract_id, week_start_at
    )
    INSERT INTO time_entries (public_id, contract_id, timesheet_id, person_id, started_at, ended_at, kind,
        source, task_kind, note, version)
    SELECT gen_random_uuid(), s.contract_id, s.id, c.person_id, s.week_start_at + k * interval '12 minutes',
        s.week_start_at + (k + 1) * interval '12 minutes', 'paid', 'manual', 'review', '', 1
    FROM sheet s JOIN contracts c ON c.id = s.contract_id, generate_series(0, %(lines)s::int - 1) AS k
"""


def submitted(
    session: Session, owner: psycopg.Connection, lines: int
) -> tuple[Actor, list[tuple[uuid.UUID, int]], datetime]:
    """Who approves them, the weeks with the versions that were seen, and a moment when all are over."""
    number = max(1, lines // LINES)
    with clock.at(MONDAY):
        deal = a_deal(session, zone="UTC", hours=HOURS, funds=10**12)
    owner.execute(WEEKS, {"first": FIRST, "last": FIRST + number - 1, "lines": LINES})  # type: ignore[arg-type]
    owner.execute("ANALYZE")
    project = deal.project.public_id
    held = session.scalar(sa.text("SELECT max(amount) FROM reservations"))
    entries = [
        NewEntry(
            f"bench:{n}", "reserved", "USD",
            [(chart.project_funds(project), held), (chart.project_reserved(project), -held)], MONDAY, "Held",
        )
        for n in range(number)
    ]  # fmt: skip
    ledger.post_many(session, SITE, entries)
    session.commit()
    later = MONDAY + timedelta(days=10)
    query = sa.select(Timesheet.public_id, Timesheet.version).where(Timesheet.week_start_at > later)
    sheets = [tuple(row) for row in session.execute(query.order_by(Timesheet.id))]
    return deal.approver, sheets, MONDAY + timedelta(weeks=number + 4)
