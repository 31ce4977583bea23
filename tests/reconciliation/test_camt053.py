"""camt.053 by namespace in any version, lines signed, batches split when they add up, broken lines named."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from marketplace.errors import Invalid
from marketplace.reconciliation import formats
from marketplace.reconciliation.formats.shapes import line_keys
from tests.reconciliation.camt import Entry, Statement, document

DAY = date(2026, 11, 3)
SAMPLES = Path(__file__).parents[3] / "shared" / "samples"


@pytest.mark.parametrize("version", ["02", "04", "08", "13"])
def test_any_version_by_its_namespace(version: str) -> None:
    data = document(
        Statement(DAY, 10_000, [Entry(2_550, "Fees", "R1"), Entry(-1_500, "Charge")]), version=version
    )
    form, (statement,) = formats.read(data)

    assert form == "camt.053"
    assert (statement.account, statement.currency) == ("440600012345", "USD")
    assert (statement.opening, statement.closing) == (10_000, 11_050)
    assert [(line.amount, line.text, line.bank_ref) for line in statement.lines] == [
        (2_550, "Fees", "R1"),
        (-1_500, "Charge", ""),
    ]
    assert not statement.problems


def test_pending_is_not_money_yet() -> None:
    _form, (statement,) = formats.read(document(Statement(DAY, 0, [Entry(500, status="PDNG"), Entry(700)])))

    assert [line.amount for line in statement.lines] == [700]


def test_a_reversal_turns_the_sign() -> None:
    _form, (statement,) = formats.read(document(Statement(DAY, 0, [Entry(-500, reversal=True)])))

    assert [line.amount for line in statement.lines] == [-500]
    assert statement.closing == -500


@pytest.mark.parametrize(("parts", "amounts"), [([300, 200], [300, 200]), ([300, 199], [500])])
def test_a_batch_is_split_only_when_it_adds_up(parts: list[int], amounts: list[int]) -> None:
    _form, (statement,) = formats.read(document(Statement(DAY, 0, [Entry(500, parts=parts)])))

    assert [line.amount for line in statement.lines] == amounts


def test_two_coffees_on_a_day_are_two_lines() -> None:
    coffee = Entry(-450, "City Coffee")
    _form, (statement,) = formats.read(document(Statement(DAY, 1_000, [coffee, coffee])))

    assert len(set(line_keys(statement.lines))) == 2


# The exponents would take minutes to write out as integers, or more digits than a decimal may have.
@pytest.mark.parametrize("amount", ["5..00", "-5", "5e2", "1E999990", "1E4000000", "NaN", "٥", "5" * 14])
def test_a_broken_amount_is_named_and_the_rest_read(amount: str) -> None:
    data = document(Statement(DAY, 0, [Entry(500), Entry(700)])).replace(b">5.00<", f">{amount}<".encode(), 1)
    _form, (statement,) = formats.read(data)

    assert [line.amount for line in statement.lines] == [700]
    assert statement.problems == [f"Line 1 cannot be read: “{amount}”."]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7",
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>',
        document(Statement(DAY, 0))[:-20],
        document(),
        document().replace(b"?>\n", b'?>\n<!DOCTYPE x [<!ENTITY a "b">]>\n'),
        document(Statement(DAY, 0, [Entry(500)])).replace(str(DAY).encode(), b"3rd of May"),
        document(Statement(DAY, 0)).replace(b"UTF-8", b"foo"),
        document(Statement(DAY, 0)).replace(b"UTF-8", b"utf-32"),
    ],
    ids=[
        "empty", "another file", "another message", "cut off", "without a statement", "with a DTD",
        "without a readable date", "in an unknown encoding", "in an encoding that is not read",
    ],
)  # fmt: skip
def test_what_is_no_statement_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        formats.read(data)
    assert refused.value.field == "file"
    assert refused.value.sentence.endswith(".")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared sample files are not beside the project")
@pytest.mark.parametrize("name", sorted(p.name for p in SAMPLES.glob("camt/*.xml")))
def test_real_samples_as_expected(name: str) -> None:
    expected = json.loads((SAMPLES / "EXPECTED.json").read_text())[f"camt/{name}"]["statements"]
    _form, found = formats.read((SAMPLES / "camt" / name).read_bytes())

    # The walk that made EXPECTED.json took the first IBAN anywhere, which may be a counterparty's.
    assert all(s.account for s in found)
    assert [s.number for s in found] == [e["id"] for e in expected]
    for statement, other in zip(found, expected, strict=True):
        if other["booked_sum"] is None:
            assert statement.problems
            continue
        assert len(statement.lines) == len(other["entries"])
        assert sum(line.amount for line in statement.lines) == round(float(other["booked_sum"]) * 100)
        adds_up = statement.opening is not None and statement.closing is not None and not statement.problems
        assert adds_up == other.get("opening_plus_sum_equals_closing", False)
