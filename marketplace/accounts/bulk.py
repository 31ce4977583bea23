"""Many people at once, who cannot sign in yet: for imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, bulk, clock, i18n
from marketplace.accounts.models import Person, Theme
from marketplace.accounts.people import address, check_country, check_name, check_time_zone
from marketplace.actor import Actor, Role
from marketplace.db import new_id

GIVE = """
    INSERT INTO role_grants (public_id, person_id, role, granted_by, granted_at)
    SELECT uuidv7(), id, :role, :by, :at FROM unnest(CAST(:ids AS bigint[])) AS id
"""


@dataclass(frozen=True)
class PersonRow:
    """Somebody as a file names them."""

    full_name: str
    email: str
    country: str
    time_zone: str


def checked(full_name: str, email: str, country: str, time_zone: str) -> PersonRow:
    """As they are kept. Raises Invalid, naming the first field that cannot be."""
    return PersonRow(
        check_name(full_name, "full_name"), address(email), known_country(country), known_zone(time_zone)
    )


def bring_in(session: Session, actor: Actor, people: Sequence[PersonRow], role: Role) -> Sequence[int]:
    """Add them all with this role, in the running transaction; their internal ids, in the same order.

    The trail says so once for all of them. Checks no rights.
    """
    now, ids = clock.now(), bulk.new_keys(session, Person, len(people))
    common = {"locale": i18n.current_locale(), "theme": Theme.SYSTEM, "created_at": now}
    rows = (
        {"id": id_, "public_id": bulk.new_public_id(), **vars(each)}
        for id_, each in zip(ids, people, strict=True)
    )
    bulk.copy(session, Person, rows, **common)
    session.execute(sa.text(GIVE), {"ids": list(ids), "role": role.value, "by": actor.person_id, "at": now})
    audit.record(session, actor, "import", "people", new_id(), count=len(people), role=role)
    return ids


# A list of all countries or zones is long to make, and a file names the same few again and again.
known_country = lru_cache(maxsize=500)(check_country)
known_zone = lru_cache(maxsize=1_000)(check_time_zone)
