"""Where a client is for tax: its admin says it, and finance confirms it before it counts.

The form of a number shows nothing but that it was typed rightly; only its register says whose it is. So a
number frees from our tax once a person of finance has looked it up and said so.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.accounts.people import countries
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts.fees import queries as fees
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.contracts.taxes import queries, writing
from marketplace.contracts.taxes.models import TaxProfile
from marketplace.contracts.taxes.numbers import checked
from marketplace.contracts.taxes.setting import REGION, lock
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs.members import tell_client
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.text import line, paragraph

SHORTEST_NOTE = 10


@dataclass(frozen=True)
class ProfileDraft:
    """A country (two letters) and a region or nothing; whether it is a business, and its number for tax."""

    country: str
    region: str
    business: bool
    vat_id: str


@use_case
def say_where(session: Session, actor: Actor, organization_id: uuid.UUID, draft: ProfileDraft) -> TaxProfile:
    """Write down what a client's admin says; finance confirms or refuses it. What waited is taken back.

    Raises NotFound, NotAllowed; Invalid for a country or a number that cannot be.
    """
    organization = _organization(session, organization_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=organization.id)
    values = _checked(draft)
    waits = sa.select(TaxProfile).filter_by(organization_id=organization.id, state=OfferState.MADE)
    for each in session.scalars(waits.with_for_update()):
        _decide(session, actor, each, OfferState.WITHDRAWN)
    profile = TaxProfile(
        organization=organization,
        **values,
        state=OfferState.MADE,
        made_by=actor.id,
        made_at=clock.now(),
    )
    session.add(profile)
    session.flush()
    audit.record(session, actor, "tax_profile.said", "organization", organization.public_id, **values)
    return profile


@use_case
def confirm_profile(session: Session, actor: Actor, public_id: uuid.UUID, note: str) -> TaxProfile:
    """Let it count from the first day on that no reserved week of the client reaches. `note` says what was
    looked up, and where. The client is told.

    Raises NotFound, NotAllowed for anybody but finance or for one's own; Invalid without a note.
    """
    actor.require(*FINANCE)
    lock(session)
    profile = queries.profile(session, actor, public_id)
    if profile.made_by == actor.id:
        raise NotAllowed(_("You said this yourself, so somebody else has to confirm it."))
    said = _note(note, _("Say what you looked up and where, for example the answer of VIES."))
    first = first_day(session, profile.organization_id)
    if any(each.from_on == first for each in queries.confirmed(session, profile.organization_id)):
        raise Refused(
            _("Other details of this client begin on %(day)s. Confirm these later.", day=day(first))
        )
    profile.note, profile.from_on = said, first
    _decide(session, actor, profile, OfferState.ACCEPTED)
    writing.write_for(session, profile.organization_id, first)
    _tell(
        session,
        profile,
        _("Your billing details are confirmed"),
        _("They count for work from %(day)s on.", day=day(first)),
    )
    return profile


@use_case
def refuse_profile(session: Session, actor: Actor, public_id: uuid.UUID, note: str) -> TaxProfile:
    """Say no, with a reason that the client reads. What counted before counts on."""
    actor.require(*FINANCE)
    profile = queries.profile(session, actor, public_id)
    profile.note = _note(note, _("Say why in a sentence, which the client reads."))
    _decide(session, actor, profile, OfferState.DECLINED)
    _tell(session, profile, _("Your billing details were not confirmed"), profile.note)
    return profile


def first_day(session: Session, organization_id: int) -> date:
    """The first day that no reserved week of a client (internal id) reaches, and on which nobody works."""
    return fees.earliest(session, organization_id, None, clock.today("Pacific/Kiritimati"))


def _organization(session: Session, public_id: uuid.UUID) -> Organization:
    query = sa.select(Organization).filter_by(public_id=public_id, kind=OrganizationKind.CLIENT)
    found = session.scalars(query.with_for_update(key_share=True)).one_or_none()
    if found is None:
        raise NotFound(_("There is no such company."))
    return found


def _checked(draft: ProfileDraft) -> dict[str, str | bool | None]:
    country, region, number = draft.country.upper(), draft.region.strip().upper(), line(draft.vat_id)
    if country not in countries():
        raise Invalid(_("Choose a country."), field="country")
    if not REGION.fullmatch(region):
        raise Invalid(_("Write the region as its letters, such as CA, or leave it empty."), field="region")
    if number and not draft.business:
        raise Invalid(
            _("Only a business has a number for tax. Say that it is one, or empty this."), field="vat_id"
        )
    if len(number) > 40:
        raise Invalid(_("Use at most %(n)s characters.", n=40), field="vat_id")
    return {
        "country": country,
        "region": region,
        "business": draft.business,
        "vat_id": checked(country, number) if number else None,
    }


def _note(text: str, ask: str) -> str:
    said = paragraph(text)
    if len(said) < SHORTEST_NOTE:
        raise Invalid(ask, field="note")
    return said


def _decide(session: Session, actor: Actor, profile: TaxProfile, to: OfferState) -> None:
    move(profile, to, OFFER_MOVES)
    profile.decided_by, profile.decided_at = actor.id, clock.now()
    session.flush()
    audit.record(session, actor, f"tax_profile.{to}", "tax_profile", profile.public_id, note=profile.note)


def _tell(session: Session, profile: TaxProfile, title: str, text: str) -> None:
    path = f"/billing/{profile.organization.public_id}"
    tell_client(session, profile.organization_id, "tax.profile", path, lambda: (title, text))
