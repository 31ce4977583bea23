"""Who has passed the test that a gig asks for. A pass counts for every gig that asks for the same test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts import limits
from marketplace.credentials.gate import Requirement
from marketplace.errors import Refused
from marketplace.gigs.models import Gig
from marketplace.i18n import gettext as _

# What somebody could do is no news for ever; and who did not pass may try again after a while.
COUNTS_FOR = timedelta(days=365)
AGAIN_AFTER = timedelta(days=90)

PASSED = sa.text("""
    SELECT DISTINCT person_id, requirements FROM sittings
    WHERE test_id = :test AND person_id = ANY (:people) AND state = 'passed' AND graded_at > :since
""").columns(person_id=sa.BigInteger, requirements=JSONB)


def require(session: Session, gig: Gig, person_id: int) -> None:
    """Raise Refused unless the person (internal id) has passed what the gig asks for, if anything."""
    if gig.test_id is not None and person_id not in passed(session, gig, [person_id]):
        raise Refused(
            _(
                "This gig asks for a paid test, which this expert has not passed yet. Ask them to take it; "
                "the offer can be made once it is graded."
            )
        )


def passed(session: Session, gig: Gig, people: Sequence[int]) -> set[int]:
    """Of these people (internal ids), those whose pass counts for the gig."""
    asked = limits.requirements(gig)
    values = {"test": gig.test_id, "people": list(people), "since": clock.now() - COUNTS_FOR}
    return {
        row.person_id
        for row in session.execute(PASSED, values)
        if covers([Requirement(**each) for each in row.requirements], asked)
    }


def covers(held: Iterable[Requirement], asked: Iterable[Requirement]) -> bool:
    """Did whoever graded have to hold at least all of what is asked for now?"""
    had = list(held)
    return all(any(_meets(each, needed) for each in had) for needed in asked)


def as_kept(requirements: Iterable[Requirement]) -> list[dict[str, object]]:
    """The requirements as a sitting keeps them."""
    return [asdict(each) for each in requirements]


def _meets(held: Requirement, needed: Requirement) -> bool:
    return (
        held.type == needed.type
        and needed.jurisdiction in (None, held.jurisdiction)
        and held.level >= needed.level
    )
