"""Who hears of a message: each once, until they have read the thread."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.accounts.models import RoleGrant
from marketplace.actor import Role
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.messages.kinds import Side, Subject, kinds
from marketplace.messages.models import Message, Thread, UnreadThread
from marketplace.messages.threads import Standing, path_of
from marketplace.messages.words import who
from marketplace.notifications import telling

TELL = "messages.tell_announcement"
WRITTEN, ANNOUNCED = "message.written", "message.announced"


def tell(
    session: Session, standing: Standing, thread: Thread, message: Message, audience: Sequence[int]
) -> None:
    """Let those whom a message concerns find it unread. Who has read all before is told of it."""
    if standing.announces:
        newly = _make_unread(session, thread, message, audience)
        if newly:
            # It may go to a thousand people; whoever announces does not wait for their mails.
            jobs.defer(session, TELL, message=message.id, people=newly)
        return
    for side, people in _concerned(session, thread).items():
        newly = _make_unread(session, thread, message, [each for each in people if each != message.author_id])
        _tell(session, message, side, newly)


@use_case
def tell_announcement(session: Session, message_id: int, people: Sequence[int]) -> None:
    """Tell these people (internal ids) of an announcement."""
    _tell(session, session.get_one(Message, message_id), Side.EXPERT, people)


def _tell(session: Session, message: Message, side: Side, people: Sequence[int]) -> None:
    thread = message.thread
    announced = kinds[thread.subject_kind].audience is not None
    path = path_of(thread.subject_kind, thread.subject_id)

    def say() -> tuple[str, str]:
        described = kinds[thread.subject_kind].describe(session, side, [thread.subject_id])
        return _words(message, described[thread.subject_id], announced)

    for person_id in people:
        telling.tell(session, person_id, ANNOUNCED if announced else WRITTEN, path, say)


def _words(message: Message, subject: Subject, announced: bool) -> tuple[str, str]:
    writer = who(message.author, message.side, subject)
    if announced:
        return (
            _("An announcement for %(subject)s", subject=subject.title),
            _("%(who)s wrote to everybody who works on it.", who=writer),
        )
    return (
        _("A message about %(subject)s", subject=subject.title),
        _("%(who)s wrote to you. Until you have read it, you are told of no further one.", who=writer),
    )


def _make_unread(session: Session, thread: Thread, message: Message, people: Sequence[int]) -> list[int]:
    """Those of them who had nothing unread in the thread before."""
    if not people:
        return []
    rows = [{"person_id": each, "thread_id": thread.id, "from_id": message.id} for each in people]
    added = insert(UnreadThread).values(rows).on_conflict_do_nothing().returning(UnreadThread.person_id)
    return list(session.scalars(added))


def _concerned(session: Session, thread: Thread) -> dict[Side, list[int]]:
    """By side: the expert; at the client who holds the roles for it, or has written here; of the operators
    those who have written here."""
    told = telling.people_with(session, thread.organization_id, *kinds[thread.subject_kind].told)
    wrote = _who_wrote(session, thread, RoleGrant.organization_id == thread.organization_id)
    return {
        Side.EXPERT: [] if thread.person_id is None else [thread.person_id],
        Side.CLIENT: sorted({*told, *wrote} - {thread.person_id}),
        Side.OPERATOR: _who_wrote(session, thread, RoleGrant.role == Role.OPERATOR),
    }


def _who_wrote(session: Session, thread: Thread, acting: sa.ColumnElement[bool]) -> list[int]:
    """Who has written here and still holds a role of this sort."""
    query = (
        sa.select(Message.author_id)
        .join(RoleGrant, RoleGrant.person_id == Message.author_id)
        .where(Message.thread_id == thread.id, RoleGrant.ended_at.is_(None), acting)
    )
    return list(session.scalars(query.distinct()))
