"""Limits on tries, kept in the database so that all processes count together.

The numbers are those of PyPI's Warehouse. Who is counted is kept as a keyed fingerprint: no addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, crypto, jobs
from marketplace.accounts.models import Attempt
from marketplace.db import use_case
from marketplace.errors import TooMany
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext


@dataclass(frozen=True)
class Limit:
    """At most `most` tries `within` a span of time, for each subject that is counted.

    `also` are longer spans, each with its own number, that the same tries are counted in.
    """

    name: str
    most: int
    within: timedelta
    also: tuple[tuple[int, timedelta], ...] = ()

    @property
    def spans(self) -> tuple[tuple[int, timedelta], ...]:
        return ((self.most, self.within), *self.also)


PASSWORD = Limit("password", 10, timedelta(minutes=5))
PRESENT_PASSWORD = Limit("present password", 10, timedelta(minutes=5))
SECOND_FACTOR = Limit(
    "second factor", 5, timedelta(minutes=5), also=((20, timedelta(hours=1)), (50, timedelta(days=1)))
)
# What strangers may cause to be mailed to an address is counted apart from what its owner asks for.
MAIL = Limit("mail", 5, timedelta(days=1))
RESETS = Limit("resets", 5, timedelta(days=1))
VERIFICATIONS = Limit("verifications", 5, timedelta(days=1))
MAIL_FROM_NETWORK = Limit("mail from network", 20, timedelta(hours=1))
DOCUMENTS = Limit("documents", 30, timedelta(days=1))
INVITATIONS = Limit("invitations", 50, timedelta(days=1))
MESSAGES = Limit("messages", 60, timedelta(hours=1), also=((300, timedelta(days=1)),))


@use_case
def spend(session: Session, limit: Limit, *subjects: str) -> None:
    """Count a try for each subject, in a transaction of its own: it counts even if the try fails.

    Raises TooMany, and counts nothing, when one of them has none left.
    """
    keys = sorted(_key(limit, subject) for subject in subjects if subject)
    for key in keys:
        # So that tries at the same moment are counted one after another.
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0))))
        for most, within in limit.spans:
            recent = sa.select(sa.func.count()).where(Attempt.key == key, Attempt.at > clock.now() - within)
            if (session.scalar(recent) or 0) >= most:
                raise TooMany(_too_many(within))
    session.add_all(Attempt(key=key, at=clock.now()) for key in keys)


@use_case
def give_back(session: Session, limit: Limit, *subjects: str) -> None:
    """The try succeeded: forget it, and those before it."""
    keys = [_key(limit, subject) for subject in subjects if subject]
    session.execute(sa.delete(Attempt).where(Attempt.key.in_(keys)))


@use_case
def give_back_one(session: Session, limit: Limit, subject: str) -> None:
    """This try succeeded: forget it alone. Where others may have tried as well, theirs stay counted."""
    last = sa.select(sa.func.max(Attempt.id)).where(Attempt.key == _key(limit, subject)).scalar_subquery()
    session.execute(sa.delete(Attempt).where(Attempt.id == last))


@jobs.task("accounts.forget_attempts")
@use_case
def forget_attempts(session: Session) -> None:
    """Remove tries that no limit counts any more."""
    session.execute(sa.delete(Attempt).where(Attempt.at < clock.now() - timedelta(days=2)))


jobs.periodic("0 17 * * * *", "accounts.forget_attempts")


def network(address: str | None) -> str:
    """What is counted for an IP address: itself, or the /64 that one IPv6 subscriber is given."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return ""
    return str(ip if ip.version == 4 else ip_network((ip, 64), strict=False))


def _key(limit: Limit, subject: str) -> str:
    return f"{limit.name}:{crypto.fingerprint(subject.casefold(), 'attempts.key').hex()}"


def _too_many(within: timedelta) -> str:
    minutes = int(within.total_seconds() // 60)
    if minutes < 60:
        wait = ngettext("a minute", "%(n)s minutes", minutes)
    else:
        wait = ngettext("an hour", "%(n)s hours", minutes // 60)
    return _("That was tried too often. Wait %(wait)s, then try again.", wait=wait)
