"""`marketplace import experts`: streamed, checked, and the same however often it is done."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import Role
from marketplace.cli import importing
from marketplace.credentials.models import Attestation, Credential
from marketplace.errors import Refused
from marketplace.gigs.models import ExpertProfile
from marketplace.gigs.projection import push_experts
from marketplace.mail import OutboxMail
from marketplace.matching import ranking
from tests.conftest import Committed
from tests.factories.accounts import a_person
from tests.factories.gigs import RADIOLOGY, a_client, a_gig, a_project, fund, licence

ANA = {
    "external_id": "E-1", "name": "Ana Álvarez", "email": "ana@people.example", "country": "US",
    "time_zone": "America/New_York", "languages": "en;es", "domains": f"{RADIOLOGY};medicine",
    "skills": "triage; patient letters", "min_rate": "120.50", "currency": "USD", "hours_per_week": "20",
    "headline": "Radiologist", "credentials": "us_medical_license:US-CA:A 123456:2031-03-31",
}  # fmt: skip
BEN = {**ANA, "external_id": "E-2", "name": "Ben Baker", "email": "ben@people.example", "credentials": ""}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "experts.csv"


def write(file: Path, *rows: dict[str, str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as into:
        table = csv.DictWriter(into, list(ANA))
        table.writeheader()
        table.writerows(rows)


def bring(file: Path, attested_by: str | None = None) -> int:
    return importing.experts(argparse.Namespace(file=str(file), source="import", attested_by=attested_by))


def rejected(file: Path) -> list[tuple[str, str]]:
    with file.with_name(f"{file.name}.rejected.csv").open(encoding="utf-8", newline="") as kept:
        return [(row["external_id"], row["reason"]) for row in csv.DictReader(kept)]


def test_who_is_brought_in_is_found(
    open_session: Session, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, organization = a_client(open_session)
    project = a_project(open_session, client, organization)
    fund(open_session, project.public_id, 10_000_00)
    gig = a_gig(open_session, client, project)
    write(file, ANA, BEN)
    assert bring(file) == 0
    assert "2 new, 0 changed, 0 as before, 0 refused" in capsys.readouterr().out

    ana = open_session.scalars(sa.select(Person).filter_by(email="ana@people.example")).one()
    profile = open_session.get_one(ExpertProfile, ana.id)
    assert (ana.full_name, ana.country, profile.min_rate, profile.currency) == (
        "Ana Álvarez", "US", 120_50, "USD",
    )  # fmt: skip
    assert (profile.domains, profile.skills) == ([RADIOLOGY, "medicine"], ["triage", "patient letters"])
    roles = open_session.scalars(sa.select(RoleGrant.role).filter_by(person_id=ana.id)).all()
    assert roles == [Role.EXPERT]
    claim = open_session.scalars(sa.select(Credential).filter_by(person_id=ana.id)).one()
    assert (claim.state, claim.identifier, claim.jurisdiction) == ("needs_review", "A 123456", "US-CA")
    assert len(ranking.best_experts(open_session, gig.id)) == 2


def test_attested_credentials_count(open_session: Session, file: Path) -> None:
    rev = a_person(open_session, "Rev Rao", Role.REVIEWER)
    client, organization = a_client(open_session)
    project = a_project(open_session, client, organization)
    fund(open_session, project.public_id, 10_000_00)
    asked = licence()
    gig = a_gig(open_session, client, project, requirements=(type(asked)(asked.type, "US-CA", 2, None),))
    write(file, ANA, BEN)
    assert bring(file, rev.email) == 0
    (found,) = ranking.best_experts(open_session, gig.id)
    check = open_session.scalars(
        sa.select(Attestation).join(Credential).where(Credential.person_id == found[0])
    ).one()
    assert (check.reviewer_person_id, check.level, check.status_at_source) == (rev.id, 2, "active")
    with pytest.raises(Refused, match="No reviewer has the e-mail address"):
        bring(file, "ana@people.example")


@pytest.mark.parametrize("attested", [False, True])
def test_matching_knows_of_them_what_it_would_read(open_session: Session, file: Path, attested: bool) -> None:
    rev = a_person(open_session, "Rev Rao", Role.REVIEWER)
    write(file, ANA, BEN)
    bring(file, rev.email if attested else None)
    ids = open_session.scalars(sa.select(ExpertProfile.person_id)).all()
    told = ranking.experts(open_session, ids)
    push_experts(open_session, ids)
    assert ranking.experts(open_session, ids) == told
    assert {len(each.credentials) for each in told.values()} == {0, 1}


def test_again_changes_nothing_and_another_rate_changes_the_profile(
    open_session: Session, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(file, ANA, BEN)
    bring(file)
    people = open_session.scalar(sa.select(sa.func.count()).select_from(Person))
    bring(file)
    assert "0 new, 0 changed, 2 as before, 0 refused" in capsys.readouterr().out
    # What a file does not know of, and the person said since.
    said = {"about": "Twenty years of it.", "refusals": ["weapons"]}
    of_changed = sa.select(Person.id).filter_by(email="ben@people.example")
    open_session.execute(
        sa.update(ExpertProfile).where(ExpertProfile.person_id.in_(of_changed)).values(**said)
    )
    open_session.commit()
    write(file, ANA, {**BEN, "min_rate": "99"})
    bring(file)
    assert "0 new, 1 changed, 1 as before, 0 refused" in capsys.readouterr().out
    kept = open_session.scalars(
        sa.select(ExpertProfile).where(ExpertProfile.refusals != []).execution_options(populate_existing=True)
    ).one()
    assert (kept.about, kept.refusals) == ("Twenty years of it.", ["weapons"])
    ben = open_session.scalars(sa.select(Person).filter_by(email="ben@people.example")).one()
    assert open_session.get_one(ExpertProfile, ben.id, populate_existing=True).min_rate == 99_00
    assert ranking.experts(open_session, [ben.id])[ben.id].min_rate == 99_00
    assert open_session.scalar(sa.select(sa.func.count()).select_from(Person)) == people


def test_a_bad_row_goes_beside_with_its_reason_and_stops_no_other(open_session: Session, file: Path) -> None:
    bad = [
        {**ANA, "external_id": ""},
        {**ANA, "external_id": "E-3", "email": "nobody"},
        {**ANA, "external_id": "E-4", "domains": "astrology"},
        {**ANA, "external_id": "E-5", "min_rate": "cheap"},
        {**ANA, "external_id": "E-6", "currency": "XXX"},
        {**ANA, "external_id": "E-7", "hours_per_week": "many"},
        {**ANA, "external_id": "E-8", "credentials": "us_medical_license:US-CA:A 123456:soon"},
        {**ANA, "external_id": "E-9"},
        {**ANA, "external_id": "E-10", "email": "cee@people.example"},
        {**BEN, "name": "Ben again"},
    ]
    write(file, ANA, *bad[:7], BEN, *bad[7:])
    assert bring(file) == 1
    found = rejected(file)
    assert [external_id for external_id, _reason in found] == [
        "", "E-3", "E-4", "E-5", "E-6", "E-7", "E-8", "E-9", "E-10", "E-2",
    ]  # fmt: skip
    reasons = dict(found)
    assert reasons["E-4"] == "domains: There is no domain astrology."
    assert reasons["E-8"] == "credentials: Write the day as 2027-03-31."
    assert "e-mail address is here already" in reasons["E-9"]
    assert "number of a credential is here already" in reasons["E-10"]
    assert "stands in the file before" in reasons["E-2"]
    emails = open_session.scalars(sa.select(Person.email).where(Person.email.like("%people.example")))
    assert set(emails) == {"ana@people.example", "ben@people.example"}


def test_json_lines_and_titles(open_session: Session, tmp_path: Path) -> None:
    file = tmp_path / "experts.jsonl"
    row = {**ANA, "languages": ["en"], "domains": ["Radiologists"], "skills": [], "hours_per_week": 20}
    file.write_text(f"{json.dumps(row)}\n\n[1]\nnothing\n")
    assert bring(file) == 1
    assert open_session.scalars(sa.select(ExpertProfile.domains)).all() == [[RADIOLOGY]]
    assert [reason for _id, reason in rejected(file)] == [
        "Line 3: This line is no JSON object.",
        "Line 4: This line is no JSON object.",
    ]


def test_a_file_that_is_none(open_session: Session, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        bring(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match="names no column external_id"):
        bring(tmp_path / "other.csv")


@pytest.mark.committed
@pytest.mark.parametrize("writers", [1, 2])
def test_two_write_at_once_and_it_is_as_if_one_did(
    committed: Committed, file: Path, monkeypatch: pytest.MonkeyPatch, writers: int
) -> None:
    """Rows that share an id, an address or a number with others close by wait for each other."""

    @contextmanager
    def really() -> Iterator[Session]:
        with committed.session() as session:
            yield session

    monkeypatch.setattr(importing, "session_for_command", really)
    monkeypatch.setattr(importing, "AT_ONCE", 3)
    monkeypatch.setattr(importing, "WRITERS", writers)
    rows = [
        {**BEN, "external_id": f"E-{n}", "email": f"expert{n}@people.example", "skills": f"skill {n % 4}"}
        for n in range(40)
    ]
    rows[7] |= {"headline": "Changed", "external_id": "E-4"}
    rows[13] |= {"email": rows[11]["email"]}
    rows[20] |= {"credentials": ANA["credentials"]}
    rows[23] |= {"credentials": ANA["credentials"]}
    rows[39] |= {"email": rows[0]["email"]}
    write(file, *rows)
    assert bring(file) == 1
    rejected = file.with_name("experts.csv.rejected.csv")
    with rejected.open(encoding="utf-8", newline="") as refused:
        reasons = {row["external_id"]: row["reason"] for row in csv.DictReader(refused)}
    assert reasons == {
        "E-13": "Somebody with this e-mail address is here already.",
        "E-23": "The number of a credential is here already.",
        "E-39": "Somebody with this e-mail address is here already.",
    }
    with committed.session() as session:
        people = session.scalars(sa.select(Person.email).order_by(Person.id)).all()
        assert len(people) == len(set(people)) == 36
        assert session.scalars(sa.select(ExpertProfile.headline).filter_by(headline="Changed")).all()
    assert bring(file) == 1
    with committed.session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 36


def test_who_was_imported_is_mailed_one_link(
    open_session: Session, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(file, ANA, BEN)
    assert bring(file) == 0
    assert importing.invite(argparse.Namespace()) == 0
    assert "2 links are on their way." in capsys.readouterr().out
    assert importing.invite(argparse.Namespace()) == 0
    assert "0 links are on their way." in capsys.readouterr().out
    told = open_session.scalars(sa.select(OutboxMail.to_address).order_by(OutboxMail.to_address)).all()
    assert told == ["ana@people.example", "ben@people.example"]
