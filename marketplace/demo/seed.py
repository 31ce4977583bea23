"""The cast, their companies and what each has when the curtain rises. Quick: the site opens right after."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Organization, OrganizationKind, Person, SignIn
from marketplace.accounts.people import add_person, add_sign_in, create_platform, new_organization
from marketplace.actor import SITE, Actor
from marketplace.credentials import types
from marketplace.credentials.claims import submit_credential
from marketplace.credentials.models import Credential
from marketplace.credentials.reviews import attest, claim_review
from marketplace.db import use_case
from marketplace.demo.cast import CAST, Player
from marketplace.gigs.models import ExpertProfile
from marketplace.gigs.profiles import ProfileDraft, save_profile
from marketplace.money import Money

PROFILES = {
    "ana": ProfileDraft(
        headline="Emergency physician, 14 years in practice",
        domains=("29-1214",),
        languages=("en", "es"),
        min_rate=Money(150_00, "USD"),
        hours_per_week=10,
        about="I explain risk for a living. I want models to say what they do not know.",
        skills=("triage", "differential diagnosis", "patient letters"),
        refusals=("surveillance", "weapons"),
    ),
    "ben": ProfileDraft(
        headline="Contracts lawyer, 9 years in practice",
        domains=("23-1011",),
        languages=("en",),
        min_rate=Money(110_00, "USD"),
        hours_per_week=8,
        about="I read the footnotes first.",
        skills=("contracts", "drafting"),
    ),
}


def raise_curtain(session: Session, operator: str) -> None:
    """Bring the cast in. Repeating it changes nothing."""
    create_platform(session, operator, "US")
    for player in CAST:
        if session.scalar(sa.select(SignIn.id).filter_by(email=player.email)) is None:
            _bring_in(session, player)
    for key, draft in PROFILES.items():
        expert = actor_of(session, key)
        if session.get(ExpertProfile, expert.id) is None:
            save_profile(session, expert, draft)
    _claims(session)


def actor_of(session: Session, key: str) -> Actor:
    """One of the cast, with a second factor just given."""
    (player,) = (each for each in CAST if each.key == key)
    person_id = session.scalars(sa.select(SignIn.person_id).filter_by(email=player.email)).one()
    return actor_for(session, person_id, request_id="demo", second_factor_at=clock.now())


@use_case
def _bring_in(session: Session, player: Player) -> Person:
    organization = _organization(session, player.organization) if player.organization else None
    roles = [(role, organization) for role in player.roles]
    person = add_person(session, SITE, player.name, player.email, player.country, player.time_zone, roles)
    add_sign_in(session, person.id, player.email, player.password, totp_secret=player.totp_secret)
    return person


def _organization(session: Session, name: str) -> Organization:
    found = session.scalars(sa.select(Organization).filter_by(name=name)).first()
    if found is None:
        found = new_organization(session, SITE, OrganizationKind.CLIENT, name, "US")
        # Lumen Labs was looked at before the curtain rose; a new company waits for an operator.
        found.verified_at = clock.now()
    return found


def _claims(session: Session) -> None:
    """Ana's licence waits for the reviewer. Ben's was verified a year ago and has run out since."""
    ana, ben = actor_of(session, "ana"), actor_of(session, "ben")
    if not _has_claim(session, ana):
        expires = clock.now().date() + timedelta(days=500)
        submit_credential(session, ana, "us_medical_license", "US-NY", "284417", ana.name, expires)
    if not _has_claim(session, ben):
        with clock.at(clock.now() - timedelta(days=380)):
            _verified(session, ben, "us_bar", "US-IL", "6301875", clock.now().date() + timedelta(days=360))


def _has_claim(session: Session, actor: Actor) -> bool:
    return session.scalar(sa.select(Credential.id).filter_by(person_id=actor.id).limit(1)) is not None


@use_case
def _verified(session: Session, expert: Actor, type_: str, place: str, number: str, expires: date) -> None:
    claim = submit_credential(session, expert, type_, place, number, expert.name, expires)
    verify_claim(session, actor_of(session, "rev"), claim)


def verify_claim(session: Session, reviewer: Actor, claim: Credential) -> None:
    """Look at the source, and say that everything agrees."""
    kind = types.find(claim.type)
    if kind is None:
        raise LookupError(claim.type)
    claim_review(session, reviewer, claim.public_id)
    attest(
        session,
        reviewer,
        claim.public_id,
        kind.source_url(claim.jurisdiction, claim.identifier) or "https://example.com/register",
        clock.now().date(),
        kind.agree,
        valid_to=claim.expires_on,
    )
