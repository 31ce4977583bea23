"""What must hold of gigs."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.gigs.models import Application, Gig
from marketplace.gigs.states import ApplicationState
from marketplace.proof import Drift, Proof


def no_seat_given_twice(session: Session) -> Iterator[Drift]:
    """No gig has more people than its headcount."""
    hired = sa.func.count(Application.id)
    rows = session.execute(
        sa.select(Gig.public_id, Gig.headcount, hired)
        .join(Application, Application.gig_id == Gig.id)
        .where(Application.state == ApplicationState.HIRED)
        .group_by(Gig.id)
        .having(hired > sa.func.coalesce(Gig.headcount, 0))
    )
    for gig, headcount, count in rows:
        yield Drift(f"gig {gig} people", f"at most {headcount}", str(count))


PROOFS = [Proof("G1", "No gig has more people than places", no_seat_given_twice)]
