"""Whose gig it is."""

from __future__ import annotations

import uuid

from marketplace.actor import Role
from marketplace.gigs import find
from marketplace.gigs.models import Gig
from marketplace.web import actor, db_session


def own_gig(gig_id: uuid.UUID) -> Gig:
    """The gig, when the reader is one of its client's people."""
    return find.own_gig(db_session(), actor(), gig_id)


def may_write(gig: Gig) -> bool:
    """May the reader change it?"""
    return actor().has(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
