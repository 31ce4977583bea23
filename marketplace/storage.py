"""Documents: recognised by content, encrypted with a key of their own, every view of one recorded."""

from __future__ import annotations

import hashlib
import logging
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace import clock, crypto, jobs, settings
from marketplace.actor import Actor
from marketplace.db import Base, Key, Public, new_id
from marketplace.errors import Invalid, NotFound, Unavailable
from marketplace.i18n import gettext as _
from marketplace.text import line

LARGEST = 10 * 1024 * 1024
# The first bytes, at the very start: a file that is two things at once begins as only one of them.
KINDS = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}
_NONCE = 12
log = logging.getLogger(__name__)
LOOKED_AT_FROM, LOOKED_AT_UNTIL = timedelta(days=1), timedelta(days=8)


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent: its name and content."""

    name: str
    data: bytes


class Document(Public, Base):
    """What is known of a stored file. `wrapped_key` is its own key, sealed under the master key."""

    __tablename__ = "documents"

    id: Mapped[Key]
    owner_person_id: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[bytes]
    wrapped_key: Mapped[bytes]
    stored_at: Mapped[datetime]
    purged_at: Mapped[datetime | None]


class DocumentView(Base):
    """Somebody opened a document. Append-only; its owner sees it."""

    __tablename__ = "document_views"

    id: Mapped[Key]
    document_id: Mapped[int] = mapped_column(sa.ForeignKey("documents.id"), index=True)
    person_id: Mapped[int]
    at: Mapped[datetime]
    request_id: Mapped[str]


def keep(session: Session, owner_person_id: int, name: str, data: bytes) -> Document:
    """Store `data` (PDF, PNG or JPEG, at most 10 MB) in the running transaction.

    Raises Invalid with a sentence when it is something else, Unavailable when there is no room for it. A file
    whose transaction fails is left unreadable, because its key is gone with the row, and is removed by
    `remove_nameless`.
    """
    media_type = _recognised(data)
    public_id, key = new_id(), AESGCM.generate_key(256)
    _write(path_of(public_id), _encrypt(data, key, public_id))
    document = Document(
        public_id=public_id,
        owner_person_id=owner_person_id,
        name=line(Path(name.replace("\\", "/")).name)[:120] or _("document"),
        media_type=media_type,
        size=len(data),
        sha256=hashlib.sha256(data).digest(),
        wrapped_key=crypto.seal(key, f"documents.{public_id}"),
        stored_at=clock.now(),
    )
    session.add(document)
    session.flush()
    return document


def read(session: Session, actor: Actor, document: Document) -> bytes:
    """The content, for a person who may see it; the view is recorded in the running transaction.

    Raises NotFound when the file was purged or is damaged.
    """
    session.add(
        DocumentView(document_id=document.id, person_id=actor.id, at=clock.now(), request_id=actor.request_id)
    )
    try:
        sealed = path_of(document.public_id).read_bytes()
    except FileNotFoundError:
        raise NotFound(_("This document is no longer kept.")) from None
    data = _opened(document, sealed)
    if data is None or hashlib.sha256(data).digest() != document.sha256:
        raise NotFound(_("This document is damaged. Ask its owner to send it again."))
    return data


@jobs.task("storage.remove_nameless")
def remove_nameless(session: Session) -> None:
    """Remove files that no document names, because what was to name them failed.

    A week of files is looked at, every day: should a process ever run on the wrong database, the documents
    of all the years before are out of its reach.
    """
    now = time.time()  # The clock of the files, which nobody moves.
    for path in sorted(_folder().glob("??/*")):
        # A draft may get its name at this very moment.
        with suppress(FileNotFoundError):
            age = timedelta(seconds=now - path.stat().st_mtime)
            if LOOKED_AT_FROM < age < LOOKED_AT_UNTIL and not _is_named(session, path.stem):
                path.unlink()


jobs.periodic("0 7 3 * * *", "storage.remove_nameless")


def _is_named(session: Session, name: str) -> bool:
    try:
        public_id = uuid.UUID(name)
    except ValueError:
        return False
    return bool(session.scalar(sa.select(sa.exists().where(Document.public_id == public_id))))


def _recognised(data: bytes) -> str:
    if not data:
        raise Invalid(_("The file is empty. Choose another."), field="document")
    if len(data) > LARGEST:
        raise Invalid(_("The file is larger than 10 MB. Send a smaller one."), field="document")
    for start, media_type in KINDS.items():
        if data.startswith(start):
            return media_type
    raise Invalid(_("Send a PDF, PNG or JPEG file."), field="document")


def _encrypt(data: bytes, key: bytes, public_id: uuid.UUID) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, public_id.bytes)


def _opened(document: Document, sealed: bytes) -> bytes | None:
    """The content, or None when it does not open: changed, cut short, or its key was."""
    try:
        key = crypto.open_sealed(document.wrapped_key, f"documents.{document.public_id}")
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], document.public_id.bytes)
    except (InvalidTag, ValueError, crypto.NotSealedHere):
        return None


def path_of(public_id: uuid.UUID) -> Path:
    """Where the encrypted content of a document lies."""
    return _folder() / public_id.hex[-2:] / public_id.hex


def _folder() -> Path:
    return settings.current().data / "documents"


def _write(path: Path, sealed: bytes) -> None:
    """All of it, or nothing: raises Unavailable when the disk takes no more."""
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        log.exception("A document could not be stored")
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise Unavailable(
            _("The file could not be stored, so nothing was saved. Send it again in a few minutes.")
        ) from error
