"""Who is to be told of a gig: everybody whom it suits, and every saved search that finds it.

Two statements write a row for each, among a million experts; nobody is told twice of one gig. Who is told,
and when, is looked at again in `telling`.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.db import use_case
from marketplace.matching import candidates, domains, ranking

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
    INSERT INTO gig_alerts (person_id, gig_id, cadence, queued_at)
    SELECT found.person_id, :gig, coalesce(chosen.cadence, 'daily'), :now
    FROM ({eligible}) AS found LEFT JOIN alert_settings chosen USING (person_id)
    WHERE chosen.cadence IS DISTINCT FROM 'never'
    ON CONFLICT DO NOTHING
"""


def announce_later(session: Session, gig_id: int) -> None:
    """Queue the looking for whom to tell, in the running transaction."""
    jobs.defer(session, ANNOUNCE, once=f"announce {gig_id}", gig=gig_id)


@use_case
def announce(session: Session, gig_id: int) -> int:
    """Write down who is to be told of this gig (internal id), if it is open; how many are new."""
    gig = ranking.gigs(session, [gig_id]).get(gig_id)
    if gig is None or not ranking.takes_experts(session, gig_id):
        return 0
    now = clock.now()
    codes = list(domains.tree().path(gig.domain))
    searches = session.execute(SEARCHES, {"gig": gig_id, "codes": codes, "now": now})
    eligible, values = candidates.eligible(session, gig, clock.today("UTC"))
    suited = candidates.run(session, SUITED.format(eligible=eligible), {**values, "gig": gig_id, "now": now})
    return int(searches.rowcount + suited.rowcount)  # type: ignore[attr-defined]
