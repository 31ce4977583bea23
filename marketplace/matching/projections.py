"""Writing the narrow copies, in the running transaction of whoever changed what they are made from."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.db import Base
from marketplace.matching import domains, facts
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.models import MatchExpert, MatchExpertDomain, MatchGig
from marketplace.matching.requirements import CHECKED


def push_expert(session: Session, expert: ExpertFacts) -> None:
    """Keep these facts of an expert in place of those kept before. Raises KeyError for an unknown domain."""
    _put(
        session,
        MatchExpert,
        person_id=expert.person_id,
        min_rate=expert.min_rate,
        currency=expert.currency,
        country=expert.country,
        hours_per_week=expert.hours_per_week,
        languages=list(expert.languages),
        credential_types=sorted({each.type for each in expert.credentials if each.level >= CHECKED}),
        suspended=expert.suspended,
        facts=facts.to_json(expert),
    )
    session.execute(sa.delete(MatchExpertDomain).where(MatchExpertDomain.person_id == expert.person_id))
    rows = [_domain_row(expert, domain) for domain in dict.fromkeys(expert.domains)]
    if rows:
        session.execute(sa.insert(MatchExpertDomain), rows)


def push_gig(session: Session, gig: GigFacts, *, open: bool) -> None:
    """Keep these facts of a gig in place of those kept before; only an `open` one is found for experts.

    Raises KeyError for an unknown domain.
    """
    _put(
        session,
        MatchGig,
        gig_id=gig.gig_id,
        domain=gig.domain,
        domain_group=domains.group_of(gig.domain),
        rate_min=gig.rate_min,
        rate_max=gig.rate_max,
        currency=gig.currency,
        hours_per_week=gig.hours_per_week,
        languages=list(gig.languages),
        countries=list(gig.countries),
        headcount_left=gig.headcount_left,
        funded=gig.funded,
        open=open,
        facts=facts.to_json(gig),
    )


def clear(session: Session) -> None:
    """Forget every copy; what rebuilds them pushes them all again in the same transaction."""
    for table in (MatchExpertDomain, MatchExpert, MatchGig):
        session.execute(sa.delete(table))


def _domain_row(expert: ExpertFacts, domain: str) -> dict[str, Any]:
    return {
        "person_id": expert.person_id,
        "domain": domain,
        "domain_group": domains.group_of(domain),
        "currency": expert.currency,
        "min_rate": expert.min_rate,
    }


def _put(session: Session, table: type[Base], **values: Any) -> None:
    key = sa.inspect(table).primary_key
    session.execute(insert(table).values(values).on_conflict_do_update(index_elements=key, set_=values))
