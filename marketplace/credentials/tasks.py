"""Expiry: notices 60, 30 and 7 days before the last day, each once, and the end itself."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.actor import SITE
from marketplace.credentials import hooks, jurisdictions, lapses, notices
from marketplace.credentials.models import Credential
from marketplace.credentials.states import COUNTING, CredentialState
from marketplace.db import use_case
from marketplace.reasons.hooks import on_upheld

NOTICE_DAYS = (7, 30, 60)
CHUNK = 200


@jobs.task("credentials.expire")
def expire(session: Session) -> None:
    """Look at every verified credential that ends within 60 days. Running it again changes nothing."""
    last = 0
    while ids := _ending(session, after=last):
        _look_at(session, ids)
        last = ids[-1]


jobs.periodic("0 */10 * * * *", "credentials.expire", by_the_clock=True)
on_upheld["credential"] = lapses.reopen


def _ending(session: Session, after: int) -> list[int]:
    # A day more, because the last day ends later in the west.
    horizon = clock.today("UTC") + timedelta(days=max(NOTICE_DAYS) + 1)
    query = sa.select(Credential.id).where(Credential.state.in_(COUNTING), Credential.expires_on <= horizon)
    return list(session.scalars(query.where(Credential.id > after).order_by(Credential.id).limit(CHUNK)))


@use_case
def _look_at(session: Session, ids: list[int]) -> None:
    query = sa.select(Credential).where(Credential.id.in_(ids), Credential.state.in_(COUNTING))
    for credential in session.scalars(query.order_by(Credential.id).with_for_update(skip_locked=True)):
        _age(session, credential)


def _age(session: Session, credential: Credential) -> None:
    if credential.expires_on is None:
        return
    zone = jurisdictions.zone(credential.jurisdiction)
    days_left = (credential.expires_on - clock.now().astimezone(ZoneInfo(zone)).date()).days
    due = next((days for days in NOTICE_DAYS if days_left <= days), None)
    if jurisdictions.end_of(credential.expires_on, credential.jurisdiction) <= clock.now():
        _move(session, credential, CredentialState.EXPIRED)
        notices.expired(session, credential)
        hooks.tell_changed(session, credential.person_id)
    elif due is not None:
        if credential.state is CredentialState.VERIFIED:
            _move(session, credential, CredentialState.EXPIRING)
        if credential.noticed_days is None or due < credential.noticed_days:
            credential.noticed_days = due
            notices.expiring(session, credential, credential.expires_on, days_left)


def _move(session: Session, credential: Credential, to: CredentialState) -> None:
    credential.move(to)
    audit.record(session, SITE, to.value, "credential", credential.public_id)
