"""`marketplace import gigs`: drafts of their clients, which matching knows and nobody finds."""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization
from marketplace.cli import importing, matching
from marketplace.errors import Refused
from marketplace.gigs.drafts import edit_gig
from marketplace.gigs.importing import GIG, called, so_called
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.projection import rebuild_projections
from marketplace.gigs.publishing import publish_gig
from marketplace.matching import ranking
from tests.factories.gigs import RADIOLOGY, a_client, a_draft, a_project, an_expert, fund

CHEST = {
    "external_id": "G-1", "client": "Northwind AI", "project": "Radiology", "title": "Review chest reports",
    "domain": RADIOLOGY, "task_kind": "review", "description": "Mark what is wrong.",
    "required_credentials": "", "languages": "en", "countries": "US;CA", "rate_min": "100.00",
    "rate_max": "180.50", "currency": "USD", "hours_per_week": "10", "headcount": "3",
    "starts": "2031-01-07", "ends": "",
}  # fmt: skip
HEAD = {**CHEST, "external_id": "G-2", "title": "Review head reports", "countries": ""}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gigs.csv"


def bring(file: Path, *rows: dict[str, str], source: str = "import") -> int:
    with file.open("w", encoding="utf-8", newline="") as into:
        table = csv.DictWriter(into, list(CHEST))
        table.writeheader()
        table.writerows(rows)
    return importing.gigs(argparse.Namespace(file=str(file), source=source))


def rejected(file: Path) -> dict[str, str]:
    with file.with_name(f"{file.name}.rejected.csv").open(encoding="utf-8", newline="") as kept:
        return {row["external_id"]: row["reason"] for row in csv.DictReader(kept)}


def the_gig(session: Session, external_id: str) -> Gig:
    (id_,) = so_called(session, GIG, external_id)
    return session.get_one(Gig, id_, populate_existing=True)


def count(session: Session, table: type) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_gig_is_a_draft_of_its_client(open_session: Session, file: Path) -> None:
    client, _organization = a_client(open_session)
    assert bring(file, {**CHEST, "required_credentials": "us_medical_license:US-CA:4:365;us_bar"}, HEAD) == 0
    gig = the_gig(open_session, "G-1")
    assert (gig.state, gig.title, gig.domain, gig.task_kind) == (
        "draft", "Review chest reports", RADIOLOGY, "review",
    )  # fmt: skip
    assert (gig.rate_min, gig.rate_max, gig.headcount, gig.starts_on, gig.ends_on) == (
        100_00, 180_50, 3, date(2031, 1, 7), None,
    )  # fmt: skip
    assert (gig.languages, gig.countries) == (["en"], ["CA", "US"])
    asked = [(each.type, each.jurisdiction, each.level, each.max_age_days) for each in gig.requirements]
    assert asked == [("us_medical_license", "US-CA", 4, 365), ("us_bar", None, 2, None)]
    assert gig.project.organization.name == "Northwind AI"
    assert count(open_session, Organization) == 1
    assert count(open_session, Project) == 1

    # Its client goes on with it like with any other draft.
    kept = replace(a_draft(), title="Review chest reports, second round")
    edit_gig(open_session, client, gig.public_id, kept)
    assert publish_gig(open_session, client, gig.public_id).state == "published"


def test_the_same_by_a_title_a_word_and_an_id(open_session: Session, file: Path) -> None:
    _client, organization = a_client(open_session)
    row = {**CHEST, "client": str(organization), "domain": "radiologists", "task_kind": "Check facts"}
    assert bring(file, row) == 0
    gig = the_gig(open_session, "G-1")
    assert (gig.domain, gig.task_kind, gig.project.organization.public_id) == (
        RADIOLOGY, "fact_check", organization,
    )  # fmt: skip


def test_a_client_who_is_new_here_is_added_and_not_taken_on_trust(open_session: Session, file: Path) -> None:
    assert bring(file, CHEST, HEAD, {**HEAD, "external_id": "G-3", "client": "Contoso"}) == 0
    found = open_session.scalars(sa.select(Organization).order_by(Organization.name)).all()
    assert [(each.name, each.verified_at) for each in found] == [("Contoso", None), ("Northwind AI", None)]
    assert [each.created_by for each in open_session.scalars(sa.select(Project))] == [None, None]


def test_again_changes_nothing_and_another_rate_changes_a_draft(
    open_session: Session, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, _organization = a_client(open_session)
    bring(file, CHEST, HEAD)
    before = [count(open_session, each) for each in (Gig, Project, Organization)]
    assert bring(file, CHEST, HEAD) == 0
    assert "0 new, 0 changed, 2 as before, 0 refused" in capsys.readouterr().out.splitlines()[-1]
    gig = the_gig(open_session, "G-1")
    edit_gig(open_session, client, gig.public_id, replace(a_draft(), trains="Kept.", skills=("triage",)))
    assert bring(file, {**CHEST, "rate_max": "150"}, HEAD) == 0
    assert "0 new, 1 changed, 1 as before, 0 refused" in capsys.readouterr().out
    gig = the_gig(open_session, "G-1")
    assert (gig.rate_max, gig.trains, gig.skills, gig.version) == (150_00, "Kept.", ["triage"], 3)
    assert ranking.gigs(open_session, [gig.id])[gig.id].rate_max == 150_00
    assert [count(open_session, each) for each in (Gig, Project, Organization)] == before


def test_what_is_published_follows_no_file(open_session: Session, file: Path) -> None:
    client, _organization = a_client(open_session)
    bring(file, CHEST)
    gig = the_gig(open_session, "G-1")
    edit_gig(open_session, client, gig.public_id, a_draft())
    publish_gig(open_session, client, gig.public_id)
    assert bring(file, {**CHEST, "rate_max": "150"}) == 1
    assert rejected(file) == {"G-1": "This gig is no draft any more. Its client changes it on its page."}
    assert the_gig(open_session, "G-1").rate_max == 200_00


def test_a_bad_row_goes_beside_with_its_reason_and_stops_no_other(open_session: Session, file: Path) -> None:
    bad = {
        "no-client": {"client": ""},
        "no-title": {"title": " "},
        "domain": {"domain": "astrology"},
        "task": {"task_kind": "dance"},
        "rate": {"rate_min": "cheap"},
        "band": {"rate_min": "200", "rate_max": "100"},
        "currency": {"currency": "XXX"},
        "other-currency": {"currency": "EUR"},
        "language": {"languages": "english"},
        "country": {"countries": "ZZ"},
        "credential": {"required_credentials": "driving:US-CA"},
        "level": {"required_credentials": "us_bar:US-IL:9"},
        "day": {"starts": "soon"},
        "hours": {"hours_per_week": "200"},
    }
    assert (
        bring(file, CHEST, *({**CHEST, "external_id": id_} | row for id_, row in bad.items()), HEAD, HEAD)
        == 1
    )
    reasons = rejected(file)
    assert set(reasons) == {*bad, "G-2"}
    assert reasons["domain"] == "domain: There is no domain astrology."
    assert reasons["band"] == "rate_max: The highest rate cannot be below the lowest."
    assert reasons["other-currency"] == "The project Radiology is kept in USD."
    assert reasons["language"] == "languages: There is no language english. Use codes such as en or pt."
    assert reasons["G-2"] == "The id G-2 stands in the file before."
    assert count(open_session, Gig) == 2


def test_it_is_known_to_matching_and_found_by_nobody(
    open_session: Session, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ana = an_expert(open_session)
    client, organization = a_client(open_session)
    project = a_project(open_session, client, organization)
    fund(open_session, project.public_id, 100_000_00)
    assert bring(file, CHEST, {**HEAD, "domain": ""}) == 0
    gig = the_gig(open_session, "G-1")
    told = ranking.gigs(open_session, [gig.id])
    assert [person for person, _match in ranking.best_experts(open_session, gig.id, supposing=True)] == [
        ana.id
    ]
    assert ranking.best_experts(open_session, gig.id) == []
    assert ranking.best_gigs(open_session, ana.id) == []
    rebuild_projections(open_session)
    known = ranking.gigs(open_session, [gig.id])[gig.id]
    assert replace(known, funded=False) == told[gig.id]
    assert list(ranking.gigs(open_session, [the_gig(open_session, "G-2").id])) == []

    capsys.readouterr()
    assert matching.experts(argparse.Namespace(gig="G-1", limit=50, json=False)) == 0
    said = capsys.readouterr()
    assert "these would fit" in said.err
    assert "30 of 30   How close the domain is" in said.out


def test_an_id_of_two_sources_is_not_guessed(open_session: Session, file: Path) -> None:
    bring(file, CHEST)
    bring(file, CHEST, source="other")
    first, second = open_session.scalars(sa.select(Gig.id).order_by(Gig.id))
    assert called(open_session, GIG, [first, second]) == {first: "G-1", second: "G-1"}
    with pytest.raises(Refused, match="Give the public id instead"):
        matching.experts(argparse.Namespace(gig="G-1", limit=50, json=False))
