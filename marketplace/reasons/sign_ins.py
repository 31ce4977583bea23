"""Suspending a sign-in that somebody else may be using: with reasons, an appeal, and a way back."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, mail, settings
from marketplace.accounts import passwords, sessions
from marketplace.accounts.links import drop_links
from marketplace.accounts.models import LinkPurpose, RoleGrant, SignIn
from marketplace.accounts.tokens import new_token
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import NotAllowed, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.i18n import reading
from marketplace.reasons import codes
from marketplace.reasons.models import Appeal, Decision, Outcome, Statement
from marketplace.reasons.statements import about, state

SUBJECT = "sign_in"


def find(session: Session, actor: Actor, public_id: uuid.UUID) -> SignIn:
    """A sign-in with its person, for an operator. Raises NotFound."""
    actor.require(Role.OPERATOR)
    found = session.scalars(sa.select(SignIn).filter_by(public_id=public_id)).first()
    if found is None:
        raise NotFound(_("There is no such sign-in."))
    return found


@use_case
def suspend(
    session: Session, actor: Actor, public_id: uuid.UUID, reason_code: str, explanation: str
) -> Statement:
    """Let nobody in by this sign-in until it is opened again. Operators, with a fresh factor.

    All its sessions end, links that were mailed stop working, and its password is forgotten, because a
    stranger may know it. What the person has earned is paid as before. They are told by mail why, and how to
    appeal although they cannot sign in. Raises Refused for one's own, and for one that is suspended already.
    """
    _require_operator(session, actor)
    sign_in = _locked(session, public_id)
    if sign_in.disabled_at is not None:
        raise Refused(_("This sign-in is suspended already."))
    statement = state(
        session, actor, person_id=sign_in.person_id, subject_kind=SUBJECT, subject_id=sign_in.public_id,
        decision=Decision.SUSPENDED, reason_code=reason_code, explanation=explanation,
        evidence={_("Sign-in"): sign_in.email}, by_mail=False,
    )  # fmt: skip
    sign_in.disabled_at = clock.now()
    sign_in.password_hash = passwords.hashed(new_token())
    drop_links(session, sign_in.id, LinkPurpose.RESET, LinkPurpose.VERIFY)
    sessions.end_all(session, sign_in.id)
    audit.record(session, actor, "suspend", "sign_in", sign_in.public_id, statement=statement.public_id)
    _tell_suspended(session, actor, sign_in, statement)
    return statement


@use_case
def open_again(session: Session, actor: Actor, public_id: uuid.UUID) -> SignIn:
    """Let the person sign in again, once they have set a new password by a mailed link. Operators.

    Raises Refused when it is not suspended.
    """
    _require_operator(session, actor)
    sign_in = _locked(session, public_id)
    if sign_in.disabled_at is None:
        raise Refused(_("This sign-in is not suspended."))
    if sign_in.person_id == actor.id:
        raise Refused(_("Ask another operator, because this is your own."))
    _open(session, actor, sign_in)
    return sign_in


def open_upheld(session: Session, actor: Actor, subject_id: uuid.UUID) -> None:
    """What an upheld appeal undoes. One that was suspended anew since then stays suspended."""
    sign_in = _locked(session, subject_id)
    last = about(session, SUBJECT, subject_id)
    upheld = (
        sa.exists().where(Appeal.statement_id == last.id, Appeal.outcome == Outcome.UPHELD) if last else None
    )
    if sign_in.disabled_at is not None and upheld is not None and session.scalar(sa.select(upheld)):
        _open(session, actor, sign_in)


def _open(session: Session, actor: Actor, sign_in: SignIn) -> None:
    sign_in.disabled_at = None
    # One may have begun between the last look at the sign-in and its suspension.
    sessions.end_all(session, sign_in.id)
    audit.record(session, actor, "open_again", "sign_in", sign_in.public_id)
    for email in _addresses(sign_in):
        mail.send(
            session, email, "sign_in_opened", locale=sign_in.person.locale,
            name=sign_in.person.full_name, email=sign_in.email,
        )  # fmt: skip


def _tell_suspended(session: Session, actor: Actor, sign_in: SignIn, statement: Statement) -> None:
    person = sign_in.person
    with reading(person.locale, person.time_zone):
        why = codes.sentence(SUBJECT, statement.reason_code)
    for email in _addresses(sign_in):
        mail.send(
            session, email, "sign_in_suspended", locale=person.locale, name=person.full_name,
            email=sign_in.email, why=why, explanation=statement.explanation,
            decider=actor.name,
            until=statement.appeal_until.date(), write_to=settings.current().mail_from,
        )  # fmt: skip


def _addresses(sign_in: SignIn) -> list[str]:
    """Where to write to: the address may be in a stranger's hands as well, and the person's other one not."""
    return sorted({sign_in.email, sign_in.person.email})


def _locked(session: Session, public_id: uuid.UUID) -> SignIn:
    sign_in = session.scalars(
        sa.select(SignIn).filter_by(public_id=public_id).with_for_update(of=SignIn)
    ).first()
    if sign_in is None:
        raise NotFound(_("There is no such sign-in."))
    return sign_in


def _require_operator(session: Session, actor: Actor) -> None:
    """Two operators who suspend each other at the same moment wait here for one another, and one stays."""
    actor.require(Role.OPERATOR)
    actor.require_fresh_factor()
    operators = sa.select(RoleGrant.id).filter_by(role=Role.OPERATOR, ended_at=None).order_by(RoleGrant.id)
    session.execute(operators.with_for_update())
    states = session.scalars(sa.select(SignIn.disabled_at).filter_by(person_id=actor.id)).all()
    if states and all(states):
        raise NotAllowed(_("Your own sign-in was suspended just now."))
