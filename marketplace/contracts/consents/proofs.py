"""What must hold of consent to the use of the work."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.contracts.models import TimeEntry
from marketplace.proof import Drift


def silence_is_no_consent(session: Session) -> Iterator[Drift]:
    """No time counts that was worked after the last day to answer about another use, while nobody has."""
    late = sa.and_(
        TimeEntry.contract_id == Consent.contract_id,
        TimeEntry.ended_at > Consent.answer_by,
        TimeEntry.removed_at.is_(None),
    )
    query = sa.select(TimeEntry.public_id, Consent.answer_by).join(Consent, late)
    for entry, answer_by in session.execute(query.where(Consent.state == ConsentState.WAITING)):
        yield Drift(f"time entry {entry}", f"ended by {answer_by:%Y-%m-%d %H:%M} UTC", "later")
