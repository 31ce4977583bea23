"""Whose gig it is."""

from __future__ import annotations

import uuid

from marketplace.actor import CLIENT, Role
from marketplace.gigs import find
from marketplace.gigs.models import Gig
from marketplace.web import actor, db_session


def own_gig(gig_id: uuid.UUID) -> Gig:
    """The gig, for its client's own people: an expert who may see it as an expert may not manage it."""
    gig = find.gig(db_session(), actor(), gig_id)
    actor().require(*CLIENT, organization_id=gig.project.organization_id)
    return gig


def may_write(gig: Gig) -> bool:
    """May the reader change it?"""
    return actor().has(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
