"""Whose gig it is."""

from __future__ import annotations

import uuid

from flask import request

from marketplace.accounts import queries as people
from marketplace.accounts.models import Organization
from marketplace.actor import Role
from marketplace.errors import NotFound
from marketplace.gigs import find
from marketplace.gigs.models import Gig
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session


def own_gig(gig_id: uuid.UUID) -> Gig:
    """The gig, when the reader is one of its client's people."""
    return find.own_gig(db_session(), actor(), gig_id)


def chosen_company() -> tuple[list[Organization], uuid.UUID]:
    """The companies that the reader administers, and the public id of the one for which something is made:
    the one that was asked for, or the first. Raises NotFound for none of theirs."""
    mine = list(people.administered(db_session(), actor()))
    asked = request.values.get("organization")
    chosen = next((each.public_id for each in mine if asked in (None, str(each.public_id))), None)
    if chosen is None:
        raise NotFound(_("There is no such company, or it is not yours."))
    return mine, chosen


def may_write(gig: Gig) -> bool:
    """May the reader change it?"""
    return actor().has(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
