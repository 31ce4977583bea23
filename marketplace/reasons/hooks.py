"""What an upheld appeal undoes: said here by the slice that owns the subject, which reasons need not know."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from sqlalchemy.orm import Session

from marketplace.actor import Actor

OnUpheld = Callable[[Session, Actor, uuid.UUID], None]

on_upheld: dict[str, OnUpheld] = {}
"""By subject kind: called as `undo(session, actor, subject_id)` in the transaction that upholds the appeal.

`actor` is who upheld it, or the site when the time to decide ran out. It may be called for a subject that
has moved on; then it does nothing. Every kind has one: `nothing` where what was decided cannot be undone.
"""

elsewhere: dict[str, Callable[[uuid.UUID], str]] = {}
"""By subject kind: the page on which a decision is answered, in place of an appeal."""

barred: dict[str, Callable[[Session, Actor, uuid.UUID], bool]] = {}
"""By subject kind: is this operator a side of that subject, so that they decide no appeal about it?"""


def nothing(session: Session, actor: Actor, subject_id: uuid.UUID) -> None:
    """The decision was wrong, and the person has that in writing; what it ended does not begin again."""
