"""Who is to be told of a gig: everybody whom it suits, and every saved search that finds it.

Whom it suits may be a hundred thousand of a million, so they are written down in a row for each cadence, in
one statement, and spread afterwards, some in a transaction, into a row for each person. Nobody is told twice
of one gig. Who is told, and when, is looked at again in `telling`.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.db import use_case
from marketplace.gigs.finding.models import AlertBatch
from marketplace.matching import candidates, domains, ranking, scoring

ANNOUNCE = "gigs.announce"
SEARCHES = sa.text("""
    INSERT INTO gig_alerts (person_id, gig_id, search_id, cadence, queued_at)
    SELECT DISTINCT ON (s.person_id) s.person_id, g.id, s.id, s.cadence, :now
    FROM saved_searches s, gigs g JOIN match_gigs m ON m.gig_id = g.id JOIN gig_texts t ON t.gig_id = g.id
    WHERE g.id = :gig AND s.cadence <> 'never'
        AND (s.domains = '{}' OR s.domains && CAST(:codes AS text[]))
        AND (s.tasks = '{}' OR g.task_kind = ANY (s.tasks))
        AND (s.languages = '{}' OR s.languages && g.languages)
        AND (s.rate IS NULL OR (m.rate_max >= s.rate AND m.currency = s.currency))
        AND (s.hours IS NULL OR m.hours_per_week <= s.hours)
        AND (s.words IS NULL OR t.words @@ to_tsquery('english', s.words))
    ORDER BY s.person_id, array_position(ARRAY['at_once', 'daily', 'weekly'], s.cadence), s.id
    ON CONFLICT DO NOTHING
""")
SUITED = """
    INSERT INTO gig_alert_batches (gig_id, cadence, people, queued_at)
    SELECT :gig, coalesce(chosen.cadence, 'daily'), array_agg(found.person_id ORDER BY found.person_id), :now
    FROM ({eligible}) AS found LEFT JOIN alert_settings chosen USING (person_id)
    WHERE chosen.cadence IS DISTINCT FROM 'never' GROUP BY 2
"""
NEXT = sa.text("""
    SELECT id, spread, cardinality(people) AS many FROM gig_alert_batches
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
""")
SPREAD = sa.text("""
    INSERT INTO gig_alerts (person_id, gig_id, cadence, queued_at)
    SELECT unnest(people[spread + 1 : spread + :some]), gig_id, cadence, queued_at
    FROM gig_alert_batches WHERE id = :id
    ON CONFLICT DO NOTHING
""")
SOME = 5_000


def announce_later(session: Session, gig_id: int) -> None:
    """Queue the looking for whom to tell, in the running transaction."""
    jobs.defer(session, ANNOUNCE, once=f"announce {gig_id}", gig=gig_id)


@use_case
def announce(session: Session, gig_id: int) -> None:
    """Write down who is to be told of this gig (internal id), if it is open."""
    gig = ranking.gigs(session, [gig_id]).get(gig_id)
    if gig is None or not ranking.takes_experts(session, gig_id):
        return
    now = clock.now()
    codes = list(domains.tree().path(gig.domain))
    session.execute(SEARCHES, {"gig": gig_id, "codes": codes, "now": now})
    scored, values = candidates.scored(session, gig, clock.today("UTC"))
    eligible = f"SELECT DISTINCT person_id FROM ({scored}) AS scored"  # noqa: S608 (a statement of our own)
    scoring.run(session, SUITED.format(eligible=eligible), {**values, "gig": gig_id, "now": now})


def spread(session: Session) -> int:
    """Give everybody who was written down a row of their own, some in a transaction; how many are new.

    It can be stopped at any moment and done again: what is spread is counted in the same transaction.
    """
    new = 0
    while (some := _spread_some(session)) is not None:
        new += some
    return new


@use_case
def _spread_some(session: Session) -> int | None:
    batch = session.execute(NEXT).one_or_none()
    if batch is None:
        return None
    done = session.execute(SPREAD, {"id": batch.id, "some": SOME})
    this = AlertBatch.id == batch.id
    if batch.spread + SOME >= batch.many:
        session.execute(sa.delete(AlertBatch).where(this))
    else:
        session.execute(sa.update(AlertBatch).where(this).values(spread=batch.spread + SOME))
    return int(done.rowcount)  # type: ignore[attr-defined]
