"""Reading a tool's file: `contract,date,minutes,items`, with a header. A bad row never stops the others."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext

LARGEST = 1_000_000
MOST_ROWS = 10_000
COLUMNS = ("contract", "date", "minutes", "items")
# The day on which the clocks go back has 25 hours.
LONGEST_DAY = 25 * 60
MOST_ITEMS = 100_000


@dataclass(frozen=True)
class Row:
    """A line of the file that can be read. `items` is None when the tool counts none."""

    line: int
    contract: uuid.UUID
    day: date
    minutes: int
    items: int | None


@dataclass(frozen=True)
class RefusedRow:
    """A line that counts for nothing, and why."""

    line: int
    why: str


def decode(data: bytes) -> str:
    """The text of a file. Raises Invalid when it is too large, empty, or no text."""
    if len(data) > LARGEST:
        raise Invalid(_("The file is larger than one megabyte. Bring it in parts."), field="file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(_("This is no text in UTF-8. Save the file as CSV in UTF-8."), field="file") from None
    if "\0" in text or not text.strip():
        raise Invalid(_("There is nothing to read in this file."), field="file")
    return text


def read(text: str) -> tuple[list[Row], list[RefusedRow]]:
    """The rows, and those that cannot be read. Raises Invalid without a header, or for too many rows."""
    rows: list[Row] = []
    refused: list[RefusedRow] = []
    for line, cells in _cells(text):
        try:
            rows.append(_row(line, cells))
        except Invalid as refusal:
            refused.append(RefusedRow(line, refusal.sentence))
    return rows, refused


def _cells(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    lines = text.splitlines()
    # Where a comma is for decimals, spreadsheets part cells by semicolons.
    reader = csv.reader(lines, delimiter=";" if lines[0].count(";") > lines[0].count(",") else ",")
    try:
        header = [cell.strip().casefold() for cell in next(reader)]
        _check_header(header)
        for count, cells in enumerate(_filled(reader), start=1):
            if count > MOST_ROWS:
                raise Invalid(
                    ngettext(
                        "A file may have %(n)s row at most.", "A file may have %(n)s rows at most.", MOST_ROWS
                    ),
                    field="file",
                )
            yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=False))
    except csv.Error:
        raise Invalid(_("This is no CSV file that can be read."), field="file") from None


def _filled(reader: Iterable[list[str]]) -> Iterator[list[str]]:
    return (cells for cells in reader if any(cell.strip() for cell in cells))


def _check_header(header: list[str]) -> None:
    lacking = [name for name in COLUMNS[:3] if name not in header]
    if lacking:
        raise Invalid(
            _(
                "The first line has to name the columns contract, date and minutes; it lacks %(names)s.",
                names=", ".join(lacking),
            ),
            field="file",
        )


def _row(line: int, cells: Mapping[str, str]) -> Row:
    items = cells.get("items", "")
    return Row(
        line,
        _contract(cells.get("contract", "")),
        _day(cells.get("date", "")),
        _whole(cells.get("minutes", ""), LONGEST_DAY, _("Minutes are a whole number up to %(most)s.")),
        _whole(items, MOST_ITEMS, _("Items are a whole number up to %(most)s.")) if items else None,
    )


def _contract(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Invalid(_("The contract is not an id as it stands on a contract's page.")) from None


def _day(text: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Invalid(_("The date is not written as in 2026-11-03."))


def _whole(text: str, most: int, sentence: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) > most:
        raise Invalid(sentence % {"most": most})
    return int(text)
