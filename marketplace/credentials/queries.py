"""What the pages of credentials show, to whom it is theirs to see."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock, storage
from marketplace.actor import Actor, Role
from marketplace.credentials.gate import Checked, speaking
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import (
    COUNTING,
    MOVES,
    CredentialState,
    Method,
    Standing,
    level_word,
    standing_word,
)
from marketplace.db import use_case
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.storage import Document, DocumentView


@dataclass(frozen=True)
class Shown:
    """A credential with its checks, oldest first, and the one that speaks for now if any does."""

    credential: Credential
    attestations: Sequence[Attestation]
    speaks: Checked | None

    @property
    def ended(self) -> datetime | None:
        """When it last counted, if it did and does not any more."""
        if self.speaks:
            return None
        checked = speaking(self.credential, _by_people(self.attestations))
        return max((each.end for each in checked if each.end and each.end <= clock.now()), default=None)

    @property
    def summary(self) -> str:
        """How sure anybody is of it now, claiming no more than was done."""
        if self.speaks:
            return level_word(self.speaks.attestation.level)
        if not self.attestations:
            return level_word(0)
        last = self.attestations[-1]
        if last.method is Method.AUTOMATIC:
            return level_word(last.level)
        if last.status_at_source is Standing.ACTIVE:
            return _("The last check has ended")
        return standing_word(last.status_at_source)


def own(session: Session, actor: Actor) -> list[Shown]:
    """This person's credentials, newest first."""
    query = sa.select(Credential).filter_by(person_id=actor.id).order_by(Credential.id.desc())
    return _shown(session, session.scalars(query).all())


def to_renew(session: Session, actor: Actor, type_: str, place: str | None) -> Credential | None:
    """This person's newest credential of a type (from `place`, if one is named) that can be sent in again."""
    again = [state for state, moves in MOVES.items() if CredentialState.NEEDS_REVIEW in moves]
    query = sa.select(Credential).filter_by(person_id=actor.id, type=type_).where(Credential.state.in_(again))
    if place:
        query = query.where(Credential.jurisdiction == place)
    found = session.scalars(query.order_by(Credential.id.desc())).all()
    return next((each for each in found if not each.over), None)


def one(session: Session, actor: Actor, public_id: uuid.UUID) -> Shown:
    """One that this person may see. Raises NotFound."""
    return _shown(session, [_find(session, actor, public_id)])[0]


def queue(actor: Actor) -> sa.Select[Credential]:
    """What waits for this reviewer: nothing of their own, nor what they may not decide."""
    actor.require(Role.REVIEWER)
    return (
        sa.select(Credential)
        .where(Credential.state == CredentialState.NEEDS_REVIEW, Credential.person_id != actor.id)
        .where(Credential.barred_reviewer_id.is_distinct_from(actor.id))
        .options(joinedload(Credential.person))
    )


def expiring(actor: Actor, within_days: int) -> sa.Select[Credential]:
    """What ends within so many days."""
    actor.require(Role.REVIEWER, Role.OPERATOR)
    horizon = clock.today("UTC") + timedelta(days=within_days)
    return (
        sa.select(Credential)
        .where(Credential.state.in_(COUNTING), Credential.expires_on <= horizon)
        .options(joinedload(Credential.person))
    )


def looks(actor: Actor, credential: Credential) -> sa.Select[DocumentView]:
    """Each time somebody opened the document of a credential; nothing for whoever does not own it."""
    own = credential.person_id == actor.id
    return sa.select(DocumentView).where(DocumentView.document_id == credential.document_id, sa.literal(own))


@use_case
def open_document(session: Session, actor: Actor, public_id: uuid.UUID) -> tuple[Document, bytes]:
    """The paper of a credential, for its owner or for the reviewer who holds it; the view is recorded.

    Raises NotFound for everybody else.
    """
    credential = _find(session, actor, public_id)
    holds_it = credential.claimed_by == actor.id and (credential.lease_until or clock.now()) > clock.now()
    if credential.document is None or not (credential.person_id == actor.id or holds_it):
        raise NotFound(_("There is no such document, or it is not yours to see at the moment."))
    return credential.document, storage.read(session, actor, credential.document)


def _find(session: Session, actor: Actor, public_id: uuid.UUID) -> Credential:
    query = sa.select(Credential).where(Credential.public_id == public_id, Credential.visible_to(actor))
    found = session.scalars(query.options(joinedload(Credential.person))).first()
    if found is None:
        raise NotFound(_("There is no such credential."))
    return found


def _shown(session: Session, credentials: Sequence[Credential]) -> list[Shown]:
    history: dict[int, list[Attestation]] = defaultdict(list)
    ids = [each.id for each in credentials]
    rows = sa.select(Attestation).where(Attestation.credential_id.in_(ids))
    for attestation in session.scalars(rows.order_by(Attestation.looked_at, Attestation.id)):
        history[attestation.credential_id].append(attestation)
    return [Shown(each, history[each.id], _speaking_now(each, history[each.id])) for each in credentials]


def _speaking_now(credential: Credential, attestations: Sequence[Attestation]) -> Checked | None:
    checked = speaking(credential, _by_people(attestations))
    now = [each for each in checked if each.covers(clock.now())]
    return max(now, key=lambda each: each.attestation.level, default=None)


def _by_people(attestations: Sequence[Attestation]) -> list[Attestation]:
    """Those that a person made: a well-formed number alone speaks for nothing."""
    return [each for each in attestations if each.method is not Method.AUTOMATIC]
