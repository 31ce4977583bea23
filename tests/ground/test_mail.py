"""Mail: to a server that proves who it is, again when it was refused, and for so many days."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs, mail, settings
from marketplace.db import use_case
from marketplace.mail import OutboxMail
from tests.ground.smtp_server import PASSWORD, USER, MailServer, make_certificate, serving


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path / "localhost.pem")


@pytest.fixture
def mail_server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """The mail server that the settings name; nobody trusts it yet."""
    with serving(certificate) as running:
        port = running.server_address[1]
        url = f"smtps://{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@localhost:{port}"
        changed = replace(settings.current(), smtp_url=url)
        monkeypatch.setattr(settings, "current", lambda: changed)
        yield running


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@use_case
def a_mail(session: Session) -> OutboxMail:
    return mail.send(session, "ana@example.com", "verify", name="Ana", token="the-secret-of-the-link")


def only(session: Session) -> OutboxMail:
    session.expire_all()
    return session.scalars(sa.select(OutboxMail)).one()


def refused_until_its_job_gives_up(session: Session, mail_server: MailServer) -> OutboxMail:
    sent = a_mail(session)
    mail_server.refuses = True
    for _try in range(mail.TRIES_OF_ITS_JOB):
        with pytest.raises(RuntimeError):
            mail.deliver(session, str(sent.public_id))
    session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    session.commit()
    return only(session)


def test_a_mail_goes_to_the_server_that_proves_its_name(
    session: Session, mail_server: MailServer, trusted: None
) -> None:
    a_mail(session)
    jobs.run_due(session)
    assert "the-secret-of-the-link" in mail_server.taken[0]
    assert only(session).sent_at is not None


def kept(session: Session) -> str:
    """The text as it lies in the database."""
    return session.execute(sa.text("SELECT text FROM outbox_mails")).scalar_one()


def test_a_link_is_sealed_until_its_mail_is_sent_and_then_forgotten(
    session: Session, mail_server: MailServer, trusted: None
) -> None:
    assert "the-secret-of-the-link" in a_mail(session).text
    assert "the-secret-of-the-link" not in kept(session)
    assert "the-secret-of-the-link" in only(session).text
    jobs.run_due(session)
    assert kept(session) == ""


def test_the_demonstration_keeps_what_its_outbox_shows(
    session: Session, mail_server: MailServer, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = replace(settings.current(), environment="demo")
    monkeypatch.setattr(settings, "current", lambda: changed)
    a_mail(session)
    jobs.run_due(session)
    assert "the-secret-of-the-link" in only(session).text


def test_a_text_from_before_they_were_sealed_is_read_as_it_is(session: Session) -> None:
    a_mail(session)
    session.execute(sa.text("UPDATE outbox_mails SET text = 'Good morning'"))
    assert only(session).text == "Good morning"


def test_nothing_is_told_to_a_server_that_nobody_vouches_for(
    session: Session, mail_server: MailServer
) -> None:
    sent = a_mail(session)
    with pytest.raises(RuntimeError, match="SSLCertVerificationError"):
        mail.deliver(session, str(sent.public_id))
    assert mail_server.taken == []
    assert only(session).sent_at is None


# An address of this machine that is none of the names by which it knows itself.
ELSEWHERE = "127.1"


@pytest.mark.parametrize(
    ("host", "tls", "taken"),
    [(ELSEWHERE, "required", 0), (ELSEWHERE, "off", 1), ("localhost", "required", 1)],
)
def test_no_mail_goes_in_the_open_to_another_machine_unless_the_settings_say_so(
    session: Session, monkeypatch: pytest.MonkeyPatch, host: str, tls: str, taken: int
) -> None:
    with serving(None) as running:
        url = f"smtp://{host}:{running.server_address[1]}"
        changed = replace(settings.current(), smtp_url=url, smtp_tls=tls)
        monkeypatch.setattr(settings, "current", lambda: changed)
        sent = a_mail(session)
        with nullcontext() if taken else pytest.raises(RuntimeError, match="SMTPNotSupportedError"):
            mail.deliver(session, str(sent.public_id))
        assert len(running.taken) == taken


def test_what_was_refused_for_hours_is_taken_up_again(
    session: Session, mail_server: MailServer, trusted: None
) -> None:
    assert refused_until_its_job_gives_up(session, mail_server).sent_at is None
    mail.deliver_left(session)
    assert mail_server.taken == []
    mail_server.refuses = False
    mail.deliver_left(session)
    mail.deliver_left(session)
    assert len(mail_server.taken) == 1
    assert only(session).sent_at is not None


def test_what_its_own_job_is_still_at_is_left_to_it(
    session: Session, mail_server: MailServer, trusted: None
) -> None:
    a_mail(session)
    mail.deliver_left(session)
    assert mail_server.taken == []


def test_after_some_days_it_is_given_up_once_and_that_is_logged(
    session: Session, mail_server: MailServer, trusted: None, caplog: pytest.LogCaptureFixture
) -> None:
    refused_until_its_job_gives_up(session, mail_server)
    with clock.at(clock.now() + mail.GIVEN_UP_AFTER + timedelta(minutes=1)):
        mail.deliver_left(session)
        mail.deliver_left(session)
    given_up = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert [each.getMessage() for each in given_up] == ["A mail could not be sent"]
    assert "550" in (only(session).error or "")
    assert kept(session) == ""
    assert mail_server.taken == []


def test_the_log_names_no_address(session: Session, mail_server: MailServer, trusted: None) -> None:
    sent = a_mail(session)
    mail_server.refuses = True
    with pytest.raises(RuntimeError) as failure:
        mail.deliver(session, str(sent.public_id))
    assert "ana@example.com" not in str(failure.value)
    assert "ana@example.com" in (only(session).error or "")
