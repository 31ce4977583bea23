"""What the pages of messages show, to those who take part."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import storage
from marketplace.actor import Actor
from marketplace.db import use_case
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.messages import threads
from marketplace.messages.kinds import Parties, Side, Subject, kinds
from marketplace.messages.models import Addressee, Attachment, Message, ReadMark, Thread
from marketplace.messages.reading import new_messages
from marketplace.messages.threads import Standing
from marketplace.messages.words import name, who
from marketplace.storage import Document


@dataclass(frozen=True)
class Row:
    """A thread in the list: what it is about, the newest message that the reader may see, what is new."""

    thread: Thread
    word: str
    subject: Subject
    other: str
    last: Message
    by: str
    new: int

    @property
    def path(self) -> str:
        """Its page, at the newest message."""
        return threads.path_of(self.thread.subject_kind, self.thread.subject_id)


@dataclass(frozen=True)
class Letter:
    """A message on its page. `heard` says of an announcement how many have read it, of how many."""

    message: Message
    by: str
    mine: bool
    new: bool
    heard: tuple[int, int] | None


@dataclass(frozen=True)
class ReadBy:
    """Those on the other side who have read a message, and when they first did."""

    message_id: int
    people: list[tuple[str, datetime]]


def threads_of(actor: Actor) -> sa.Select[Thread]:
    """All in which the actor takes part; to be paged by the time of the newest message."""
    return sa.select(Thread).where(Thread.visible_to(actor))


def rows(session: Session, actor: Actor, found: Iterable[Thread]) -> list[Row]:
    """The threads as the actor sees them, in the same order."""
    listed = list(found)
    described, new = _described(session, actor, listed), _new(session, actor, listed)
    last = _last_messages(session, actor, listed)
    return [
        _row(actor, each, described[each.id], last[each.id], new.get(each.subject_id, 0)) for each in listed
    ]


def subject_of(session: Session, standing: Standing) -> Subject:
    """What the thread is about, as this side sees it."""
    return kinds[standing.kind].describe(session, standing.side, [standing.subject_id])[standing.subject_id]


def messages(standing: Standing) -> sa.Select[Message]:
    """What the person may read of the thread."""
    return (
        sa.select(Message)
        .where(standing.seen)
        .options(
            joinedload(Message.author), selectinload(Message.attachments).joinedload(Attachment.document)
        )
    )


def letters(
    session: Session, standing: Standing, subject: Subject, found: Iterable[Message], read_before: int | None
) -> list[Letter]:
    """Messages for the page, the oldest first. `read_before` is the newest that the reader knows."""
    shown = sorted(found, key=lambda each: each.id)
    heard = _heard(session, standing, shown)
    return [_letter(standing, subject, each, read_before, heard.get(each.id)) for each in shown]


def read_by(session: Session, standing: Standing, subject: Subject) -> ReadBy | None:
    """The newest of the reader's own messages that somebody on another side has read, and who has."""
    if standing.announces:
        return None
    others = sa.select(ReadMark).where(
        ReadMark.thread_id == standing.thread_id, ReadMark.side != standing.side
    )
    newest = session.scalar(
        sa.select(sa.func.max(Message.id)).where(
            Message.thread_id == standing.thread_id,
            Message.author_id == standing.person_id,
            Message.id <= others.with_only_columns(sa.func.max(ReadMark.message_id)).scalar_subquery(),
        )
    )
    if newest is None:
        return None
    marks = session.scalars(
        others.where(ReadMark.message_id >= newest)
        .options(joinedload(ReadMark.person))
        .order_by(ReadMark.person_id, ReadMark.at)
    )
    first = {mark.person_id: mark for mark in reversed(marks.all())}
    people = [(name(mark.person, mark.side, subject), mark.at) for mark in first.values()]
    return ReadBy(newest, sorted(people, key=lambda each: each[1]))


def audience_size(session: Session, standing: Standing) -> int | None:
    """How many an announcement would go to now; None where nobody announces."""
    announce_to = kinds[standing.kind].audience
    if announce_to is None or not standing.may_write:
        return None
    return len(set(announce_to(session, standing.subject_id)) - {standing.person_id})


def links(session: Session, actor: Actor, kind: str, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Which of these subjects' threads the actor may open, and how many messages are new in each."""
    parties = kinds[kind].parties(session, actor, ids)
    mine = {each for each in parties if threads.side_of(parties[each], actor)}
    if kinds[kind].audience is not None:
        heard = threads_of(actor).where(Thread.subject_kind == kind, Thread.subject_id.in_(ids))
        mine |= {each.subject_id for each in session.scalars(heard)}
    new = new_messages(session, actor, kind, list(mine)) if mine else {}
    return {each: new.get(each, 0) for each in mine}


@use_case
def open_attachment(session: Session, actor: Actor, public_id: uuid.UUID) -> tuple[Document, bytes]:
    """A file for somebody who may read its message; the view is recorded. Raises NotFound for others."""
    query = sa.select(Attachment).filter_by(public_id=public_id)
    found = session.scalars(query.options(joinedload(Attachment.message).joinedload(Message.thread))).first()
    if found is None:
        raise NotFound(_("There is no such file, or it is not yours to see."))
    thread = found.message.thread
    standing = threads.stand(session, actor, thread.subject_kind, thread.subject_id)
    if not session.scalar(sa.select(sa.exists().where(Message.id == found.message_id, standing.seen))):
        raise NotFound(_("There is no such file, or it is not yours to see."))
    return found.document, storage.read(session, actor, found.document)


def _described(session: Session, actor: Actor, listed: Sequence[Thread]) -> dict[int, tuple[Side, Subject]]:
    asked: dict[tuple[str, Side], list[Thread]] = defaultdict(list)
    for each in listed:
        side = threads.side_of(Parties(each.person_id, each.organization_id), actor) or Side.EXPERT
        asked[each.subject_kind, side].append(each)
    return {
        each.id: (side, subjects[each.subject_id])
        for (kind, side), those in asked.items()
        for subjects in [kinds[kind].describe(session, side, [each.subject_id for each in those])]
        for each in those
    }


def _new(session: Session, actor: Actor, listed: Sequence[Thread]) -> dict[uuid.UUID, int]:
    asked: dict[str, list[uuid.UUID]] = defaultdict(list)
    for each in listed:
        asked[each.subject_kind].append(each.subject_id)
    found: dict[uuid.UUID, int] = {}
    for kind, ids in asked.items():
        found |= new_messages(session, actor, kind, ids)
    return found


def _last_messages(session: Session, actor: Actor, listed: Sequence[Thread]) -> dict[int, Message]:
    last = (
        sa.select(sa.func.max(Message.id))
        .where(Message.thread_id == Thread.id, Message.visible_to(actor))
        .correlate(Thread)
        .scalar_subquery()
    )
    ids = session.scalars(sa.select(last).select_from(Thread).where(Thread.id.in_([e.id for e in listed])))
    query = sa.select(Message).where(Message.id.in_(ids.all())).options(joinedload(Message.author))
    return {each.thread_id: each for each in session.scalars(query)}


def _row(actor: Actor, thread: Thread, seen: tuple[Side, Subject], last: Message, new: int) -> Row:
    side, subject = seen
    by = _("You") if last.author_id == actor.id else who(last.author, last.side, subject)
    other = subject.expert if side is Side.CLIENT else subject.client
    return Row(thread, kinds[thread.subject_kind].word, subject, other, last, by, new)


def _letter(
    standing: Standing,
    subject: Subject,
    message: Message,
    read_before: int | None,
    heard: tuple[int, int] | None,
) -> Letter:
    mine = message.author_id == standing.person_id
    return Letter(
        message=message,
        by=_("You") if mine else who(message.author, message.side, subject),
        mine=mine,
        new=not mine and read_before is not None and message.id > read_before,
        heard=heard,
    )


def _heard(session: Session, standing: Standing, shown: Sequence[Message]) -> dict[int, tuple[int, int]]:
    """How many have read each announcement, for the side that made it."""
    if not standing.announces or standing.addressed or not shown:
        return {}
    has_read = sa.exists().where(
        ReadMark.thread_id == standing.thread_id,
        ReadMark.person_id == Addressee.person_id,
        ReadMark.message_id >= Addressee.message_id,
    )
    query = (
        sa.select(Addressee.message_id, sa.func.count().filter(has_read), sa.func.count())
        .where(Addressee.message_id.in_([each.id for each in shown]))
        .group_by(Addressee.message_id)
    )
    return {message_id: (read, of) for message_id, read, of in session.execute(query)}
