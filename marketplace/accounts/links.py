"""Links that are sent by mail: each works once, for a while, and is kept only as a hash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.accounts.models import EmailLink, LinkPurpose, SignIn
from marketplace.accounts.tokens import new_token, token_hash
from marketplace.errors import Refused
from marketplace.i18n import gettext as _

LASTS = {
    LinkPurpose.VERIFY: timedelta(days=2),
    LinkPurpose.RESET: timedelta(hours=1),
    LinkPurpose.INVITE: timedelta(days=7),
    LinkPurpose.CLAIM: timedelta(days=30),
}


def new_link(session: Session, purpose: LinkPurpose, email: str, **names: Any) -> str:
    """A token to mail to `email`, in the running transaction. `names` say whom or what it is for."""
    token, now = new_token(), clock.now()
    session.add(
        EmailLink(
            purpose=purpose,
            token_hash=token_hash(token),
            email=email,
            created_at=now,
            expires_at=now + LASTS[purpose],
            **names,
        )
    )
    return token


def find_link(session: Session, purpose: LinkPurpose, token: str, *, lock: bool = False) -> EmailLink:
    """The link that `token` opens. Raises Refused when it was used, has run out, or never was."""
    asked = (
        sa.select(EmailLink)
        .where(
            EmailLink.token_hash == token_hash(token),
            EmailLink.purpose == purpose,
            EmailLink.used_at.is_(None),
            EmailLink.expires_at > clock.now(),
        )
        .options(joinedload(EmailLink.sign_in), joinedload(EmailLink.organization))
    )
    link = session.scalars(asked.with_for_update(of=EmailLink) if lock else asked).first()
    if link is None or (link.sign_in is not None and _closed(link.sign_in)):
        raise Refused(_("This link was used already or has run out. Ask for a new one."))
    return link


def drop_links(session: Session, sign_in_id: int, *purposes: LinkPurpose) -> None:
    """Make the links of a sign-in that were not used yet useless."""
    session.execute(
        sa.update(EmailLink)
        .where(
            EmailLink.sign_in_id == sign_in_id,
            EmailLink.purpose.in_(purposes),
            EmailLink.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )


def drop_invitations(session: Session, organization_id: int, *emails: str) -> None:
    """Make invitations of these addresses to an organization, that were not accepted yet, useless."""
    session.execute(
        sa.update(EmailLink)
        .where(
            EmailLink.purpose == LinkPurpose.INVITE,
            EmailLink.organization_id == organization_id,
            EmailLink.email.in_(emails),
            EmailLink.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )


def drop_invitations_of(session: Session, organization_id: int, person_id: int) -> None:
    """The same for all addresses of a person: what they may do there was decided anew."""
    emails = session.scalars(sa.select(SignIn.email).filter_by(person_id=person_id)).all()
    drop_invitations(session, organization_id, *emails)


def mark_verified(session: Session, sign_in: SignIn) -> None:
    """The address was shown to be this person's own, whichever way: no link has to confirm it any more."""
    sign_in.email_verified_at = sign_in.email_verified_at or clock.now()
    drop_links(session, sign_in.id, LinkPurpose.VERIFY)


def _closed(sign_in: SignIn) -> bool:
    return sign_in.disabled_at is not None or sign_in.person.closed_at is not None
