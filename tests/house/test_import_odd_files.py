"""What is no row in a file that is imported, or a row that the database does not take, stops no other."""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import bulk
from marketplace.accounts.models import Person
from marketplace.cli import import_files, importing
from marketplace.errors import Refused, Unavailable
from marketplace.gigs import projection
from marketplace.gigs.models import ExpertProfile, Gig
from tests.conftest import Committed
from tests.house import test_import_gigs as of_gigs
from tests.house.test_import_command import ANA, BEN, bring, rejected, write

CEE = {**BEN, "external_id": "E-3", "name": "Cee Chu", "email": "cee@people.example"}
NOT_UTF8 = "This is not UTF-8 text. Save the file as UTF-8, then import it again."
OPEN = "A quotation mark is opened and not closed. Close it, or double it where it is a text's own."
TOO_LONG = "It is too long. A text has 131,072 characters at most, a row 1,000,000."
NUL = "A text holds a NUL character, which cannot be kept. Remove it."


@pytest.fixture
def really(committed: Committed, monkeypatch: pytest.MonkeyPatch) -> Committed:
    """Two writers, on a database of their own."""

    @contextmanager
    def opened() -> Iterator[Session]:
        with committed.session() as session:
            yield session

    monkeypatch.setattr(importing, "session_for_command", opened)
    return committed


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "experts.csv"


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    return tmp_path / "experts.jsonl"


def line(row: dict[str, str]) -> str:
    into = io.StringIO(newline="")
    csv.DictWriter(into, list(ANA)).writerow(row)
    return into.getvalue()


def put(file: Path, *lines: str | bytes) -> Path:
    """A CSV with these lines below its first."""
    told = [",".join(ANA) + "\r\n", *lines]
    file.write_bytes(b"".join(each.encode() if isinstance(each, str) else each for each in told))
    return file


def put_objects(file: Path, *rows: dict[str, Any] | str | bytes) -> Path:
    told = [json.dumps(each) if isinstance(each, dict) else each for each in rows]
    file.write_bytes(b"\n".join(each.encode() if isinstance(each, str) else each for each in told))
    return file


def names(session: Session) -> list[str]:
    """Who came in."""
    query = sa.select(Person.full_name).where(Person.email.like("%@people.example")).order_by(Person.email)
    return list(session.scalars(query))


BOTH = ["Ana Álvarez", "Cee Chu"]


def test_a_text_that_is_too_long_for_csv_is_refused(open_session: Session, table: Path) -> None:
    assert bring(put(table, line(ANA), line({**BEN, "headline": "x" * 131_073}), line(CEE))) == 1
    assert names(open_session) == BOTH
    assert rejected(table) == [("", f"Line 3: {TOO_LONG}")]


def test_a_line_that_never_ends_is_not_held_in_memory(
    open_session: Session, table: Path, objects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_files, "MOST", 1_000)
    short = TOO_LONG.replace("1,000,000", "1,000")
    assert bring(put(table, line(ANA), "x," * 2_345 + "\n", line(CEE))) == 1
    assert rejected(table) == [("", f"Line 3: {short}")]
    assert bring(put_objects(objects, ANA, "{" * 2_345, CEE)) == 1
    assert rejected(objects) == [("", f"Line 2: {short}")]
    assert names(open_session) == BOTH
    # Marks in pairs that leave each line open: the row goes on in short texts.
    assert bring(put(table, *['x","\n'] * 300, line(CEE))) == 1
    assert len(rejected(table)) == 300


@pytest.mark.parametrize("end", ["", "\r\n"])
@pytest.mark.parametrize("rows_below", [1, 2_000])
def test_a_quotation_mark_that_nobody_closes_takes_one_line_only(
    open_session: Session, table: Path, end: str, rows_below: int
) -> None:
    """Below it there are fewer characters than a text of CSV may have, or more."""
    known = line(CEE) * rows_below
    open_line = line(BEN).replace(",Ben Baker,", ',"Ben Baker,')
    assert bring(put(table, line(ANA), open_line, known.rstrip() + end)) == 1
    assert names(open_session) == BOTH
    assert rejected(table)[0] == ("", f"Line 3: {OPEN}")
    assert len(rejected(table)) == rows_below


def test_a_quotation_mark_that_is_closed_rows_below_makes_no_row_of_two(
    open_session: Session, table: Path
) -> None:
    open_line = line(BEN).replace(",Ben Baker,", ',"Ben Baker,')
    below = line({**CEE, "name": "Cee, Chu"})
    assert bring(put(table, line(ANA), open_line, below, line({**BEN, "name": "x\0y"}))) == 1
    assert names(open_session) == ["Ana Álvarez", "Cee, Chu"]
    assert rejected(table) == [("", f"Line 3: {OPEN}"), ("E-2", f"Line 5: {NUL}")]


def test_a_quotation_mark_within_a_text(open_session: Session, table: Path) -> None:
    twice = line({**ANA, "headline": 'Says "aha", \r\nin two lines'})
    assert bring(put(table, twice, line(BEN).replace("Radiologist", '"Says "aha""'), line(CEE))) == 1
    assert names(open_session) == BOTH
    assert rejected(table) == [("", 'Line 4: A quotation mark stands within a text. Double it there: "".')]
    said = open_session.scalars(sa.select(ExpertProfile.headline)).all()
    assert sorted(said) == ["Radiologist", 'Says "aha", in two lines']


def test_bytes_that_are_no_utf8_are_shown_in_csv(open_session: Session, table: Path) -> None:
    latin = line({**BEN, "name": "José"}).encode("latin-1")
    beyond = line(BEN).rstrip().encode() + b",\xff\r\n"
    assert bring(put(table, line(ANA), latin, beyond, line(CEE))) == 1
    assert names(open_session) == BOTH
    assert rejected(table) == [("E-2", f"Line 3: {NOT_UTF8}"), ("E-2", f"Line 4: {NOT_UTF8}")]
    assert "Jos\\xe9," in table.with_name("experts.csv.rejected.csv").read_text(encoding="utf-8")


def test_bytes_that_are_no_utf8_are_shown_in_json(open_session: Session, objects: Path) -> None:
    latin = json.dumps({**BEN, "name": "José"}, ensure_ascii=False).encode("latin-1")
    unknown = json.dumps(BEN).encode()[:-1] + b', "note": "\xff"}'
    assert bring(put_objects(objects, ANA, latin, unknown, b"\xff\xfe", CEE)) == 1
    assert names(open_session) == BOTH
    assert rejected(objects) == [
        ("E-2", f"Line 2: {NOT_UTF8}"), ("E-2", f"Line 3: {NOT_UTF8}"), ("", f"Line 4: {NOT_UTF8}")
    ]  # fmt: skip
    assert "Jos\\xe9," in objects.with_name("experts.jsonl.rejected.csv").read_text(encoding="utf-8")


def test_a_file_in_another_encoding_is_told_at_its_first_line(open_session: Session, table: Path) -> None:
    table.write_text(",".join(ANA) + "\r\n" + line(ANA), encoding="utf-16")
    with pytest.raises(Refused, match=re.escape(f"Line 1: {NOT_UTF8}")):
        bring(table)
    table.write_text('external_id,"name')
    with pytest.raises(Refused, match=re.escape(f"Line 1: {OPEN}")):
        bring(table)
    table.write_text("")
    with pytest.raises(Refused, match="names no column external_id"):
        bring(table)


@pytest.mark.parametrize("name", list(ANA))
def test_half_a_character_and_nul_in_json(open_session: Session, objects: Path, name: str) -> None:
    half, nothing = ({**BEN, "external_id": "E-2", name: f"x{odd}"} for odd in ("\ud800", "\0"))
    listed = {**BEN, "skills": ["triage", "\udfff"]}
    assert bring(put_objects(objects, ANA, half, nothing, listed, CEE)) == 1
    assert names(open_session) == BOTH
    why = "A text holds half of a character, such as \\ud800. Write the whole character."
    assert [reason for _id, reason in rejected(objects)] == [
        f"Line 2: {why}", f"Line 3: {NUL}", f"Line 4: {why}",
    ]  # fmt: skip
    assert "x\\ud800" in objects.with_name("experts.jsonl.rejected.csv").read_text(encoding="utf-8")


def test_nul_in_csv(open_session: Session, table: Path) -> None:
    assert bring(put(table, line(ANA), line({**BEN, "headline": "x\0y"}), line(CEE))) == 1
    assert names(open_session) == BOTH
    assert rejected(table) == [("E-2", f"Line 3: {NUL}")]


def test_json_that_nests_too_deep_or_says_what_is_no_text(open_session: Session, objects: Path) -> None:
    no_text = "Write a text, a number, or a list of them."
    bad: list[tuple[Any, str]] = [
        ("[" * 100_000, "Line 2: This line nests its values too deep."),
        ('{"name": ' * 100_000, "Line 3: This line nests its values too deep."),
        (json.dumps(BEN).replace('"Ben Baker"', "NaN"), "Line 4: This line is no JSON object."),
        (json.dumps(BEN).replace('"Ben Baker"', "-Infinity"), "Line 5: This line is no JSON object."),
        ({**BEN, "name": 10**300}, "full_name: Use at most 200 characters."),
        (json.dumps(BEN).replace('"20"', "9" * 5_000), "hours_per_week: Write a whole number."),
        (json.dumps(BEN).replace('"Ben Baker"', "1e999"), f"Line 8: name: {no_text}"),
        ({**BEN, "name": True}, f"Line 9: name: {no_text}"),
        ({**BEN, "headline": {"en": "Lawyer"}}, f"Line 10: headline: {no_text}"),
        ({**BEN, "skills": [["a"], ["b"]]}, f"Line 11: skills: {no_text}"),
        ({**BEN, "skills": [False]}, f"Line 12: skills: {no_text}"),
    ]
    taken = {
        **CEE,
        "hours_per_week": 20,
        "min_rate": 85.5,
        "headline": None,
        "active": True,
        "more": {"a": 1},
    }
    assert bring(put_objects(objects, ANA, *(row for row, _why in bad), taken)) == 1
    assert names(open_session) == BOTH
    assert sorted(reason for _id, reason in rejected(objects)) == sorted(why for _row, why in bad)
    assert sorted(open_session.scalars(sa.select(ExpertProfile.min_rate))) == [85_50, 120_50]


def test_a_credential_until_the_last_day_that_there_is(open_session: Session, table: Path) -> None:
    write(table, ANA, {**BEN, "credentials": "us_medical_license:US-CA:A 123457:9999-12-31"}, CEE)
    assert bring(table) == 1
    assert names(open_session) == BOTH
    assert rejected(table) == [("E-2", "credentials: No day is that far away. Give an earlier one.")]


def test_gigs_are_read_the_same(open_session: Session, tmp_path: Path) -> None:
    file = tmp_path / "gigs.jsonl"
    rows = [of_gigs.CHEST, {**of_gigs.HEAD, "domain": "\ud800"}, {**of_gigs.HEAD, "external_id": "G-3"}]
    file.write_text("\n".join(map(json.dumps, rows)))
    assert importing.gigs(argparse.Namespace(file=str(file), source="import")) == 1
    assert len(open_session.scalars(sa.select(Gig.id)).all()) == 2
    assert list(of_gigs.rejected(file)) == ["G-2"]


def too_large() -> str:
    """A skill that no index takes: it cannot be pressed together."""
    dice = random.Random(3)
    return "".join(dice.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10_000))


def crowd(size: int) -> list[dict[str, str]]:
    return [
        {**BEN, "external_id": f"E-{n}", "email": f"expert{n}@people.example", "name": f"Expert {n}"}
        for n in range(size)
    ]


@pytest.mark.parametrize("bad", [(0,), (6,), (3, 4), (0, 1, 2, 3, 4, 5, 6)])
def test_a_row_that_the_database_does_not_take_stops_no_other(
    open_session: Session, table: Path, bad: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = crowd(7)
    for n in bad:
        rows[n] |= {"skills": too_large()}
    write(table, *rows)
    assert bring(table) == 1
    assert names(open_session) == [f"Expert {n}" for n in range(7) if n not in bad]
    told = rejected(table)
    assert [external_id for external_id, _reason in told] == [f"E-{n}" for n in bad]
    assert told[0][1].startswith("The database does not take this row: index row ")
    assert told[0][1].endswith("Correct it, then import it again.")
    assert f"{7 - len(bad)} new, 0 changed, 0 as before, {len(bad)} refused" in capsys.readouterr().out
    assert bring(table) == 1
    assert f"0 new, 0 changed, {7 - len(bad)} as before, {len(bad)} refused" in capsys.readouterr().out


@pytest.mark.committed
def test_two_writers_refuse_only_what_the_database_refuses(
    really: Committed, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule of the database, and a row as large as none may be; nothing of the others is lost or told."""
    monkeypatch.setattr(importing, "AT_ONCE", 6)
    with really.owner() as owner:
        owner.execute(sa.text("ALTER TABLE expert_profiles ADD CHECK (headline <> 'Not here')"))
        owner.commit()
    rows = crowd(60)
    rows[4] |= {"headline": "Not here"}
    rows[27] |= {"skills": too_large()}
    rows[28] |= {"headline": "Not here"}
    write(table, *rows)
    assert bring(table) == 1
    told = dict(rejected(table))
    assert set(told) == {"E-4", "E-27", "E-28"}
    assert "violates check constraint" in told["E-4"]
    assert "expert" not in told["E-27"]
    with really.session() as session:
        assert len(names(session)) == 57
    # One that is here already, and may not become so.
    rows[9] |= {"headline": "Not here"}
    rows[10] |= {"headline": "Changed"}
    write(table, *rows)
    assert bring(table) == 1
    assert {id_ for id_, _reason in rejected(table)} == {"E-4", "E-9", "E-27", "E-28"}
    with really.session() as session:
        assert len(session.scalars(sa.select(ExpertProfile).filter_by(headline="Changed")).all()) == 1


@pytest.mark.committed
@pytest.mark.parametrize(("module", "name", "at"), [(projection, "push_new", 2), (bulk, "copy", 18)])
def test_a_lost_database_refuses_no_row_and_again_goes_on(
    really: Committed,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: ModuleType,
    name: str,
    at: int,
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 5)
    push, calls = getattr(module, name), count()

    def lose(session: Session, *args: Any, **kwargs: Any) -> None:
        """The server ends the connection in the midst of the third batch or the fourth."""
        if next(calls) == at:
            number = session.scalar(sa.text("SELECT pg_backend_pid()"))
            with really.session() as other:
                other.execute(sa.text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})
        push(session, *args, **kwargs)

    rows = crowd(30)
    rows[1] |= {"email": "nobody"}
    write(table, *rows)
    with monkeypatch.context() as broken:
        broken.setattr(module, name, lose)
        with pytest.raises(Unavailable, match="Import the same file again to go on: no row comes in twice"):
            bring(table)
    assert [id_ for id_, _reason in rejected(table)] == ["E-1"]
    with really.session() as session:
        kept = len(names(session))
    assert 0 < kept < 29
    assert bring(table) == 1
    assert f"{29 - kept} new, 0 changed, {kept} as before, 1 refused" in capsys.readouterr().out


@pytest.mark.committed
def test_what_is_wrong_with_no_row_is_not_said_of_each(really: Committed, table: Path) -> None:
    with really.owner() as owner:
        owner.execute(sa.text("ALTER TABLE external_ids RENAME TO gone"))
        owner.commit()
    write(table, ANA, BEN)
    with pytest.raises(sa.exc.ProgrammingError):
        bring(table)
    assert not table.with_name("experts.csv.rejected.csv").exists()
