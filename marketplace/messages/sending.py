"""Writing a message: once, with what is sent along, to everybody whom it concerns."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, storage
from marketplace.accounts import limits
from marketplace.actor import Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.messages import notices, threads
from marketplace.messages.kinds import kinds
from marketplace.messages.models import Addressee, Attachment, Message, Thread
from marketplace.messages.threads import Standing
from marketplace.storage import Upload
from marketplace.text import paragraph

# Characters of a message, and files with it.
LONGEST, MOST_FILES = 5_000, 5


def send(
    session: Session,
    actor: Actor,
    kind: str,
    subject_id: uuid.UUID,
    key: uuid.UUID,
    text: str,
    files: Sequence[Upload] = (),
) -> Message:
    """Write to the other side of a subject, or announce; under the same `key` again it is the one before.

    Raises NotFound for strangers and NotAllowed for who only reads; Invalid, naming the input, for an empty
    or too long text and for files that are not taken; Refused when nobody would read it; TooMany after many.
    """
    limits.spend(session, limits.MESSAGES, str(actor.id))
    return _send(session, actor, kind, subject_id, key, text, files)


@use_case
def _send(
    session: Session,
    actor: Actor,
    kind: str,
    subject_id: uuid.UUID,
    key: uuid.UUID,
    text: str,
    files: Sequence[Upload],
) -> Message:
    standing = threads.writing(session, actor, kind, subject_id)
    kept = _said(text)
    _check_number(files)
    thread = threads.hold(session, standing)
    if earlier := session.scalars(sa.select(Message).filter_by(author_id=actor.id, key=key)).first():
        return earlier
    message = _written(session, standing, thread, key, kept)
    audience = _address(session, standing, message)
    _attach(session, actor, message, files)
    audit.record(session, actor, "send", "message", message.public_id, about=kind, subject=subject_id)
    notices.tell(session, standing, thread, message, audience)
    return message


def _said(text: str) -> str:
    kept = paragraph(text)
    if not kept:
        raise Invalid(_("Write a few words first: an empty message says nothing."), field="text")
    if len(kept) > LONGEST:
        raise Invalid(
            ngettext(
                "Shorten it by %(n)s character.", "Shorten it by %(n)s characters.", len(kept) - LONGEST
            ),
            field="text",
        )
    return kept


def _check_number(files: Sequence[Upload]) -> None:
    if len(files) > MOST_FILES:
        raise Invalid(
            _("Send %(most)s files at most, and the others with another message.", most=MOST_FILES),
            field="files",
        )


def _written(session: Session, standing: Standing, thread: Thread, key: uuid.UUID, text: str) -> Message:
    now = clock.now()
    message = Message(
        thread=thread, author_id=standing.person_id, side=standing.side, text=text, key=key, sent_at=now
    )
    session.add(message)
    thread.last_at = max(thread.last_at, now)
    session.flush()
    return message


def _address(session: Session, standing: Standing, message: Message) -> Sequence[int]:
    """To whom an announcement goes; nobody for any other message, which is for both sides."""
    announce_to = kinds[standing.kind].audience
    if announce_to is None:
        return ()
    people = [each for each in announce_to(session, standing.subject_id) if each != standing.person_id]
    if not people:
        raise Refused(_("Nobody works on it at the moment, so nobody would read this. Nothing was sent."))
    rows = [{"message_id": message.id, "person_id": person_id} for person_id in people]
    session.execute(sa.insert(Addressee), rows)
    return people


def _attach(session: Session, actor: Actor, message: Message, files: Sequence[Upload]) -> None:
    for file in files:
        try:
            document = storage.keep(session, actor.id, file.name, file.data)
        except Invalid as refusal:
            # Of several files it must be said which one is meant.
            said = _("%(name)s: %(sentence)s", name=file.name, sentence=refusal.sentence)
            raise Invalid(said, field="files") from refusal
        session.add(Attachment(message=message, document=document))
