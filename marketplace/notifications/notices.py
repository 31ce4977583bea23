"""Telling a person something, and remembering what they have read."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, mail
from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.db import use_case
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.notifications.models import Notification


def notify(
    session: Session,
    person_id: int,
    kind: str,
    title: str,
    body: str,
    path: str,
    by_mail: bool = True,
    unsubscribe: str | None = None,
) -> Notification:
    """Tell a person, in the running transaction: in their list, and by mail unless `by_mail` is False.

    `path` is the page of this site that shows it, `unsubscribe` one that ends such mails.
    Nothing is mailed to an account that is closed.
    """
    person = session.get_one(Person, person_id)
    notification = Notification(
        person_id=person_id, kind=kind, title=title, body=body, path=path, created_at=clock.now()
    )
    session.add(notification)
    if by_mail and person.closed_at is None:
        mail.send(
            session, person.email, "notification", locale=person.locale,
            name=person.full_name, title=title, body=body, path=path, unsubscribe=unsubscribe,
        )  # fmt: skip
    return notification


def told_to(actor: Actor) -> sa.Select[Notification]:
    """What this person was told; to be paged by id."""
    return sa.select(Notification).filter_by(person_id=actor.id)


def unread_count(session: Session, person_id: int) -> int:
    """How many the person has not read."""
    unread = sa.select(sa.func.count()).where(
        Notification.person_id == person_id, Notification.read_at.is_(None)
    )
    return session.scalar(unread) or 0


@use_case
def read(session: Session, actor: Actor, public_id: uuid.UUID) -> Notification:
    """Mark one as read. Raises NotFound when it is not this person's."""
    notification = session.scalars(
        sa.select(Notification).filter_by(public_id=public_id, person_id=actor.id).with_for_update()
    ).first()
    if notification is None:
        raise NotFound(_("There is no such notification."))
    notification.read_at = notification.read_at or clock.now()
    return notification


@use_case
def read_all(session: Session, actor: Actor) -> None:
    """Mark all of this person's as read."""
    session.execute(
        sa.update(Notification)
        .where(Notification.person_id == actor.id, Notification.read_at.is_(None))
        .values(read_at=clock.now())
    )


def read_about(session: Session, person_id: int, path: str) -> None:
    """Mark as read what the person (internal id) was told of a page, in the running transaction."""
    session.execute(
        sa.update(Notification)
        .where(Notification.person_id == person_id, Notification.read_at.is_(None), Notification.path == path)
        .values(read_at=clock.now())
    )
