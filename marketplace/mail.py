"""Mail: written in the same transaction as what it tells of, sent by the worker, at least once."""

from __future__ import annotations

import base64
import logging
import smtplib
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace import clock, crypto, i18n, jobs, settings
from marketplace.db import Base, Key, Public, use_case
from marketplace.text import line

TEMPLATES = Path(__file__).parent.parent / "templates" / "mail"
TIMEOUT_SECONDS = 20
# The job of a mail gives up after a day; from then on it is tried again every hour, for some days.
TRIES_OF_ITS_JOB, JOB_LASTS = 10, timedelta(days=1, hours=12)
GIVEN_UP_AFTER = timedelta(days=4)
AT_ONCE = 100
SEALED = "sealed:"

log = logging.getLogger(__name__)


class SealedText(sa.TypeDecorator[str]):
    """Text that is encrypted on its way into the database; what is blank, or was written before, stays."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        if not value:
            return value
        return SEALED + base64.b64encode(crypto.seal(value.encode(), "outbox_mails.text")).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        if value is None or not value.startswith(SEALED):
            return value
        return crypto.open_sealed(base64.b64decode(value[len(SEALED) :]), "outbox_mails.text").decode()


class OutboxMail(Public, Base):
    """A mail that waits, or was sent. Plain text: readable everywhere, and nothing to disguise a link.

    A text may hold a link that signs in. So it is sealed while it waits, and blank once it was sent or given
    up; only the demonstration, which shows its outbox, keeps it.
    """

    __tablename__ = "outbox_mails"

    id: Mapped[Key]
    to_address: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str] = mapped_column(SealedText())
    queued_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    tries: Mapped[int]
    error: Mapped[str | None]
    unsubscribe: Mapped[str | None]


def send(
    session: Session,
    to: str,
    template: str,
    *,
    locale: str = "en_US",
    unsubscribe: str | None = None,
    **values: object,
) -> OutboxMail:
    """Queue `templates/mail/<template>.txt`, whose first line is the subject, in the reader's language.

    `unsubscribe` is a path of the site that ends mails of this kind, by a POST alone (RFC 8058).
    """
    values["unsubscribe"] = unsubscribe
    with i18n.reading(locale):
        subject, _, text = (
            _environment().get_template(f"{template}.txt").render(**_always(), **values).partition("\n")
        )
    mail = OutboxMail(
        to_address=line(to), subject=line(subject), text=text.strip() + "\n", queued_at=clock.now(), tries=0,
        unsubscribe=unsubscribe,
    )  # fmt: skip
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
        # What the server said may name the address; it is kept with the mail, and not in the log.
        raise RuntimeError(f"mail {mail} was not taken: {problem.partition(':')[0]}")


@jobs.task("mail.deliver_left")
def deliver_left(session: Session) -> None:
    """Take up again what its own job has given up, the least tried first, and give up what is too old."""
    if not settings.current().smtp_url:
        return
    _give_up(session)
    left = (
        sa.select(OutboxMail.public_id)
        .where(
            OutboxMail.sent_at.is_(None),
            OutboxMail.queued_at > clock.now() - GIVEN_UP_AFTER,
            sa.or_(OutboxMail.tries >= TRIES_OF_ITS_JOB, OutboxMail.queued_at < clock.now() - JOB_LASTS),
        )
        .order_by(OutboxMail.tries, OutboxMail.id)
        .limit(AT_ONCE)
    )
    for public_id in session.scalars(left).all():
        try:
            deliver(session, str(public_id))
        except RuntimeError as error:
            log.warning("A mail is still waiting", extra={"reason": str(error)})


jobs.periodic("0 41 * * * *", "mail.deliver_left")


@use_case
def _give_up(session: Session) -> None:
    """Links in it have run out by now. What was not sent stays listed, with what the server said."""
    old = sa.select(OutboxMail).where(
        OutboxMail.sent_at.is_(None),
        OutboxMail.text != "",
        OutboxMail.queued_at <= clock.now() - GIVEN_UP_AFTER,
    )
    for mail in session.scalars(old.with_for_update(skip_locked=True)):
        mail.text = ""
        log.error("A mail could not be sent", extra={"mail": str(mail.public_id), "tries": mail.tries})


@use_case
def _note(session: Session, mail_id: int, problem: str | None) -> None:
    mail = session.get_one(OutboxMail, mail_id, with_for_update=True)
    mail.tries += 1
    mail.error = problem
    mail.sent_at = None if problem else clock.now()
    if mail.sent_at and settings.current().environment != "demo":
        mail.text = ""


def _hand_over(mail: OutboxMail) -> str | None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        settings.current().mail_from,
        mail.to_address,
        mail.subject,
    )
    message["Message-ID"] = f"<{mail.public_id}@{urlsplit(settings.current().base_url).hostname}>"
    if mail.unsubscribe:
        message["List-Unsubscribe"] = f"<{settings.current().base_url}{mail.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    try:
        with _server() as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        return f"{type(error).__name__}: {error}"
    return None


@contextmanager
def _server() -> Iterator[smtplib.SMTP]:
    """A conversation with the mail server, who has to prove its name before it is told anything.

    Only a server on this machine, or one that the settings except, is told a mail in the open, and none a
    password.
    """
    url = urlsplit(settings.current().smtp_url or "")
    host, port, trusted = url.hostname or "localhost", url.port or 0, ssl.create_default_context()
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=trusted)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    open_is_fine = host in settings.LOCAL_HOSTS or settings.current().smtp_tls == "off"
    with server:
        if url.scheme == "smtp" and (url.username or not open_is_fine):
            server.starttls(context=trusted)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        yield server


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
