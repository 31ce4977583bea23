"""Documents as PDF: what was typed is printed and never run, and the same data gives the same bytes."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import date

import pytest
from pypdf import PdfReader

from marketplace import pdf
from marketplace.pdf import Column, Document, Heading, Pairs, Paragraph, Part, Table

HOSTILE = [
    '#read("/etc/passwd")',
    '#panic("stop") #sys.inputs.data',
    "*bold* _slanted_ `code` $x^2$ <label> @reference // comment /* more */",
    '"; } #let data = none \\u{41} \\',
    "= Heading - list + numbered",
    "#import \"@preview/nothing:1.0.0\": *",
]  # fmt: skip


def document(*parts: Part, title: str = "Statement", language: str = "en_US") -> Document:
    return Document(title, language, date(2026, 12, 1), parts)


def read(file: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(file))


def words(file: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in read(file).pages).split())


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_typed_is_printed_as_it_is(text: str) -> None:
    printed = words(
        pdf.render(
            document(
                Heading(text),
                Paragraph(text),
                Paragraph(text, small=True),
                Pairs([("Name", text)]),
                Table([Column(text)], [[text], [text]], totals=1),
                title=text,
            )
        )
    )
    # The title, again at the foot; a heading, two paragraphs, a pair, a table of a head and two rows.
    assert printed.count(text) == 9
    assert "root:" not in printed


def test_signs_of_many_scripts_are_printed() -> None:
    printed = words(pdf.render(document(Paragraph("₹1,200 · Łódź · Ελλάδα · Москва · “quoted” – €5"))))
    for each in ("₹1,200", "Łódź", "Ελλάδα", "Москва", "“quoted” – €5"):
        assert each in printed


@pytest.mark.parametrize(
    "text", ["中文 한국어 日本語", "שלום עולם", "مرحبا", "👩🏽‍🔬", "\u202eevil", "\ue000"]
)
def test_text_for_which_no_font_may_be_here_never_stops_a_document(text: str) -> None:
    file = pdf.render(document(Paragraph(text), Paragraph("after it")))
    assert "after it" in words(file)


def test_the_same_data_gives_the_same_bytes() -> None:
    one = document(Pairs([("Expert", "Ada")]), Table([Column("Pay", right=True)], [["$1.00"]]))
    first = pdf.render(one)
    pdf.render(document(Paragraph("another between")))
    assert pdf.render(one) == first
    assert pdf.render(document(Paragraph("changed"))) != first


def test_a_file_says_what_it_is_to_those_who_listen() -> None:
    file = read(pdf.render(document(Heading("Earned"), title="Statement for May", language="de_DE")))
    root = file.trailer["/Root"]
    assert file.metadata is not None
    assert file.metadata.title == "Statement for May"
    assert f"{file.metadata.creation_date:%Y-%m-%d}" == "2026-12-01"
    assert root["/Lang"] == "de-DE"
    assert root["/MarkInfo"]["/Marked"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()


def test_a_long_table_goes_on_under_its_head_and_pages_are_numbered() -> None:
    rows = [[f"line {n}", f"${n}.00"] for n in range(200)]
    file = read(pdf.render(document(Table([Column("What"), Column("Pay in full", right=True)], rows))))
    pages = [page.extract_text() for page in file.pages]
    assert len(pages) > 3
    assert all("Pay in full" in page for page in pages)
    assert f"2 / {len(pages)}" in pages[1]
    assert all(f"line {n} ${n}.00" in "".join(pages) for n in range(200))


@pytest.mark.parametrize(("language", "width"), [("en_US", 612), ("en_GB", 595), ("de", 595)])
def test_paper_is_that_of_the_region(language: str, width: int) -> None:
    file = read(pdf.render(document(language=language)))
    assert int(file.pages[0].mediabox.width) == width


def test_the_site_starts_without_the_library() -> None:
    check = "import sys, marketplace.app; sys.exit('typst' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False, timeout=60).returncode == 0
