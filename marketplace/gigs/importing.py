"""Experts from a file: read and checked row by row, written in bulk, and the same however often it is done.

A file's own id of a row is remembered with what the row said. The same again changes nothing; something
else changes the profile. Claims are added once, with the person.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import bulk, clock, money
from marketplace.accounts import bulk as people
from marketplace.accounts.models import Person
from marketplace.accounts.people import check_name
from marketplace.actor import Actor, Role
from marketplace.credentials import bulk as claims
from marketplace.credentials.bulk import Claim
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid
from marketplace.gigs import profiles, projection
from marketplace.gigs.models import ExpertProfile, ExternalId
from marketplace.gigs.profiles import ProfileDraft
from marketplace.i18n import gettext as _
from marketplace.matching import domains

EXPERT = "expert"
COLUMNS = (
    "external_id", "name", "email", "country", "time_zone", "languages", "domains", "skills", "min_rate",
    "currency", "hours_per_week", "headline", "credentials",
)  # fmt: skip
MOST_ID = 200


@dataclass(frozen=True)
class ExpertRow:
    """A row, checked. `digest` is of all that it said."""

    external_id: str
    digest: bytes
    person: people.PersonRow
    profile: ProfileDraft
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Brought:
    """How many were new, changed and known; and of which rows (by position) it is said why they were not."""

    new: int
    changed: int
    known: int
    refused: Mapping[int, str]


def read_expert(row: Mapping[str, str]) -> ExpertRow:
    """Check a row: texts by the name of the column; lists are parted by `;`. Raises Invalid."""
    said = {name: (row.get(name) or "").strip() for name in COLUMNS}
    external_id = check_name(said["external_id"], "external_id")
    person = people.checked(said["name"], said["email"], said["country"], said["time_zone"])
    draft = ProfileDraft(
        headline=said["headline"],
        domains=tuple(_domain(each) for each in _list(said["domains"])),
        languages=_list(said["languages"]),
        min_rate=money.parse(said["min_rate"], _currency(said["currency"])),
        hours_per_week=_whole(said["hours_per_week"]),
        skills=_list(said["skills"]),
    )
    profiles.check(draft)
    held = tuple(claims.checked(each, person.full_name) for each in _list(said["credentials"]))
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
    return ExpertRow(external_id, digest, person, draft, held)


@use_case
def bring_experts(
    session: Session, actor: Actor, source: str, rows: Sequence[ExpertRow], attested_by: int | None = None
) -> Brought:
    """Add or change the experts of these rows. `attested_by` (internal id) stands for all their credentials.

    Operators, or the site itself. Rows with an id or a number that is in use already are refused.
    """
    if actor.person_id is not None:
        actor.require(Role.OPERATOR)
    before = _before(session, source, [row.external_id for row in rows])
    refused = _refused(session, rows, before)
    counted = [row for place, row in enumerate(rows) if place not in refused]
    new = [row for row in counted if row.external_id not in before]
    changed = [
        row for row in counted if row.external_id in before and before[row.external_id][1] != row.digest
    ]
    _add(session, actor, source, new, attested_by)
    for row in changed:
        _change(session, source, before[row.external_id][0], row)
    return Brought(len(new), len(changed), len(counted) - len(new) - len(changed), refused)


def _add(
    session: Session, actor: Actor, source: str, rows: Sequence[ExpertRow], attested_by: int | None
) -> None:
    if not rows:
        return
    now, ids = clock.now(), people.bring_in(session, actor, [row.person for row in rows], Role.EXPERT)
    pairs = list(zip(ids, rows, strict=True))
    bulk.copy(
        session, ExpertProfile, (_profile(id_, row.profile) | {"updated_at": now} for id_, row in pairs)
    )
    bulk.copy(session, ExternalId, (_external(source, id_, row) for id_, row in pairs))
    held = [(id_, claim) for id_, row in pairs for claim in row.claims]
    claims.bring_in(session, held, attested_by, _("Imported from %(source)s", source=source))
    projection.push_new(session, ids)


def _change(session: Session, source: str, person_id: int, row: ExpertRow) -> None:
    profile = session.get_one(ExpertProfile, person_id, with_for_update=True)
    profiles.write(profile, row.profile)
    known = sa.update(ExternalId).filter_by(kind=EXPERT, source=source, external_id=row.external_id)
    session.execute(known.values(digest=row.digest))
    projection.push_expert(session, person_id)


def _before(session: Session, source: str, ids: Sequence[str]) -> dict[str, tuple[int, bytes]]:
    """Internal id and digest of those who came before."""
    wanted = ExternalId.external_id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Text)))
    rows = session.execute(
        sa.select(ExternalId.external_id, ExternalId.internal_id, ExternalId.digest).where(
            ExternalId.kind == EXPERT, ExternalId.source == source, wanted
        )
    )
    return {external_id: (internal_id, digest) for external_id, internal_id, digest in rows}


def _refused(
    session: Session, rows: Sequence[ExpertRow], before: Mapping[str, tuple[int, bytes]]
) -> dict[int, str]:
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


def _profile(person_id: int, draft: ProfileDraft) -> dict[str, object]:
    return {"public_id": new_id(), "person_id": person_id, **profiles.kept(draft)}


def _external(source: str, person_id: int, row: ExpertRow) -> dict[str, object]:
    return {
        "kind": EXPERT,
        "source": source,
        "external_id": row.external_id,
        "internal_id": person_id,
        "digest": row.digest,
    }


def _list(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(";") if each.strip())


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise Invalid(_("Give the hours a week as a whole number."), field="hours_per_week")
    return int(text)


def _currency(code: str) -> str:
    try:
        money.exponent(code)
    except ValueError:
        raise Invalid(
            _("The currency %(code)s is not known here.", code=code or "?"), field="currency"
        ) from None
    return code


@lru_cache(maxsize=1_000)
def _domain(name: str) -> str:
    """A domain by its code or its title."""
    if domains.known(name):
        return name
    found = domains.by_title().get(name.casefold())
    if found is None:
        raise Invalid(_("There is no domain %(name)s.", name=name), field="domains")
    return found
