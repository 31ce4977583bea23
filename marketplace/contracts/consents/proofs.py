"""What must hold of consent to the use of the work."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.consents.models import Consent
from marketplace.contracts.consents.queries import is_silent, silent_in
from marketplace.contracts.models import TimeEntry
from marketplace.proof import Drift


def silence_is_no_consent(session: Session) -> Iterator[Drift]:
    """No time counts that was worked after the last day to answer about another use, while nobody had."""
    worked = sa.and_(TimeEntry.contract_id == Consent.contract_id, TimeEntry.removed_at.is_(None))
    query = (
        sa.select(TimeEntry.public_id, Consent.answer_by)
        .join(Consent, worked)
        .where(TimeEntry.ended_at.is_not(None), is_silent())
        .where(silent_in(TimeEntry.started_at, TimeEntry.ended_at))
    )
    for entry, answer_by in session.execute(query):
        yield Drift(f"time entry {entry}", f"ended by {answer_by:%Y-%m-%d %H:%M} UTC", "later")
