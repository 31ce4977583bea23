"""Mail: written in the same transaction as what it tells of, sent by the worker, at least once."""

from __future__ import annotations

import smtplib
import uuid
from datetime import datetime
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Mapped, Session

from marketplace import clock, i18n, jobs, settings
from marketplace.db import Base, Key, Public, use_case
from marketplace.text import line

TEMPLATES = Path(__file__).parent.parent / "templates" / "mail"
TIMEOUT_SECONDS = 20


class OutboxMail(Public, Base):
    """A mail that waits, or was sent. Plain text: readable everywhere, and nothing to disguise a link."""

    __tablename__ = "outbox_mails"

    id: Mapped[Key]
    to_address: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    queued_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    tries: Mapped[int]
    error: Mapped[str | None]


def send(session: Session, to: str, template: str, *, locale: str = "en_US", **values: object) -> OutboxMail:
    """Queue `templates/mail/<template>.txt`, whose first line is the subject, in the reader's language."""
    with i18n.reading(locale):
        subject, _, text = (
            _environment().get_template(f"{template}.txt").render(**_always(), **values).partition("\n")
        )
    mail = OutboxMail(
        to_address=line(to), subject=line(subject), text=text.strip() + "\n", queued_at=clock.now(), tries=0
    )
    session.add(mail)
    session.flush()
    if settings.current().smtp_url:
        jobs.defer(session, "mail.deliver", mail=str(mail.public_id))
    return mail


@jobs.task("mail.deliver")
def deliver(session: Session, mail: str) -> None:
    """Hand one mail to the SMTP server. Raises when that fails, so that the worker tries again later."""
    waiting = session.scalars(
        sa.select(OutboxMail).filter_by(public_id=uuid.UUID(mail), sent_at=None)
    ).first()
    if waiting is None:
        return
    problem = _hand_over(waiting)
    _note(session, waiting.id, problem)
    if problem:
        raise RuntimeError(problem)


@use_case
def _note(session: Session, mail_id: int, problem: str | None) -> None:
    mail = session.get_one(OutboxMail, mail_id, with_for_update=True)
    mail.tries += 1
    mail.error = problem
    mail.sent_at = None if problem else clock.now()


def _hand_over(mail: OutboxMail) -> str | None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        settings.current().mail_from,
        mail.to_address,
        mail.subject,
    )
    message["Message-ID"] = f"<{mail.public_id}@{urlsplit(settings.current().base_url).hostname}>"
    message.set_content(mail.text)
    try:
        with _server() as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _server() -> smtplib.SMTP:
    url = urlsplit(settings.current().smtp_url or "")
    kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    server = kind(url.hostname or "localhost", url.port or 0, timeout=TIMEOUT_SECONDS)
    if url.username:
        if url.scheme == "smtp":
            server.starttls()
        server.login(url.username, url.password or "")
    return server


def _always() -> dict[str, object]:
    return {"site": settings.current().operator_name, "base_url": settings.current().base_url}


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (plain text: escaping HTML would spoil names)
    )
    made.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(day=i18n.day, moment=i18n.moment)
    return made
