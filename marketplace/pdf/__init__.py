"""Documents as PDF: what they say is plain data, one layout (`document.typ`) draws them all.

The same document gives the same bytes on the same machine. Text is printed as it was typed, whatever it
holds: it goes to Typst as data and is never read as markup. Characters that Inter lacks come from the fonts
of the machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from babel import Locale

from marketplace.i18n import day, reading
from marketplace.settings import current

if TYPE_CHECKING:
    from typst import Compiler

LAYOUT = Path(__file__).parent / "document.typ"
# Where letters are written on American paper; A4 elsewhere.
LETTER = ("US", "CA", "MX", "PH", "CL", "CO", "VE")
# Tagged and checked for readers who listen (ISO 14289-1).
ACCESSIBLE = "ua-1"
_one_at_a_time = Lock()


@dataclass(frozen=True)
class Heading:
    """`level` 1 is a part of the document, 2 a part of that."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """Text whose line breaks are kept; `small` is for what explains the rest."""

    text: str
    small: bool = False


@dataclass(frozen=True)
class Pairs:
    """Labels and what they stand for, such as a name and an address of several lines."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Column:
    """A column of a table: figures stand to the `right`; words share the width by their `share`, and with 0
    take what they need."""

    label: str
    right: bool = False
    share: int = 1


@dataclass(frozen=True)
class Table:
    """Rows of cells, one for each column; the last `totals` of them are sums."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    totals: int = 0


Part = Heading | Paragraph | Pairs | Table


@dataclass(frozen=True)
class Document:
    """What a document says. `language` is a locale such as `en_US`; `dated` is its day, and the file's."""

    title: str
    language: str
    dated: date
    parts: Sequence[Part]


def render(document: Document) -> bytes:
    """The document as a tagged PDF under the operator's name."""
    from typst import TypstError

    said = {"data": json.dumps(_plain(document), ensure_ascii=False)}
    when = datetime(document.dated.year, document.dated.month, document.dated.day, tzinfo=UTC)
    with _one_at_a_time:
        try:
            return _compiled(_compiler(), said, when, [ACCESSIBLE])
        except TypstError:
            # No font here has one of its characters: drawn as a box, which the standard does not allow.
            return _compiled(_compiler(), said, when, [])


def _compiled(compiler: Compiler, said: dict[str, str], when: datetime, standards: list[Any]) -> bytes:
    file = compiler.compile(format="pdf", sys_inputs=said, timestamp=when, pdf_standards=standards)
    assert isinstance(file, bytes)
    return file


@cache
def _compiler() -> Compiler:
    """Made at the first document: the library is large, and the fonts of the machine are looked through."""
    from typst import Compiler

    inter = find_spec("fontpkg_inter")
    assert inter is not None
    assert inter.origin is not None
    fonts = Path(inter.origin).parent / "files"
    return Compiler(str(LAYOUT), root=str(LAYOUT.parent), font_paths=[str(fonts)])


def _plain(document: Document) -> dict[str, Any]:
    locale = Locale.parse(document.language)
    with reading(document.language):
        dated = day(document.dated)
    return {
        "title": document.title,
        "site": current().operator_name,
        "dated": dated,
        "lang": locale.language,
        "region": locale.territory,
        "paper": "us-letter" if locale.territory in LETTER else "a4",
        "parts": [_part(part) for part in document.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Heading(text, level):
            return {"kind": "heading", "text": text, "level": level}
        case Paragraph(text, small):
            return {"kind": "paragraph", "text": text, "small": small}
        case Pairs(pairs):
            return {"kind": "pairs", "pairs": [list(pair) for pair in pairs]}
        case Table(columns, rows, totals):
            named = [{"label": each.label, "right": each.right, "share": each.share} for each in columns]
            return {"kind": "table", "columns": named, "rows": [list(r) for r in rows], "totals": totals}
