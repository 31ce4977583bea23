"""Reading rates, what clients said about themselves, and what was decided from both."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.actor import Actor
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes.models import TaxDecision, TaxProfile, TaxRate
from marketplace.contracts.taxes.schedule import rate_on
from marketplace.errors import NotFound
from marketplace.gigs.find import visible
from marketplace.i18n import gettext as _


def decided(session: Session, organization_id: int) -> Sequence[TaxDecision]:
    """What can apply to our fee for a client's work: its own decisions, and those of clients without any."""
    own = sa.or_(TaxDecision.organization_id == organization_id, TaxDecision.organization_id.is_(None))
    return session.scalars(sa.select(TaxDecision).where(own).order_by(TaxDecision.id)).all()


def accepted_rates(session: Session) -> Sequence[TaxRate]:
    """All that two people accepted, by their day."""
    return session.scalars(
        sa.select(TaxRate).filter_by(state=OfferState.ACCEPTED).order_by(TaxRate.from_on, TaxRate.id)
    ).all()


def every_rate(session: Session) -> Sequence[TaxRate]:
    """All rates for finance, by place, the newest day first."""
    return session.scalars(
        sa.select(TaxRate)
        .options(joinedload(TaxRate.maker), joinedload(TaxRate.decider))
        .order_by(TaxRate.country, TaxRate.region, TaxRate.from_on.desc(), TaxRate.id)
    ).all()


def rate(session: Session, public_id: uuid.UUID) -> TaxRate:
    """One rate, locked; finance sees all. Raises NotFound."""
    found = session.scalars(sa.select(TaxRate).filter_by(public_id=public_id).with_for_update()).one_or_none()
    if found is None:
        raise NotFound(_("There is no such rate."))
    return found


def profile(session: Session, actor: Actor, public_id: uuid.UUID) -> TaxProfile:
    """What a client said once, if `actor` may see it, locked. Raises NotFound."""
    found = visible(session, actor, TaxProfile, public_id)
    session.refresh(found, with_for_update={"of": TaxProfile})
    return found


def confirmed(session: Session, organization_id: int) -> Sequence[TaxProfile]:
    """What finance confirmed of a client, by its day."""
    query = sa.select(TaxProfile).filter_by(organization_id=organization_id, state=OfferState.ACCEPTED)
    return session.scalars(query.order_by(TaxProfile.from_on)).all()


def profiles_of(session: Session, organization_id: int) -> Sequence[TaxProfile]:
    """All that a client said, the newest first."""
    query = sa.select(TaxProfile).filter_by(organization_id=organization_id)
    options = (joinedload(TaxProfile.maker), joinedload(TaxProfile.decider))
    return session.scalars(query.options(*options).order_by(TaxProfile.id.desc())).all()


def waiting_profiles(session: Session) -> Sequence[TaxProfile]:
    """What clients said and nobody confirmed or refused, the oldest first."""
    query = sa.select(TaxProfile).filter_by(state=OfferState.MADE).order_by(TaxProfile.id)
    return session.scalars(
        query.options(joinedload(TaxProfile.organization), joinedload(TaxProfile.maker))
    ).all()


def clients(session: Session) -> Sequence[Organization]:
    """All clients, by name."""
    query = sa.select(Organization).filter_by(kind=OrganizationKind.CLIENT)
    return session.scalars(query.order_by(Organization.name, Organization.id)).all()


def rate_of(session: Session, organization_id: int, on: date) -> int:
    """The tax on our fee for a client's work of a day, in hundredths of a per cent of the fee."""
    return rate_on(decided(session, organization_id), on)
