"""Notifications: one's own, counted, read, and mailed."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.errors import NotFound
from marketplace.mail import OutboxMail
from marketplace.notifications import notices, notify, unread_count
from marketplace.notifications.models import Notification
from tests.cast import Cast


def told(session: Session, person_id: int, path: str = "/decisions", **how: bool) -> Notification:
    return notify(session, person_id, "statement", "A decision", "It was made today.", path, **how)


def test_it_is_listed_counted_and_mailed_with_its_page(session: Session, cast: Cast) -> None:
    notification = told(session, cast.ana.id)
    assert session.scalars(notices.told_to(cast.ana)).all() == [notification]
    assert unread_count(session, cast.ana.id) == 1
    mail = session.scalars(sa.select(OutboxMail)).one()
    assert (mail.subject, mail.to_address) == ("A decision", cast.person(cast.ana).email)
    assert "/decisions" in mail.text


def test_it_can_be_told_without_mail_and_a_closed_account_gets_none(session: Session, cast: Cast) -> None:
    told(session, cast.ana.id, by_mail=False)
    cast.person(cast.ben).closed_at = clock.now()
    told(session, cast.ben.id)
    assert session.scalars(sa.select(OutboxMail)).all() == []


def test_reading_one_or_all_is_remembered(session: Session, cast: Cast) -> None:
    first, _second = told(session, cast.ana.id), told(session, cast.ana.id)
    session.commit()
    assert notices.read(session, cast.ana, first.public_id).read_at is not None
    assert unread_count(session, cast.ana.id) == 1
    notices.read_all(session, cast.ana)
    assert unread_count(session, cast.ana.id) == 0


def test_nobody_sees_or_reads_those_of_somebody_else(session: Session, cast: Cast) -> None:
    notification = told(session, cast.ana.id)
    session.commit()
    assert session.scalars(notices.told_to(cast.zed)).all() == []
    for unknown in (notification.public_id, uuid.uuid4()):
        with pytest.raises(NotFound):
            notices.read(session, cast.zed, unknown)
    notices.read_all(session, cast.zed)
    assert unread_count(session, cast.ana.id) == 1


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "decisions", ""]
)
def test_a_path_leads_to_a_page_of_this_site(session: Session, cast: Cast, path: str) -> None:
    ana = cast.ana.id
    told(session, ana, path, by_mail=False)
    with pytest.raises(IntegrityError, match="ck_notifications_path"):
        session.flush()
