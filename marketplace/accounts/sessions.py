"""Browser sessions: begun at sign-in under a new secret, ended by the person, by time, or by the site."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, jobs, settings
from marketplace.accounts.models import Person, SecondFactor, SignIn, WebSession
from marketplace.accounts.tokens import new_token, token_hash
from marketplace.actor import Actor
from marketplace.db import new_id, use_case
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _

# Seen is written at most this often, so that reading a page seldom writes.
SEEN_EVERY = timedelta(minutes=1)
LONGEST_USER_AGENT = 300


def find(session: Session, token: str) -> WebSession | None:
    """The live session of a cookie, with its sign-in and person; None when it ended or never was."""
    asked = (
        sa.select(WebSession)
        .outerjoin(WebSession.sign_in)
        .outerjoin(SignIn.person)
        .where(
            WebSession.token_hash == token_hash(token), _live(),
            SignIn.disabled_at.is_(None), Person.closed_at.is_(None),
        )
        .options(joinedload(WebSession.sign_in))
    )  # fmt: skip
    return session.scalars(asked).unique().first()


@use_case
def begin(
    session: Session, user_agent: str, data: dict[str, Any], *, sign_in_id: int | None = None,
    second_factor_at: datetime | None = None, replaces: int | None = None, request_id: str = "",
) -> tuple[WebSession, str]:  # fmt: skip
    """A new session and the secret for its cookie. At sign-in it `replaces` the one before.

    A second factor that was begun in another session of the sign-in, and not confirmed, is forgotten.
    """
    if replaces is not None:
        _end(session, WebSession.id == replaces)
    token, now = new_token(), clock.now()
    begun = WebSession(
        public_id=new_id(),
        token_hash=token_hash(token),
        sign_in_id=sign_in_id,
        data=data,
        user_agent=user_agent[:LONGEST_USER_AGENT],
        created_at=now,
        last_seen_at=now,
        second_factor_at=second_factor_at,
        ends_at=now + timedelta(hours=settings.current().session_absolute_hours),
    )
    session.add(begun)
    session.flush()
    if sign_in_id is not None:
        _forget_begun_factors(session, sign_in_id)
        _record(session, "sign_in", sign_in_id, begun, request_id)
    return begun, token


@use_case
def keep(session: Session, session_id: int, data: dict[str, Any]) -> None:
    """Write what the session holds, and that it was seen."""
    session.execute(
        sa.update(WebSession).where(WebSession.id == session_id).values(data=data, last_seen_at=clock.now())
    )


@use_case
def confirm_factor(session: Session, actor: Actor, session_id: int) -> None:
    """A second factor was given in this session just now."""
    found = session.get_one(WebSession, session_id)
    found.second_factor_at = clock.now()
    audit.record(session, actor, "confirm_factor", "web_session", found.public_id)


@use_case
def end(session: Session, actor: Actor, session_id: int) -> None:
    """Sign out."""
    found = session.get_one(WebSession, session_id)
    found.ended_at = found.ended_at or clock.now()
    audit.record(session, actor, "sign_out", "web_session", found.public_id)


@use_case
def end_own(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """End one of this person's sessions, on whatever device. Raises NotFound for anybody else's."""
    found = session.scalars(
        sa.select(WebSession)
        .join(WebSession.sign_in)
        .where(WebSession.public_id == public_id, SignIn.person_id == actor.id, _live())
    ).first()
    if found is None:
        raise NotFound(_("This session has ended already."))
    end(session, actor, found.id)


@use_case
def end_others(session: Session, actor: Actor, session_id: int) -> None:
    """End all sessions of this person but the one they are using."""
    own = sa.select(SignIn.id).where(SignIn.person_id == actor.id)
    _end(session, WebSession.sign_in_id.in_(own), WebSession.id != session_id)
    person = session.get_one(Person, actor.id)
    audit.record(session, actor, "end_other_sessions", "person", person.public_id)


def end_all(session: Session, sign_in_id: int, *, except_id: int | None = None) -> None:
    """End the sessions of a sign-in, in the running transaction, and forget the factors begun in them."""
    _forget_begun_factors(session, sign_in_id)
    _end(session, WebSession.sign_in_id == sign_in_id, WebSession.id.is_distinct_from(except_id))


def live(session: Session, actor: Actor) -> Sequence[WebSession]:
    """Where this person is signed in, the last used first."""
    return session.scalars(
        sa.select(WebSession)
        .join(WebSession.sign_in)
        .where(SignIn.person_id == actor.id, _live())
        .order_by(WebSession.last_seen_at.desc())
    ).all()


@jobs.task("accounts.forget_sessions")
@use_case
def forget_sessions(session: Session) -> None:
    """Remove sessions that can never be used again."""
    session.execute(
        sa.delete(WebSession).where(~_live(), WebSession.last_seen_at < clock.now() - timedelta(days=1))
    )


jobs.periodic("0 23 * * * *", "accounts.forget_sessions")


def _live() -> sa.ColumnElement[bool]:
    idle = timedelta(hours=settings.current().session_idle_hours)
    return sa.and_(
        WebSession.ended_at.is_(None),
        WebSession.ends_at > clock.now(),
        WebSession.last_seen_at > clock.now() - idle,
    )


def _forget_begun_factors(session: Session, sign_in_id: int) -> None:
    session.execute(sa.delete(SecondFactor).filter_by(sign_in_id=sign_in_id, confirmed_at=None))


def _end(session: Session, *which: sa.ColumnElement[bool]) -> None:
    session.execute(
        sa.update(WebSession).where(WebSession.ended_at.is_(None), *which).values(ended_at=clock.now())
    )


def _record(session: Session, verb: str, sign_in_id: int, begun: WebSession, request_id: str) -> None:
    sign_in = session.get_one(SignIn, sign_in_id)
    actor = Actor(sign_in.person_id, sign_in.person.full_name, request_id=request_id)
    audit.record(session, actor, verb, "web_session", begun.public_id, sign_in=sign_in.public_id)
