"""Signing in: the password, and setting a new one when it is forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs, mail
from marketplace.accounts import limits, passwords, sessions
from marketplace.accounts.claiming import brought_in, send_claim
from marketplace.accounts.grants import actor_for
from marketplace.accounts.links import drop_links, find_link, mark_verified, new_link
from marketplace.accounts.models import LinkPurpose, SignIn
from marketplace.accounts.people import address
from marketplace.accounts.registering import send_verification_again
from marketplace.actor import Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _


def check_password(
    session: Session, email: str, password: str, *, network: str = "", browser: str = ""
) -> SignIn:
    """The sign-in that these two open. The same answer, in the same time, whatever is wrong.

    Tries are counted for the network and for the address. `browser` names a browser that this person has
    signed in with before: its tries are counted apart, so that a stranger who uses up those of the address
    locks nobody out of their own. Raises Invalid; TooMany; Refused until the address is verified.
    """
    who = f"{email.strip()} {browser}"
    limits.spend(session, limits.PASSWORD, network, who)
    sign_in = session.scalars(sa.select(SignIn).filter_by(email=email.strip().lower())).first()
    if sign_in is None or not _usable(sign_in):
        passwords.pretend(password)
        raise _wrong()
    if not passwords.matches(sign_in.password_hash, password):
        raise _wrong()
    # Otherwise whoever has one account here could try all others without end.
    limits.give_back_one(session, limits.PASSWORD, network)
    limits.give_back(session, limits.PASSWORD, who)
    if sign_in.email_verified_at is None:
        limits.spend(session, limits.VERIFICATIONS, sign_in.email)
        send_verification_again(session, sign_in.id)
        raise Refused(
            _("Open the link that we have just mailed to you. It confirms that this address is yours.")
        )
    _keep_strong(session, sign_in, password)
    return sign_in


def request_reset(session: Session, email: str, *, network: str = "") -> None:
    """Mail a link to set a new password, if the address has a sign-in. Never says whether it has.

    Raises TooMany, and Invalid for what is no address.
    """
    kept = address(email)
    limits.spend(session, limits.MAIL_FROM_NETWORK, network)
    limits.spend(session, limits.RESETS, kept)
    _ask_for_reset(session, kept)


@use_case
def _ask_for_reset(session: Session, email: str) -> None:
    # By the worker, so that the answer takes as long for an address that nobody has.
    jobs.defer(session, "accounts.send_reset", email=email)


@jobs.task("accounts.send_reset")
@use_case
def send_reset(session: Session, email: str) -> None:
    """Mail the link, unless nobody has this address; to who was brought in with it, one to take over."""
    sign_in = session.scalars(sa.select(SignIn).filter_by(email=email)).first()
    if sign_in is None and (known := brought_in(session, email)) is not None:
        send_claim(session, known)
    if sign_in is None or not _usable(sign_in):
        return
    drop_links(session, sign_in.id, LinkPurpose.RESET)
    token = new_link(session, LinkPurpose.RESET, sign_in.email, sign_in_id=sign_in.id)
    person = sign_in.person
    mail.send(session, sign_in.email, "reset", locale=person.locale, name=person.full_name, token=token)


def find_reset(session: Session, token: str) -> SignIn:
    """Whose password the mailed link sets. Raises Refused when it no longer works."""
    link = find_link(session, LinkPurpose.RESET, token)
    if link.sign_in is None:
        raise Refused(_("This link was used already or has run out. Ask for a new one."))
    return link.sign_in


@use_case
def reset_password(session: Session, token: str, password: str) -> SignIn:
    """Set a new password by the mailed link, and end all sessions. The second factor is still asked for.

    Raises Refused for a link that no longer works, and Invalid for the password.
    """
    link = find_link(session, LinkPurpose.RESET, token, lock=True)
    if link.sign_in is None:
        raise Refused(_("This link was used already or has run out. Ask for a new one."))
    sign_in = link.sign_in
    link.used_at = clock.now()
    # Whoever opened the link reads this address.
    mark_verified(session, sign_in)
    _set_password(session, actor_for(session, sign_in.person_id), sign_in, password)
    sessions.end_all(session, sign_in.id)
    return sign_in


def change_password(
    session: Session, actor: Actor, sign_in_id: int, old: str, new: str, *, keep_session: int | None = None
) -> None:
    """Set a new password, knowing the old one; all other sessions end. Raises Invalid; TooMany."""
    limits.spend(session, limits.PRESENT_PASSWORD, str(sign_in_id))
    _change_password(session, actor, sign_in_id, old, new, keep_session)
    limits.give_back(session, limits.PRESENT_PASSWORD, str(sign_in_id))


@use_case
def _change_password(
    session: Session, actor: Actor, sign_in_id: int, old: str, new: str, keep_session: int | None
) -> None:
    sign_in = own_sign_in(session, actor, sign_in_id)
    if not passwords.matches(sign_in.password_hash, old):
        raise Invalid(_("This is not your present password."), field="old_password")
    _set_password(session, actor, sign_in, new)
    sessions.end_all(session, sign_in.id, except_id=keep_session)


def own_sign_in(session: Session, actor: Actor, sign_in_id: int) -> SignIn:
    """The actor's sign-in, locked in the running transaction. Raises Refused when it is not theirs."""
    sign_in = session.scalars(
        sa.select(SignIn).filter_by(id=sign_in_id, person_id=actor.id).with_for_update(of=SignIn)
    ).first()
    if sign_in is None:
        raise Refused(_("Sign in again, then retry."))
    return sign_in


def _set_password(session: Session, actor: Actor, sign_in: SignIn, password: str) -> None:
    passwords.check(password, sign_in.person.full_name, sign_in.email)
    sign_in.password_hash = passwords.hashed(password)
    drop_links(session, sign_in.id, LinkPurpose.RESET)
    audit.record(session, actor, "set_password", "sign_in", sign_in.public_id)
    person = sign_in.person
    mail.send(session, sign_in.email, "password_changed", locale=person.locale, name=person.full_name)


@use_case
def _keep_strong(session: Session, sign_in: SignIn, password: str) -> None:
    if passwords.outdated(sign_in.password_hash):
        session.get_one(SignIn, sign_in.id).password_hash = passwords.hashed(password)


def _usable(sign_in: SignIn) -> bool:
    return sign_in.disabled_at is None and sign_in.person.closed_at is None


def _wrong() -> Invalid:
    return Invalid(
        _("This address and this password do not belong together. Check both, or set a new password."),
        field="password",
    )
