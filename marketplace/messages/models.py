"""Threads of messages. What was written, sent along or read is never changed and never removed."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.actor import CLIENT, Actor, Role
from marketplace.db import Base, Key, Public, Word
from marketplace.messages.kinds import Side, kinds
from marketplace.storage import Document


class Thread(Base):
    """All messages about one subject. The sides are those of the subject; `last_at` is the newest message's.

    Without a `person_id` it holds announcements, which each expert sees who was addressed.
    """

    __tablename__ = "threads"

    id: Mapped[Key]
    subject_kind: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"))
    last_at: Mapped[datetime]

    __table_args__ = (
        sa.UniqueConstraint("subject_kind", "subject_id"),
        sa.Index(None, "person_id", "last_at", "id"),
        sa.Index(None, "organization_id", "last_at", "id"),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Those in which the actor takes part: not all that an operator may read."""
        mine = [sa.select(cls.id).where(side) for side in cls.sides(actor)]
        return cls.id.in_(sa.union_all(*mine, _addressed(actor)))

    @classmethod
    def sides(cls, actor: Actor) -> list[sa.ColumnElement[bool]]:
        """The threads of which the actor is on one side, each by an index of its own."""
        shared = [word for word, kind in kinds.items() if kind.operators_write and actor.has(Role.OPERATOR)]
        return [
            cls.person_id == actor.id,
            cls.organization_id.in_(actor.organizations(*CLIENT)),
            cls.subject_kind.in_(shared),
        ]


class Message(Public, Base):
    """What somebody wrote, and from which side. `key` is the form's own, so that it is sent only once."""

    __tablename__ = "messages"

    id: Mapped[Key]
    thread_id: Mapped[int] = mapped_column(sa.ForeignKey("threads.id"))
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    side: Mapped[Side] = mapped_column(Word(Side))
    text: Mapped[str]
    key: Mapped[uuid.UUID]
    sent_at: Mapped[datetime]

    thread: Mapped[Thread] = relationship()
    author: Mapped[Person] = relationship()
    attachments: Mapped[list[Attachment]] = relationship(order_by="Attachment.id", back_populates="message")

    __table_args__ = (
        sa.UniqueConstraint("author_id", "key"),
        sa.UniqueConstraint("thread_id", "id"),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """With its thread joined: all where the actor is on one side, and announcements that went to them."""
        addressed = sa.select(Addressee.message_id).where(Addressee.person_id == actor.id)
        return sa.or_(*Thread.sides(actor), cls.id.in_(addressed))


class Attachment(Public, Base):
    """A file sent along with a message."""

    __tablename__ = "message_attachments"

    id: Mapped[Key]
    message_id: Mapped[int] = mapped_column(sa.ForeignKey("messages.id"), index=True)
    document_id: Mapped[int] = mapped_column(sa.ForeignKey("documents.id"), unique=True)

    message: Mapped[Message] = relationship(back_populates="attachments")
    document: Mapped[Document] = relationship()


class Addressee(Base):
    """Somebody to whom an announcement went."""

    __tablename__ = "addressees"

    message_id: Mapped[int] = mapped_column(sa.ForeignKey("messages.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)

    __table_args__ = (sa.Index(None, "person_id", "message_id"),)


class ReadMark(Base):
    """Somebody opened the thread when `message_id` was the newest that others had written there."""

    __tablename__ = "read_marks"

    thread_id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)
    message_id: Mapped[int] = mapped_column(primary_key=True)
    side: Mapped[Side] = mapped_column(Word(Side))
    at: Mapped[datetime]

    person: Mapped[Person] = relationship()

    __table_args__ = (
        sa.ForeignKeyConstraint(["thread_id", "message_id"], ["messages.thread_id", "messages.id"]),
    )


class UnreadThread(Base):
    """A thread that somebody has to read, from `from_id` on. It goes when they do; a notice came with it."""

    __tablename__ = "unread_threads"

    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)
    thread_id: Mapped[int] = mapped_column(primary_key=True)
    from_id: Mapped[int]

    __table_args__ = (
        sa.ForeignKeyConstraint(["thread_id", "from_id"], ["messages.thread_id", "messages.id"]),
    )


def _addressed(actor: Actor) -> sa.Select[int]:
    """The threads with announcements that went to the actor."""
    query = sa.select(Message.thread_id).join(Addressee, Addressee.message_id == Message.id)
    return query.where(Addressee.person_id == actor.id)
