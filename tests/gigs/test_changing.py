"""A published gig is changed with its consequences in sight; and a gig is written after another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs import autosaves, consequences
from marketplace.gigs.applications import decline_application, mark_hired, mark_offered
from marketplace.gigs.drafts import Outdated, draft_of, duplicate_gig, edit_gig
from marketplace.gigs.invitations import decline_invitation, invite
from marketplace.gigs.models import Application, Autosave, ExpertProfile, Gig, Project
from marketplace.gigs.publishing import close_gig, pause_gig, publish_gig
from marketplace.gigs.qualification.writing import write_test
from marketplace.gigs.states import GigState, ProjectState
from marketplace.notifications.models import Notification
from tests.factories.accounts import enter
from tests.factories.gigs import (
    a_client,
    a_draft,
    a_gig,
    a_project,
    an_application,
    an_expert,
    fund,
    licence,
)
from tests.factories.sittings import DRAFT
from tests.visitor import Visitor, words

FIELDS = [("title", "typed")]


@pytest.fixture
def client(session: Session) -> Actor:
    return a_client(session)[0]


@pytest.fixture
def project(session: Session, client: Actor) -> Project:
    organization = next(each.organization_id for each in client.grants)
    found = session.scalars(
        sa.text("SELECT public_id FROM organizations WHERE id = :id"), {"id": organization}
    )
    made = a_project(session, client, found.one())
    fund(session, made.public_id, 50_000_00)
    return made


@pytest.fixture
def gig(session: Session, client: Actor, project: Project) -> Gig:
    made = a_gig(session, client, project, rate_max=150_00)
    session.commit()
    return made


def proposed(session: Session, client: Actor, gig: Gig, **changes: object) -> consequences.Consequences:
    found = consequences.of_change(session, gig, replace(draft_of(gig), **changes))  # type: ignore[arg-type]
    session.commit()
    return found


def kept_version(session: Session) -> int:
    return session.scalars(sa.select(Autosave.version)).one_or_none() or 0


def test_it_says_who_is_lost_and_who_is_won(session: Session, client: Actor, gig: Gig) -> None:
    for name, rate, hours in (("A", 100, 20), ("B", 140, 20), ("C", 160, 20), ("D", 100, 6)):
        an_expert(session, name, min_rate=rate * 100, hours_per_week=hours)
    found = proposed(session, client, gig, rate_max=170_00, hours_per_week=20)
    assert found.compared is not None
    assert (found.compared.before, found.compared.after) == (3, 3)
    assert (found.compared.lost, found.compared.won) == (1, 1)
    assert [each.code for each in found.differences] == ["rate", "hours"]
    assert (found.differences[1].was, found.differences[1].will_be) == ("10", "20")


def test_an_applicant_who_would_not_fit_is_named_by_label_and_reason(
    session: Session, client: Actor, gig: Gig
) -> None:
    ana, ben = an_expert(session, "Ana Expert", min_rate=140_00), an_expert(session, "Ben Expert")
    an_application(session, ana, gig)
    an_application(session, ben, gig)
    found = proposed(session, client, gig, rate_max=130_00)
    assert found.waiting == 2
    [unfit] = found.unfit
    assert len(unfit.label) == 4
    assert unfit.reasons == ["Asks for more than the $130.00 an hour that you pay at most."]


def test_who_did_not_fit_before_is_not_lost_by_the_change(session: Session, client: Actor, gig: Gig) -> None:
    ana = an_expert(session, min_rate=140_00)
    an_application(session, ana, gig)
    edit_gig(session, client, gig.public_id, a_draft(rate_max=130_00))
    assert proposed(session, client, gig, hours_per_week=12).unfit == []


def test_contracts_and_offers_are_counted(session: Session, client: Actor, gig: Gig) -> None:
    hired = an_application(session, an_expert(session, "A"), gig)
    mark_offered(session, client, hired)
    mark_hired(session, client, hired)
    session.commit()
    mark_offered(session, client, an_application(session, an_expert(session, "B"), gig))
    session.commit()
    found = proposed(session, client, gig, title="Other")
    assert (found.working, found.offered, found.waiting) == (1, 1, 0)


def test_the_same_again_has_no_consequences(session: Session, client: Actor, gig: Gig) -> None:
    assert proposed(session, client, gig).differences == []
    other_order = proposed(session, client, gig, requirements=(licence(),))
    assert [each.code for each in other_order.differences] == ["credentials"]


def test_nothing_is_public_before_it_is_confirmed(session: Session, client: Actor, gig: Gig) -> None:
    draft = replace(draft_of(gig), title="Better")
    consequences.propose_change(session, client, gig.public_id, draft, 1, FIELDS, kept_version(session))
    assert (gig.title, gig.version) == ("Review radiology reports", 1)
    consequences.publish_change(session, client, gig.public_id, draft, 1, kept_version(session))
    assert (gig.title, gig.version) == ("Better", 2)
    assert session.scalars(sa.select(Autosave)).all() == []


def test_a_stale_confirmation_is_refused(session: Session, client: Actor, gig: Gig) -> None:
    draft = replace(draft_of(gig), title="Better")
    consequences.propose_change(session, client, gig.public_id, draft, 1, FIELDS, kept_version(session))
    seen = kept_version(session)
    autosaves.keep(session, client, gig.project.public_id, gig.public_id, FIELDS, seen)
    with pytest.raises(Refused, match="not what you looked at"):
        consequences.publish_change(session, client, gig.public_id, draft, 1, seen)
    consequences.propose_change(session, client, gig.public_id, draft, 1, FIELDS, kept_version(session))
    seen = kept_version(session)
    session.execute(sa.update(Gig).values(version=2))
    session.commit()
    with pytest.raises(Refused, match="not what you looked at"):
        consequences.publish_change(session, client, gig.public_id, draft, 1, seen)
    autosaves.drop(session, client, gig.project.public_id, gig.public_id)
    with pytest.raises(Refused, match="not what you looked at"):
        consequences.publish_change(session, client, gig.public_id, draft, 2, seen)
    assert gig.title == "Review radiology reports"


def test_what_another_window_proposed_is_not_lost_unsaid(session: Session, client: Actor, gig: Gig) -> None:
    """The second is told; sent again, knowing of it, it counts. The same twice is one."""
    one, other = (replace(draft_of(gig), title=title) for title in ("One", "Other"))
    typed, typed_there = [("title", "One")], [("title", "Other")]
    consequences.propose_change(session, client, gig.public_id, one, 1, typed, 0)
    consequences.propose_change(session, client, gig.public_id, one, 1, typed, 0)
    with pytest.raises(Refused, match="in another window"):
        consequences.propose_change(session, client, gig.public_id, other, 1, typed_there, 0)
    assert session.scalars(sa.select(Autosave)).one().fields == [["title", "One"]]
    consequences.propose_change(session, client, gig.public_id, other, 1, typed_there, kept_version(session))
    assert session.scalars(sa.select(Autosave)).one().fields == [["title", "Other"]]


def test_a_copy_does_not_ask_for_a_test_that_was_put_away(session: Session, client: Actor, gig: Gig) -> None:
    organization = gig.project.organization.public_id
    test = write_test(session, client, organization, DRAFT)
    edit_gig(session, client, gig.public_id, replace(draft_of(gig), test_id=test.id))
    assert duplicate_gig(session, client, gig.public_id).test_id == test.id
    test.retired_at = clock.now()
    session.commit()
    assert duplicate_gig(session, client, gig.public_id).test_id is None
    pause_gig(session, client, gig.public_id)
    with pytest.raises(Invalid, match="was put away"):
        edit_gig(session, client, gig.public_id, draft_of(gig))
    with pytest.raises(Refused, match="Its test was put away"):
        publish_gig(session, client, gig.public_id)
    edit_gig(session, client, gig.public_id, replace(draft_of(gig), test_id=None))
    assert publish_gig(session, client, gig.public_id).state is GigState.PUBLISHED


def test_the_invited_who_would_not_fit_are_shown_and_told(session: Session, client: Actor, gig: Gig) -> None:
    stays = an_expert(session, "A", min_rate=100_00)
    goes, answered = (an_expert(session, name, min_rate=140_00) for name in "BC")
    for expert in (stays, goes, answered):
        profile = session.get_one(ExpertProfile, expert.person_id).public_id
        session.commit()
        invite(session, client, gig.public_id, profile, "Please look.")
    decline_invitation(session, answered, gig.public_id)
    found = proposed(session, client, gig, rate_max=120_00)
    assert found.invited == 2
    (unfit,) = found.unfit
    assert unfit.invited
    assert unfit.reasons == ["Asks for more than the $120.00 an hour that you pay at most."]
    draft = replace(draft_of(gig), rate_max=120_00)
    consequences.propose_change(session, client, gig.public_id, draft, 1, FIELDS, 0)
    consequences.publish_change(session, client, gig.public_id, draft, 1, kept_version(session))
    told = session.scalars(sa.select(Notification).where(Notification.kind == "gig.changed")).all()
    assert {each.person_id for each in told} == {stays.person_id, goes.person_id}
    assert all("You are invited to it" in each.body for each in told)


def test_what_cannot_be_is_refused_before_anything_is_shown(
    session: Session, client: Actor, gig: Gig
) -> None:
    ask = consequences.propose_change
    with pytest.raises(Invalid, match="Describe the work"):
        ask(session, client, gig.public_id, replace(draft_of(gig), description=" "), 1, FIELDS, 0)
    with pytest.raises(Outdated):
        ask(session, client, gig.public_id, draft_of(gig), 7, FIELDS, 0)
    close_gig(session, client, gig.public_id)
    with pytest.raises(Refused, match="closed"):
        ask(session, client, gig.public_id, draft_of(gig), 1, FIELDS, 0)
    assert session.scalars(sa.select(Autosave)).all() == []


def test_nobody_else_changes_it(session: Session, gig: Gig) -> None:
    rival, _other = a_client(session, "Rival AI")
    for stranger in (rival, an_expert(session)):
        with pytest.raises((NotFound, NotAllowed)):
            consequences.propose_change(session, stranger, gig.public_id, a_draft(), 1, FIELDS, 0)
        with pytest.raises((NotFound, NotAllowed)):
            consequences.publish_change(session, stranger, gig.public_id, a_draft(), 1, 1)
        with pytest.raises((NotFound, NotAllowed)):
            duplicate_gig(session, stranger, gig.public_id)


def test_those_whom_it_concerns_are_told_and_nobody_else(session: Session, client: Actor, gig: Gig) -> None:
    waits, declined = an_expert(session, "A"), an_expert(session, "B")
    an_application(session, waits, gig)
    refused = an_application(session, declined, gig)
    decline_application(session, client, refused.public_id, "places_filled", "All places are filled by now.")
    session.execute(sa.delete(Notification))
    session.commit()

    def change(**changes: object) -> list[Notification]:
        draft = replace(draft_of(gig), **changes)  # type: ignore[arg-type]
        consequences.propose_change(
            session, client, gig.public_id, draft, gig.version, FIELDS, kept_version(session)
        )
        consequences.publish_change(session, client, gig.public_id, draft, gig.version, kept_version(session))
        return list(session.scalars(sa.select(Notification).where(Notification.kind == "gig.changed")))

    assert change(guidelines="Mark every finding twice.") == []
    [notice] = change(rate_max=180_00, trains="A model that is sold.")
    assert notice.person_id == waits.id
    assert "$100.00 – $180.00" in notice.body
    assert "What the work trains: rewritten." in notice.body


def typed_form(page: str) -> dict[str, str]:
    return {"version": page.split('name="version" type="hidden" value="')[1].split('"', maxsplit=1)[0]}


def test_a_client_looks_and_publishes_in_the_browser(
    app: Flask, session: Session, client: Actor, gig: Gig
) -> None:
    an_application(session, an_expert(session, min_rate=140_00), gig)
    session.commit()
    carla = Visitor(enter(app.test_client(), session, client))
    path = f"/gigs/{gig.public_id}"
    fields = {
        "title": gig.title, "domain": gig.domain, "task_kind": "review", "description": "Read.",
        "trains": "A model.",
        "used_in": "Here.", "owned_by": "client", "kept_for": "year_1",
        "uses": "none", "rate_min": "100", "rate_max": "130", "hours_per_week": "10",
        "headcount": "2", "languages": "en", "starts_on": gig.starts_on, "ends_on": gig.ends_on,
        **typed_form(carla.get(f"{path}/edit").text),
    }  # fmt: skip
    for n in range(3):
        row = {"type": "", "jurisdiction": "", "level": "4", "max_age_days": "0"}
        fields |= {f"requirements-{n}-{name}": value for name, value in row.items()}
    shown = carla.post(f"{path}/edit", **fields)
    assert "1 of them would not fit any more" in words(shown)
    assert "0 new, 1 no more" in words(shown)
    session.expire_all()
    assert gig.rate_max == 150_00
    assert "$100.00 – $130.00" in words(carla.get(f"{path}/change"))
    stale = carla.post(f"{path}/change", version="1", kept="0")
    assert "not what you looked at any more" in words(stale)
    done = carla.post(f"{path}/change", version="1", kept=str(kept_version(session)))
    assert "The change is published" in words(done)
    session.expire_all()
    assert gig.rate_max == 130_00
    assert "There is no change to publish" in words(carla.post(f"{path}/change", version="1", kept="1"))
    assert 'id="title"' in carla.get(f"{path}/change").text


def test_a_copy_is_a_draft_that_says_the_same(session: Session, client: Actor, project: Project) -> None:
    later = clock.today("UTC") + timedelta(days=9)
    gig = a_gig(session, client, project, requirements=(licence(),), starts_on=later, skills=("CT",))
    copied = duplicate_gig(session, client, gig.public_id)
    assert (copied.state, copied.version, copied.published_at) == (GigState.DRAFT, 1, None)
    assert copied.title == "Review radiology reports (copy)"
    assert replace(draft_of(copied), title=gig.title) == draft_of(gig)
    assert copied.public_id != gig.public_id
    assert session.scalars(sa.select(Application).filter_by(gig_id=copied.id)).all() == []


def test_a_copy_of_what_has_begun_asks_for_new_days(session: Session, client: Actor, gig: Gig) -> None:
    close_gig(session, client, gig.public_id)
    copied = duplicate_gig(session, client, gig.public_id)
    assert (copied.starts_on, copied.ends_on) == (None, None)


def test_copying_leaves_what_is_being_typed_and_closed_projects_alone(
    session: Session, client: Actor, project: Project
) -> None:
    autosaves.keep(session, client, project.public_id, None, FIELDS, 0)
    first = a_gig(session, client, project)
    autosaves.keep(session, client, project.public_id, None, FIELDS, 0)
    duplicate_gig(session, client, first.public_id)
    assert session.scalars(sa.select(Autosave)).one().fields == [["title", "typed"]]
    project.state = ProjectState.CLOSED
    session.commit()
    with pytest.raises(Refused, match="This project is closed"):
        duplicate_gig(session, client, first.public_id)
