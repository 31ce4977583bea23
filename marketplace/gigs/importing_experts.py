"""Experts from a file: read and checked row by row, written in bulk, and the same however often it is done.

Claims are added once, with the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import bulk, clock, money
from marketplace.accounts import bulk as people
from marketplace.accounts.models import Person
from marketplace.accounts.people import check_name
from marketplace.actor import Actor, Role
from marketplace.credentials import bulk as claims
from marketplace.credentials.bulk import Claim
from marketplace.db import use_case
from marketplace.errors import Invalid
from marketplace.gigs import importing, profiles, projection
from marketplace.gigs.importing import EXPERT, Before, Brought, parted
from marketplace.gigs.models import ExpertProfile
from marketplace.gigs.profiles import ProfileDraft
from marketplace.i18n import gettext as _

COLUMNS = (
    "external_id", "name", "email", "country", "time_zone", "languages", "domains", "skills", "min_rate",
    "currency", "hours_per_week", "headline", "credentials",
)  # fmt: skip


@dataclass(frozen=True)
class ExpertRow:
    """A row, checked. `digest` is of all that it said."""

    external_id: str
    digest: bytes
    person: people.PersonRow
    profile: ProfileDraft
    claims: tuple[Claim, ...]


def read_expert(row: Mapping[str, str]) -> ExpertRow:
    """Check a row: texts by the name of the column; lists are parted by `;`. Raises Invalid."""
    said = importing.said(row, COLUMNS)
    external_id = check_name(said["external_id"], "external_id")
    person = people.checked(said["name"], said["email"], said["country"], said["time_zone"])
    draft = ProfileDraft(
        headline=said["headline"],
        domains=tuple([importing.domain(each) for each in parted(said["domains"])]),
        languages=tuple([importing.language(each) for each in parted(said["languages"])]),
        min_rate=money.parse(said["min_rate"], importing.currency(said["currency"])),
        hours_per_week=importing.whole(said["hours_per_week"], "hours_per_week"),
        skills=parted(said["skills"]),
    )
    profiles.check(draft)
    held = tuple([_claim(each, person.full_name) for each in parted(said["credentials"])])
    return ExpertRow(external_id, importing.digest(said), person, draft, held)


def _claim(text: str, name: str) -> Claim:
    try:
        return claims.checked(text, name)
    except OverflowError:
        # The last day of the calendar has no day after it, on which the credential would end.
        raise Invalid(_("No day is that far away. Give an earlier one."), field="credentials") from None


@use_case
def bring_experts(
    session: Session, actor: Actor, source: str, rows: Sequence[ExpertRow], attested_by: int | None = None
) -> Brought:
    """Add or change the experts of these rows. `attested_by` (internal id) stands for all their credentials.

    Operators, or the site itself. Rows with an id or a number that is in use already are refused.
    """
    if actor.person_id is not None:
        actor.require(Role.OPERATOR)
    before = importing.before(session, EXPERT, source, [row.external_id for row in rows])
    refused = _refused(session, rows, before)
    counted = [row for place, row in enumerate(rows) if place not in refused]
    new = [row for row in counted if row.external_id not in before]
    changed = [
        row for row in counted if row.external_id in before and before[row.external_id].digest != row.digest
    ]
    _add(session, actor, source, new, attested_by)
    for row in changed:
        _change(session, source, before[row.external_id].internal_id, row)
    return Brought(len(new), len(changed), len(counted) - len(new) - len(changed), refused)


def _add(
    session: Session, actor: Actor, source: str, rows: Sequence[ExpertRow], attested_by: int | None
) -> None:
    if not rows:
        return
    ids = people.bring_in(session, actor, [row.person for row in rows], Role.EXPERT)
    pairs = list(zip(ids, rows, strict=True))
    said = {id_: profiles.kept(row.profile) for id_, row in pairs}
    written = ({"public_id": bulk.new_public_id(), "person_id": id_, **kept} for id_, kept in said.items())
    bulk.copy(session, ExpertProfile, written, updated_at=clock.now())
    importing.remember(session, EXPERT, source, ((id_, row.external_id, row.digest) for id_, row in pairs))
    held = [(id_, claim) for id_, row in pairs for claim in row.claims]
    claims.bring_in(session, held, attested_by, _("Imported from %(source)s", source=source))
    told = ((id_, row.person, said[id_], row.claims) for id_, row in pairs)
    projection.push_new(session, told, checked=attested_by is not None)


def _change(session: Session, source: str, person_id: int, row: ExpertRow) -> None:
    profile = session.get_one(ExpertProfile, person_id, with_for_update=True)
    # What the file does not know of stays.
    draft = replace(row.profile, about=profile.about, refusals=tuple(profile.refusals))
    profiles.write(profile, draft)
    importing.remember_change(session, EXPERT, source, row.external_id, row.digest)
    projection.push_expert(session, person_id)


def _refused(session: Session, rows: Sequence[ExpertRow], before: Mapping[str, Before]) -> dict[int, str]:
    """Which rows cannot be, because of what is here or stands above them, and why."""
    addresses = _addresses(session, [row.person.email for row in rows if row.external_id not in before])
    taken = claims.taken(session, [each.hash for row in rows for each in row.claims if each.hash])
    refused: dict[int, str] = {}
    seen: set[str] = set()
    for place, row in enumerate(rows):
        numbers = {each.hash for each in row.claims if each.hash}
        if row.external_id in seen:
            refused[place] = _("The id %(id)s stands in the file before.", id=row.external_id)
        elif row.external_id in before:
            pass
        elif row.person.email in addresses:
            refused[place] = _("Somebody with this e-mail address is here already.")
        elif numbers & taken:
            refused[place] = _("The number of a credential is here already.")
        else:
            addresses.add(row.person.email)
            taken |= numbers
        seen.add(row.external_id)
    return refused


def _addresses(session: Session, emails: Sequence[str]) -> set[str]:
    wanted = Person.email == sa.any_(sa.literal(list(emails), sa.ARRAY(sa.Text)))
    return set(session.scalars(sa.select(Person.email).where(wanted)))
