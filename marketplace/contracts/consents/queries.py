"""Reading who agreed to what use of their work, and when. Scoped."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.actor import Actor
from marketplace.contracts import find
from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.contracts.models import Contract, Offer
from marketplace.gigs import data_use
from marketplace.gigs.data_use import Said
from marketplace.gigs.models import DataUse, Gig
from marketplace.matching.uses import Use

Moment = InstrumentedAttribute[Any] | datetime


@dataclass(frozen=True)
class Agreed:
    """A version of the statement, and from when on work on the contract is used by it."""

    statement: DataUse
    from_at: datetime
    signed_name: str


@dataclass(frozen=True)
class Changed:
    """One thing that a new version says otherwise, in words."""

    label: str
    was: str
    is_now: str


def consent(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Consent:
    """One question, with its contract and its row locked if wanted. Raises NotFound."""
    return find.on_contract(session, actor, Consent, public_id, lock=lock)


def waiting(session: Session, contract: Contract) -> Consent | None:
    """The question that waits for the contract's expert."""
    query = sa.select(Consent).filter_by(contract_id=contract.id, state=ConsentState.WAITING)
    return session.scalars(query).one_or_none()


def waiting_for(session: Session, person_id: int) -> Sequence[Consent]:
    """The questions that wait for a person (internal id), the first due first."""
    query = sa.select(Consent).join(Consent.contract).where(Contract.person_id == person_id)
    return session.scalars(
        query.where(Consent.state == ConsentState.WAITING).order_by(Consent.answer_by)
    ).all()


def changed_since_applying(session: Session, offer: Offer) -> list[Changed]:
    """What the statement in an offer says otherwise than the one that stood when its expert applied."""
    if offer.data_use is None:
        return []
    query = sa.select(DataUse).where(DataUse.gig_id == offer.gig_id)
    then = query.where(DataUse.written_at <= offer.application.applied_at).order_by(DataUse.version.desc())
    before = session.scalars(then.limit(1)).first()
    return changed(before, offer.data_use) if before is not None else []


def open_on(session: Session, gig: Gig) -> int:
    """How many of those who work on a gig have not answered yet."""
    query = sa.select(sa.func.count()).select_from(Consent).join(Consent.contract)
    return session.scalar(query.where(Contract.gig_id == gig.id, Consent.state == ConsentState.WAITING)) or 0


def waiting_on(session: Session, contract_ids: Iterable[int]) -> dict[int, Consent]:
    """The question that waits on each of these contracts (internal id) that has one."""
    query = sa.select(Consent).where(Consent.contract_id.in_(list(contract_ids)))
    return {
        each.contract_id: each for each in session.scalars(query.where(Consent.state == ConsentState.WAITING))
    }


def agreed(session: Session, contract: Contract) -> list[Agreed]:
    """The versions by which work on the contract may be used, the first one first. An hour is used by the
    last of them that was agreed to before it began."""
    first, query = contract.offer.data_use, sa.select(Consent).filter_by(contract_id=contract.id)
    given = session.scalars(query.where(Consent.state == ConsentState.GIVEN).order_by(Consent.answered_at))
    found = [Agreed(first, contract.signed_at, contract.signed_name)] if first else []
    later = [
        Agreed(each.data_use, each.answered_at, each.signed_name or "") for each in given if each.answered_at
    ]
    return [*found, *later]


def is_silent() -> sa.ColumnElement[bool]:
    """Questions whose days to answer were over before anything came of them, and to which nobody said yes."""
    late = sa.or_(Consent.answered_at.is_(None), Consent.answered_at > Consent.answer_by)
    return sa.and_(Consent.state != ConsentState.GIVEN, late)


def silent_in(start: Moment, end: Moment) -> sa.ColumnElement[bool]:
    """Those that were so in some part of [start, end)."""
    return sa.and_(
        Consent.answer_by < end, sa.or_(Consent.answered_at.is_(None), Consent.answered_at > start)
    )


def changed(before: DataUse | None, after: DataUse) -> list[Changed]:
    """What the later version says otherwise."""
    old = {each.code: each.text for each in data_use.said(before)} if before else {}
    return [_changed(each, old) for each in data_use.said(after) if old.get(each.code) != each.text]


def _changed(each: Said, old: dict[str, str]) -> Changed:
    return Changed(each.label, old.get(each.code, ""), each.text)


def refused(after: DataUse, refusals: Sequence[str]) -> list[Use]:
    """What the expert refuses once and for all, and the version is for."""
    return [Use(each) for each in after.uses or () if each in refusals]
