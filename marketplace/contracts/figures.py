"""What contracts tell of a gig: how many were made an offer."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.models import Offer


def offers_made(session: Session, gig_id: int) -> int:
    """Applicants of the gig (internal id) who were made an offer, each once, whatever came of it."""
    query = sa.select(sa.func.count(Offer.application_id.distinct())).where(Offer.gig_id == gig_id)
    return session.scalar(query) or 0
