"""Who somebody is changes nothing: swap all that says so, and every match stays as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Organization, Person
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.gigs.projection import rebuild_projections
from marketplace.matching import ranking
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, fund

NAMES = ("Ana Alvarez", "Mohammed Khan", "Wei Zhang", "Ifeoma Obi", "Lars Berg")


@pytest.fixture(autouse=True)
def one_day() -> Iterator[None]:
    with clock.at(clock.now()):
        yield


def matches(session: Session, gig: Gig) -> list[tuple[int, int, str]]:
    found = ranking.best_experts(session, gig.id)
    return [(person, match.score, match.digest) for person, match in found]


def test_swapping_names_addresses_and_words_changes_no_match(session: Session) -> None:
    client, _organization = a_client(session)
    project = a_project(session, client, session.scalars(sa.select(Organization.public_id)).one())
    fund(session, project.public_id, 1_000_000_00)
    for n, name in enumerate(NAMES):
        an_expert(session, name, min_rate=(100 + 10 * n) * 100)
    gig = a_gig(session, client, project)
    before = matches(session, gig)
    assert len(before) == len(NAMES)

    people = session.scalars(
        sa.select(Person).join(ExpertProfile, ExpertProfile.person_id == Person.id).order_by(Person.id)
    ).all()
    said = [(each.full_name, each.email, each.locale) for each in people]
    for each, (name, email, _locale) in zip(people, said[1:] + said[:1], strict=True):
        each.full_name, each.email = name, f"x{email}"
        profile = session.get_one(ExpertProfile, each.id)
        profile.headline, profile.about = f"I am {name}", "Mother of three, 61 years old, from Lagos."
    session.commit()
    rebuild_projections(session)
    assert matches(session, gig) == before
