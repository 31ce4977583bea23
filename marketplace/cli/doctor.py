"""`marketplace doctor`: what is configured, missing or unsafe. Exits 1 when something is wrong."""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import sqlalchemy as sa

from marketplace import embedded, jobs, schema, settings
from marketplace.embedded import Server, roles
from marketplace.settings import Settings

LOW_DISK = 500 * 1024 * 1024


class Verdict(StrEnum):
    FINE = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    subject: str
    sentence: str


def main(arguments: argparse.Namespace) -> int:
    chosen = settings.current()
    findings = [finding for look in LOOKS for finding in look(chosen)]
    for finding in findings:
        print(f"{finding.verdict.value:>5}  {finding.subject:<10}  {finding.sentence}")
    return 1 if any(finding.verdict is Verdict.WRONG for finding in findings) else 0


def look_at_machine(chosen: Settings) -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield Finding(Verdict.FINE, "python", f"Python {version}, settings for {chosen.environment}.")
    free = shutil.disk_usage(chosen.data).free
    verdict = Verdict.WRONG if free < LOW_DISK else Verdict.FINE
    yield Finding(verdict, "data", f"{chosen.data}, {free // 2**20:,} MB free.")


def look_at_database(chosen: Settings) -> Iterator[Finding]:
    try:
        server = embedded.ensure(chosen)
    except embedded.ServerError as error:
        yield Finding(Verdict.WRONG, "database", str(error))
        return
    try:
        yield from _look_into(server, chosen)
    except sa.exc.OperationalError as error:
        yield Finding(Verdict.WRONG, "database", f"No answer: {str(error.orig).strip().splitlines()[0]}")
    finally:
        server.stop()


def look_at_stripe(chosen: Settings) -> Iterator[Finding]:
    if chosen.stripe_key is None:
        yield Finding(
            Verdict.NOTE, "stripe", "No key: nobody can pay or be paid. Set MARKETPLACE_STRIPE_KEY."
        )
        return
    live = "_live_" in chosen.stripe_key
    where = chosen.stripe_api_base or "Stripe"
    verdict = Verdict.NOTE if chosen.production and not live else Verdict.FINE
    yield Finding(verdict, "stripe", f"{'Live' if live else 'Test'} key, talking to {where}.")
    if chosen.stripe_api_base and not _listens(chosen.stripe_api_base):
        yield Finding(Verdict.WRONG, "stripe", f"Nothing answers at {chosen.stripe_api_base}.")
    missing = [
        name for name in ("platform", "connect", "thin") if not getattr(chosen, f"stripe_{name}_secret")
    ]
    if missing:
        yield Finding(
            Verdict.NOTE, "webhooks", f"No signing secret for {', '.join(missing)}: those are refused."
        )
    else:
        yield Finding(Verdict.FINE, "webhooks", "All three signing secrets are set.")


def look_at_mail(chosen: Settings) -> Iterator[Finding]:
    if chosen.smtp_url is None:
        yield Finding(Verdict.NOTE, "mail", "No MARKETPLACE_SMTP_URL: mails stay in the local outbox.")
    elif _listens(chosen.smtp_url):
        yield Finding(Verdict.FINE, "mail", f"Sent as {chosen.mail_from}.")
    else:
        yield Finding(Verdict.WRONG, "mail", "The mail server of MARKETPLACE_SMTP_URL does not answer.")


def look_at_time(chosen: Settings) -> Iterator[Finding]:
    if chosen.clock_file:
        yield Finding(Verdict.NOTE, "clock", f"It can be moved: {chosen.clock_file}.")
    yield Finding(
        Verdict.FINE, "books", f"Kept in {chosen.books_currency}, by the days of {chosen.books_zone.key}."
    )


def look_at_jobs(connection: sa.Connection) -> Iterator[Finding]:
    lost = jobs.given_up(connection, since=timedelta(days=7))
    for each in lost:
        yield Finding(
            Verdict.WRONG,
            "jobs",
            f"{each.name} was given up {each.count} times in the last week, the last at "
            f"{each.last:%Y-%m-%d %H:%M}: the worker's log says why.",
        )
    if not lost:
        yield Finding(Verdict.FINE, "jobs", "None was given up in the last week.")


LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    look_at_machine,
    look_at_database,
    look_at_stripe,
    look_at_mail,
    look_at_time,
)


def _look_into(server: Server, chosen: Settings) -> Iterator[Finding]:
    with sa.create_engine(server.owner_url, poolclass=sa.NullPool).connect() as connection:
        version = str(connection.scalar(sa.text("SHOW server_version")))
        kind = "named in MARKETPLACE_DATABASE_URL" if chosen.database_url else "private to this data folder"
        old = int(version.partition(".")[0]) < 18
        yield Finding(Verdict.WRONG if old else Verdict.FINE, "database", f"PostgreSQL {version}, {kind}.")
        if not roles.has_timeouts(connection):
            yield Finding(
                Verdict.WRONG, "role", f"{roles.APP_ROLE} lacks its time-outs: run marketplace db upgrade."
            )
        at, newest = schema.revisions(connection)
        if at == newest:
            yield Finding(Verdict.FINE, "schema", f"At {at}, the newest migration.")
            yield from look_at_jobs(connection)
        else:
            yield Finding(
                Verdict.WRONG, "schema", f"At {at or 'nothing'}, not {newest}: run marketplace db upgrade."
            )
    with sa.create_engine(server.app_url, poolclass=sa.NullPool).connect() as connection:
        if connection.scalar(sa.text("SELECT has_schema_privilege('public', 'CREATE')")):
            yield Finding(
                Verdict.WRONG, "role", "The application's role may make tables, which is the owner's right."
            )


def _listens(address: str) -> bool:
    parts = urlsplit(address)
    port = parts.port or {"https": 443, "smtp": 25, "smtps": 465}.get(parts.scheme, 80)
    try:
        socket.create_connection((parts.hostname or "localhost", port), timeout=3).close()
    except OSError:
        return False
    return True
