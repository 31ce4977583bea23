"""From a client's first project to a gig that experts see."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs import find
from marketplace.gigs.applications import apply
from marketplace.gigs.drafts import GigDraft, draft_gig, edit_gig
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.gigs.profiles import ProfileDraft, save_profile
from marketplace.gigs.publishing import close_gig, pause_gig, publish_gig
from marketplace.gigs.states import GigState, ProjectState
from marketplace.matching import ranking
from tests.factories.gigs import RADIOLOGY, a_client, a_draft, a_gig, a_project, an_expert, fund, licence


def test_whoever_refuses_a_use_is_not_asked_for_it(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 100_000_00)
    ana, ben = an_expert(session), an_expert(session, "Ben Expert")
    kept = session.get_one(ExpertProfile, ana.id)
    refusing = ProfileDraft(
        kept.headline, tuple(kept.domains), tuple(kept.languages), kept.asked, 20, refusals=("weapons",)
    )
    save_profile(session, ana, refusing)
    gig = a_gig(session, client, project, uses=("weapons",))
    assert [person for person, _match in ranking.best_experts(session, gig.id)] == [ben.id]
    assert ranking.best_gigs(session, ana.id) == []
    with pytest.raises(Refused, match="It is for something that you refuse: weapons or warfare"):
        apply(session, ana, gig.public_id, "")
    edit_gig(session, client, gig.public_id, a_draft(uses=("resale",)))
    assert {person for person, _match in ranking.best_experts(session, gig.id)} == {ana.id, ben.id}
    with pytest.raises(Invalid, match="any of the uses that some refuse"):
        edit_gig(session, client, gig.public_id, a_draft(uses=None))


def test_it_works(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    ana = an_expert(session)
    gig = a_gig(session, client, project)
    assert gig.state is GigState.PUBLISHED
    assert project.state is ProjectState.OPEN
    [(gig_id, match)] = ranking.best_gigs(session, ana.id)
    assert gig_id == gig.id
    assert match.eligible
    assert find.gig(session, ana, gig.public_id) is gig


def test_an_organization_that_nobody_verified_starts_nothing(session: Session) -> None:
    client, organization = a_client(session, verified=False)
    with pytest.raises(Refused):
        a_project(session, client, organization)


def test_publishing_names_everything_that_is_missing(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    gig = draft_gig(session, client, project.public_id, GigDraft(title="Something", domain=RADIOLOGY))
    with pytest.raises(Refused) as refusal:
        publish_gig(session, client, gig.public_id)
    assert "highest hourly rate" in refusal.value.sentence
    for asked in ("what the work trains", "may be used in", "who owns", "how long the work is kept"):
        assert asked in refusal.value.sentence
    assert "domain" not in refusal.value.sentence


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "  "}, "title"),
        ({"domain": "astrology"}, "domain"),
        ({"rate_max": 50_00}, "rate_max"),
        ({"hours_per_week": 81}, "hours_per_week"),
        ({"headcount": 0}, "headcount"),
        ({"time_zone": "Mars/Olympus", "shared_hours": 2}, "time_zone"),
        ({"time_zone": "Europe/Berlin"}, "shared_hours"),
        ({"time_zone": "Europe/Berlin", "shared_hours": 9}, "shared_hours"),
        ({"shared_hours": 2}, "time_zone"),
        ({"requirements": (licence("US-CA"), licence("US-CA"))}, "requirements"),
        ({"requirements": tuple(licence(f"US-{s}") for s in ("CA", "NY", "TX", "WA"))}, "requirements"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    session: Session, changes: dict[str, object], field: str
) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    with pytest.raises(Invalid) as refusal:
        draft_gig(session, client, project.public_id, a_draft(**changes))
    assert refusal.value.field == field


def test_a_paused_gig_is_not_found_and_comes_back(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    ana = an_expert(session)
    gig = a_gig(session, client, project)
    pause_gig(session, client, gig.public_id)
    assert ranking.best_gigs(session, ana.id) == []
    publish_gig(session, client, gig.public_id)
    assert [id_ for id_, _match in ranking.best_gigs(session, ana.id)] == [gig.id]


def test_a_closed_gig_stays_as_it_was(session: Session) -> None:
    client, organization = a_client(session)
    gig = a_gig(session, client, a_project(session, client, organization))
    close_gig(session, client, gig.public_id)
    with pytest.raises(Refused):
        edit_gig(session, client, gig.public_id, a_draft(title="Other"))
    with pytest.raises(Refused):
        publish_gig(session, client, gig.public_id)


def test_another_client_knows_nothing_of_it(session: Session) -> None:
    client, organization = a_client(session)
    rival, _other = a_client(session, "Rival AI")
    gig = a_gig(session, client, a_project(session, client, organization))
    with pytest.raises(NotFound):
        find.gig(session, rival, gig.public_id)
    with pytest.raises(NotFound):
        close_gig(session, rival, gig.public_id)


def test_a_draft_is_not_shown_to_experts(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    gig = draft_gig(session, client, project.public_id, a_draft())
    with pytest.raises(NotFound):
        find.gig(session, an_expert(session), gig.public_id)


def test_a_draft_whose_first_day_has_passed_waits_for_another_one(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    late = a_draft(starts_on=clock.today("UTC") - timedelta(days=2))
    gig = draft_gig(session, client, project.public_id, late)
    with pytest.raises(Refused, match="Its first day has passed"):
        publish_gig(session, client, gig.public_id)


def test_a_gig_that_runs_already_may_come_back_from_its_pause(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    gig = a_gig(session, client, project)
    pause_gig(session, client, gig.public_id)
    with clock.at(clock.now() + timedelta(days=30)):
        assert publish_gig(session, client, gig.public_id).state is GigState.PUBLISHED


def test_a_gig_asks_for_working_hours_in_common(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    near, far = an_expert(session, "Near", zone="Europe/London"), an_expert(session, "Far", zone="Asia/Tokyo")
    gig = a_gig(session, client, project, time_zone="America/New_York", shared_hours=3)
    assert [id_ for id_, _match in ranking.best_experts(session, gig.id)] == [near.id]
    assert ranking.best_gigs(session, far.id) == []
    edit_gig(session, client, gig.public_id, a_draft())
    assert {id_ for id_, _match in ranking.best_experts(session, gig.id)} == {near.id, far.id}


def test_the_database_keeps_zone_and_hours_together(session: Session) -> None:
    client, organization = a_client(session)
    gig = a_gig(session, client, a_project(session, client, organization))
    for values in ({"shared_hours": 2}, {"time_zone": "UTC"}, {"shared_hours": 9, "time_zone": "UTC"}):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(sa.update(Gig).where(Gig.id == gig.id).values(values))
