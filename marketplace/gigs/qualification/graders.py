"""Who grades the test of a gig, as far as gigs must know: nobody judges those with whom they compete."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.gigs.models import Gig
from marketplace.i18n import gettext as _

# Who (internal ids) grades a test (internal id) and works for its client now. Filled by the slice above.
working: list[Callable[[Session, int], Iterable[int]]] = []


# Which tests (internal ids) somebody (internal id) grades, working for their client now. Filled likewise.
graded: list[Callable[[Session, int], Iterable[int]]] = []


def graders_of(session: Session, gig: Gig) -> set[int]:
    """Who (internal ids) grades the test of the gig now; nobody when it asks for none."""
    if gig.test_id is None:
        return set()
    return {person_id for who in working for person_id in who(session, gig.test_id)}


def gigs_with_their_test(session: Session, person_id: int) -> frozenset[int]:
    """Internal ids of the gigs whose test this person (internal id) grades, for which they cannot apply."""
    tests = {test_id for which in graded for test_id in which(session, person_id)}
    if not tests:
        return frozenset()
    return frozenset(session.scalars(sa.select(Gig.id).where(Gig.test_id.in_(tests))))


def conflict(session: Session, gig: Gig, person_id: int) -> str:
    """Why this person (internal id) cannot be a candidate for the gig; '' when they do not grade its test."""
    if person_id not in graders_of(session, gig):
        return ""
    return _(
        "You grade the test of this gig, so you cannot apply for it: nobody judges those with whom they "
        "compete. Ask the client to choose somebody else to grade, then apply."
    )
