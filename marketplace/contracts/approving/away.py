"""While somebody is away a colleague decides about weeks for them, and it is written down for whom."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock
from marketplace.accounts.delegations import seen_by, stood_in_for
from marketplace.accounts.models import Delegation, Organization, Person, RoleGrant
from marketplace.actor import CLIENT, Actor
from marketplace.contracts.approving.models import FirstApproval
from marketplace.contracts.models import Contract
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs import find
from marketplace.gigs.members import tell
from marketplace.i18n import day
from marketplace.i18n import gettext as _

MOST_DAYS = 60
DAY = timedelta(days=1)
PATH = "/away"


@use_case
def delegate(
    session: Session,
    actor: Actor,
    organization_public_id: uuid.UUID,
    delegate_public_id: uuid.UUID,
    first_day: date,
    last_day: date,
) -> Delegation:
    """Let a colleague decide about weeks from `first_day` to `last_day`, whole days on one's own clock.

    Raises NotFound for who is not in the organization, NotAllowed for who does not approve there, Invalid for
    days that are past, the wrong way round or more than sixty, and for oneself; Refused when somebody stands
    in for some of these days already.
    """
    organization = find.organization(session, actor, organization_public_id)
    actor.require(*CLIENT, organization_id=organization.id)
    colleague = _colleague(session, organization, delegate_public_id)
    if colleague.id == actor.id:
        raise Invalid(_("Choose somebody else: you are the one who is away."), field="colleague")
    me = session.get_one(Person, actor.id, with_for_update={"key_share": True})
    _require_days(me, first_day, last_day)
    made = Delegation(
        public_id=new_id(),
        organization_id=organization.id,
        person_id=actor.id,
        delegate_id=colleague.id,
        first_day=first_day,
        last_day=last_day,
        starts_at=clock.midnight(first_day, me.time_zone),
        ends_at=clock.midnight(last_day + DAY, me.time_zone),
        made_at=clock.now(),
    )
    _require_free(session, made)
    session.add(made)
    session.flush()
    audit.record(
        session, actor, "delegation.made", "delegation", made.public_id, delegate=colleague.public_id,
        organization=organization.public_id, first_day=first_day, last_day=last_day,
    )  # fmt: skip
    tell(session, colleague.id, "delegation.made", PATH, lambda: _asked(made, me))
    return made


@use_case
def take_back_delegation(session: Session, actor: Actor, public_id: uuid.UUID) -> Delegation:
    """End it from this moment on: who is away, who stands in, or an admin. Raises NotFound."""
    query = sa.select(Delegation).where(
        Delegation.public_id == public_id, seen_by(actor), Delegation.ended_at.is_(None)
    )
    found = session.scalars(query.with_for_update()).one_or_none()
    if found is None or found.ends_at <= clock.now():
        raise NotFound(_("There is no such thing any more: it has ended already."))
    found.ended_at, found.ended_by = clock.now(), actor.person_id
    audit.record(session, actor, "delegation.ended", "delegation", found.public_id)
    for person_id in {found.person_id, found.delegate_id} - {actor.person_id}:
        tell(session, person_id, "delegation.ended", PATH, lambda: _ended(found))
    return found


def acting_for(
    session: Session, actor: Actor, contract: Contract, first: FirstApproval | None = None
) -> Delegation | None:
    """For whom `actor` decides about the contract's weeks now; None for themselves.

    Never for the expert, and as the second never for who gave the first: that would be one voice twice.
    """
    voices = {contract.person_id} | ({first.person_id, first.for_person_id} if first else set())
    found = stood_in_for(session, actor, contract.organization_id)
    return next((each for each in found if each.person_id not in voices), None)


def colleagues(session: Session, actor: Actor) -> list[tuple[Organization, Person]]:
    """Who could stand in for one, in each of one's organizations, by name."""
    query = (
        sa.select(Organization, Person)
        .join(RoleGrant, RoleGrant.organization_id == Organization.id)
        .join(Person, Person.id == RoleGrant.person_id)
        .where(Organization.id.in_(actor.organizations(*CLIENT)), RoleGrant.ended_at.is_(None))
        .where(Person.id != actor.id, Person.closed_at.is_(None))
        .order_by(Organization.name, Person.full_name, Person.id)
        .distinct()
    )
    return [(organization, person) for organization, person in session.execute(query)]


def to_come(session: Session, actor: Actor) -> Sequence[Delegation]:
    """Those that count now or later, of which one may know, the next first."""
    query = sa.select(Delegation).where(
        seen_by(actor), Delegation.ended_at.is_(None), Delegation.ends_at > clock.now()
    )
    all_three = (
        joinedload(Delegation.person),
        joinedload(Delegation.delegate),
        joinedload(Delegation.organization),
    )
    return session.scalars(query.options(*all_three).order_by(Delegation.starts_at, Delegation.id)).all()


def _colleague(session: Session, organization: Organization, public_id: uuid.UUID) -> Person:
    query = sa.select(Person).where(
        Person.public_id == public_id,
        Person.closed_at.is_(None),
        sa.exists().where(
            RoleGrant.person_id == Person.id,
            RoleGrant.organization_id == organization.id,
            RoleGrant.ended_at.is_(None),
        ),
    )
    return find.there(session.scalars(query).one_or_none())


def _require_days(me: Person, first_day: date, last_day: date) -> None:
    if first_day < clock.today(me.time_zone):
        raise Invalid(_("Begin today or later."), field="first_day")
    if last_day < first_day:
        raise Invalid(_("The last day comes before the first."), field="last_day")
    if (last_day - first_day).days >= MOST_DAYS:
        sentence = _("At most %(days)s days at a time. After that, name somebody again.", days=MOST_DAYS)
        raise Invalid(sentence, field="last_day")


def _require_free(session: Session, made: Delegation) -> None:
    query = sa.select(Delegation).where(
        Delegation.organization_id == made.organization_id,
        Delegation.person_id == made.person_id,
        Delegation.ended_at.is_(None),
        Delegation.starts_at < made.ends_at,
        Delegation.ends_at > made.starts_at,
    )
    if session.scalars(query.limit(1)).first():
        raise Refused(_("Somebody stands in for you on some of these days already. Take that back first."))


def _asked(made: Delegation, me: Person) -> tuple[str, str]:
    return (
        _("You stand in for %(who)s", who=me.full_name),
        _(
            "From %(first)s to %(last)s you approve and return the weeks of %(company)s for them. It ends by "
            "itself. If you cannot, give it back.",
            first=day(made.first_day),
            last=day(made.last_day),
            company=made.organization.name,
        ),
    )


def _ended(found: Delegation) -> tuple[str, str]:
    return (
        _("Standing in has ended"),
        _(
            "%(delegate)s does not stand in for %(who)s at %(company)s any more.",
            delegate=found.delegate.full_name,
            who=found.person.full_name,
            company=found.organization.name,
        ),
    )
