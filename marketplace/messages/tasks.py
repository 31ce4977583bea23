"""What happens by itself with messages."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.messages import notices


@jobs.task(notices.TELL)
def tell_announcement(session: Session, message: int, people: list[int]) -> None:
    """Tell those to whom an announcement went."""
    notices.tell_announcement(session, message, people)
