"""Making people: who registers, who is brought in, and the first who runs the site."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import sqlalchemy as sa
from babel import Locale
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from marketplace import audit, clock, i18n
from marketplace.accounts import passwords
from marketplace.accounts.grants import give
from marketplace.accounts.models import (
    FactorKind,
    Organization,
    OrganizationKind,
    Person,
    SecondFactor,
    SignIn,
    Theme,
)
from marketplace.actor import SITE, Actor, Role
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.text import line

MOST_NAME = 200
# The part before the @ as nearly everybody has it (RFC 5321 4.5.3.1.1 for its length).
MOST_LOCAL = 64
PLAIN = re.compile(r"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*")


@use_case
def create_platform(session: Session, name: str, country: str) -> Organization:
    """The organization that runs the site. Repeating it changes nothing and returns the same."""
    found = session.scalars(sa.select(Organization).filter_by(kind=OrganizationKind.PLATFORM)).first()
    return found or new_organization(session, SITE, OrganizationKind.PLATFORM, name, country)


@use_case
def add_person(
    session: Session,
    actor: Actor,
    full_name: str,
    email: str,
    country: str,
    time_zone: str,
    roles: Iterable[tuple[Role, Organization | None]] = (),
) -> Person:
    """A person who cannot sign in yet, with roles: for imports and for the demo's history.

    Operators, or the site itself. Raises Invalid for a name, address, country or zone that cannot be.
    """
    if actor.person_id is not None:
        actor.require(Role.OPERATOR)
    person = new_person(session, actor, full_name, email, country, time_zone)
    for role, organization in roles:
        give(session, actor, person, role, organization)
    return person


@use_case
def add_sign_in(
    session: Session, person_id: int, email: str, password: str, *, totp_secret: str | None = None
) -> SignIn:
    """A sign-in whose address needs no mail to be verified, and the second factor if a secret is given.

    Done by the site: for the first operator, who has nobody to be invited by, and for the demo's people.
    """
    person = session.get_one(Person, person_id)
    sign_in = new_sign_in(session, person, email, password)
    sign_in.email_verified_at = clock.now()
    if totp_secret:
        session.add(
            SecondFactor(
                sign_in_id=sign_in.id, kind=FactorKind.TOTP, label=_("Authenticator app"),
                secret=totp_secret, created_at=clock.now(), confirmed_at=clock.now(),
            )
        )  # fmt: skip
    audit.record(session, SITE, "add", "sign_in", sign_in.public_id, person=person.public_id)
    return sign_in


@use_case
def save_preferences(
    session: Session, actor: Actor, *, theme: str | None = None, time_zone: str | None = None
) -> None:
    """How pages look and in which zone times are shown; what is None stays as it was."""
    person = session.get_one(Person, actor.id)
    if theme is not None:
        person.theme = Theme(theme) if theme in set(Theme) else Theme.SYSTEM
    if time_zone is not None:
        person.time_zone = check_time_zone(time_zone)


def new_person(
    session: Session, actor: Actor, full_name: str, email: str, country: str, time_zone: str
) -> Person:
    """A person, in the running transaction."""
    person = Person(
        public_id=new_id(),
        full_name=check_name(full_name, "full_name"),
        email=address(email),
        country=check_country(country),
        time_zone=check_time_zone(time_zone),
        locale=i18n.current_locale(),
        theme=Theme.SYSTEM,
        created_at=clock.now(),
    )
    session.add(person)
    session.flush()
    audit.record(session, actor, "add", "person", person.public_id)
    return person


def new_organization(
    session: Session, actor: Actor, kind: OrganizationKind, name: str, country: str
) -> Organization:
    """An organization that nobody has verified yet, in the running transaction."""
    organization = Organization(
        public_id=new_id(),
        kind=kind,
        name=check_name(name, "organization_name"),
        country=check_country(country),
        created_at=clock.now(),
    )
    session.add(organization)
    session.flush()
    audit.record(session, actor, "add", "organization", organization.public_id, kind=kind)
    return organization


def new_sign_in(session: Session, person: Person, email: str, password: str) -> SignIn:
    """A sign-in whose address is not verified yet, in the running transaction. Raises Invalid."""
    kept = address(email)
    passwords.check(password, person.full_name, kept)
    sign_in = SignIn(
        public_id=new_id(),
        person_id=person.id,
        person=person,
        email=kept,
        password_hash=passwords.hashed(password),
        created_at=clock.now(),
    )
    session.add(sign_in)
    session.flush()
    return sign_in


def address(email: str) -> str:
    """The address as it is kept: one, valid, lower-cased. Raises Invalid.

    Lower-casing can join two addresses that a mail server might tell apart (RFC 5321 2.4); none does, and
    people type their own in both ways.
    """
    local, _at, domain = email.strip().rpartition("@")
    if len(local) <= MOST_LOCAL and PLAIN.fullmatch(local):
        return f"{local.lower()}@{_checked('name', domain).partition('@')[2]}"
    return _checked(local, domain)


@lru_cache(maxsize=1_000)
def _checked(local: str, domain: str) -> str:
    """Checking takes its time, and a file names the same domains again and again."""
    try:
        found = validate_email(f"{local}@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Invalid(_("Check the e-mail address. It looks like name@example.com."), field="email") from None
    return found.normalized.lower()


def check_name(text: str, field: str) -> str:
    """The name as it is kept. Raises Invalid, naming `field`."""
    kept = line(text)
    if not kept:
        raise Invalid(_("Fill in the name."), field=field)
    if len(kept) > MOST_NAME:
        raise Invalid(_("Use at most %(most)s characters.", most=MOST_NAME), field=field)
    return kept


def check_country(code: str) -> str:
    """The code, when it is a country's. Raises Invalid."""
    if code not in countries():
        raise Invalid(_("Choose a country from the list."), field="country")
    return code


def check_time_zone(name: str) -> str:
    """The name, when it is a zone's. Raises Invalid."""
    if name not in clock.zones():
        raise Invalid(_("Choose a time zone from the list."), field="time_zone")
    return name


# In CLDR's list, but regions, groups, or codes kept for tests (CLDR supplemental data; ISO 3166-1).
NOT_COUNTRIES = frozenset(
    {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"}
)


def countries() -> dict[str, str]:
    """ISO 3166-1 alpha-2 codes and the names of the countries in the reader's language, sorted by name."""
    named = Locale.parse(i18n.current_locale()).territories.items()
    known = [(code, name) for code, name in named if len(code) == 2 and code not in NOT_COUNTRIES]
    # Taken apart, a letter with a mark stands beside the letter: Åland with the A, not after Zimbabwe.
    return dict(sorted(known, key=lambda each: unicodedata.normalize("NFKD", each[1])))


def country_name(code: str) -> str:
    """What a country is called in the reader's language."""
    return countries().get(code, code)
