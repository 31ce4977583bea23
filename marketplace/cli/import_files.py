"""The files of an import: CSV or JSON Lines, read row by row, and FILE.rejected.csv beside them.

What is no row is told as such, with its line and why. It stops nothing: reading goes on at the next line.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

from marketplace.errors import Invalid, Refused
from marketplace.gigs.importing import Row
from marketplace.i18n import gettext as _
from marketplace.i18n import number

# Characters of one row: a file in which no line ends is never held in memory whole.
MOST = 1_000_000
ENDS = ("\n", "\r")
# How `surrogateescape` keeps what is no UTF-8.
BYTES = re.compile("[\udc80-\udcff]")
T = TypeVar("T")


@dataclass(frozen=True)
class Unread:
    """What is no row: its texts by column, as far as they can be told, and why."""

    row: Row
    reason: str


class Rejected:
    """The file beside the one that is imported: each row that could not be, as it was, with the reason."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path.with_name(f"{path.name}.rejected.csv")
        self._path.unlink(missing_ok=True)
        self._file: IO[str] | None = None
        self._columns = columns

    def add(self, row: Row, reason: str) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            self._rows = csv.writer(self._file)
            self._rows.writerow([*self._columns, "reason"])
        self._rows.writerow([*(_shown(row.get(name) or "") for name in self._columns), reason])

    def close(self) -> str:
        """Where they are; nothing when there are none."""
        if self._file is None:
            return ""
        self._file.close()
        return str(self._path)


def opened(path: Path) -> IO[str]:
    """The file, of which not all need be UTF-8. Raises Refused when it cannot be read."""
    try:
        return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise Refused(
            _("The file %(path)s cannot be read: %(why)s.", path=path, why=error.strerror)
        ) from None


def rows(path: Path, file: IO[str], columns: Sequence[str], needed: Sequence[str]) -> Iterator[Row | Unread]:
    """Each row as texts by column, or what is none. Raises Refused where a CSV lacks a needed column."""
    lines = _Lines(file)
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return _of_json(lines, columns)
    table = _each(lines, csv.reader(lines, strict=True))
    return _of_csv(lines, table, _header(lines, table, needed))


def reason(error: Invalid) -> str:
    """What is wrong, and with which column."""
    return f"{error.field}: {error.sentence}" if error.field else error.sentence


class _Lines:
    """Line by line with `readline`, so that it can be told how far it is.

    A quotation mark that nobody closes takes the rows below along, so lines of a row can be read once more.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._again = deque[str]()
        self._taken: list[str] = []
        self._length = self._read = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._file.readline(MOST)
        if not line:
            raise StopIteration
        self._taken.append(line)
        self._read += 1
        self._length += len(line)
        if self._length >= MOST:
            self._taken[-1] = self._cut(line)
            raise csv.Error
        return line

    def begin(self) -> None:
        """What comes is of another row."""
        self._taken.clear()
        self._length = 0

    def refused(self, error: csv.Error) -> Unread:
        """The line where the row begins is none; those below it are read again."""
        found = self.unread({}, _mistake(error, len(self._taken)))
        below = self._taken[1:]
        self._again.extendleft(reversed(below))
        self._read -= len(below)
        return found

    def unread(self, row: Mapping[str, Any], why: str) -> Unread:
        """The row that was read last, as what is none."""
        at = self._read - len(self._taken) + 1
        told = {name: text for name, text in row.items() if isinstance(text, str)}
        return Unread(told, _("Line %(line)s: %(why)s", line=at, why=why))

    def _cut(self, line: str) -> str:
        """As much of a line as is held; the rest of it is skipped."""
        rest = line
        while len(rest) == MOST and not rest.endswith(ENDS):
            rest = self._file.readline(MOST)
        return line if line.endswith(ENDS) else line + "\n"


def _mistake(error: csv.Error, lines: int) -> str:
    if lines > 1 or str(error) == "unexpected end of data":
        return _(
            "A quotation mark is opened and not closed. Close it, or double it where it is a text's own."
        )
    if not str(error) or str(error).startswith("field larger"):
        most = number(csv.field_size_limit())
        return _(
            "It is too long. A text has %(most)s characters at most, a row %(row)s.",
            most=most, row=number(MOST),
        )  # fmt: skip
    return _('A quotation mark stands within a text. Double it there: "".')


def _each(lines: _Lines, source: Iterator[T]) -> Iterator[T | Unread]:
    """What `source` makes of the lines, row by row, and what is no row."""
    found: T | Unread
    while True:
        lines.begin()
        try:
            found = next(source)
        except StopIteration:
            return
        except csv.Error as error:
            found = lines.refused(error)
        yield found


def _header(lines: _Lines, table: Iterator[list[str] | Unread], needed: Sequence[str]) -> Sequence[str]:
    names = next(table, [])
    if isinstance(names, Unread):
        raise Refused(names.reason)
    try:
        _check_utf8("".join(names))
    except Invalid as error:
        raise Refused(lines.unread({}, error.sentence).reason) from None
    missing = [name for name in needed if name not in names]
    if missing:
        raise Refused(_("The first line names no column %(name)s.", name=missing[0]))
    return names


def _of_csv(
    lines: _Lines, table: Iterator[list[str] | Unread], names: Sequence[str]
) -> Iterator[Row | Unread]:
    for found in table:
        if isinstance(found, Unread):
            yield found
        elif found:
            row, text = dict(zip(names, found, strict=False)), "".join(found)
            try:
                _check_utf8(text)
                _check_nul(text)
                yield row
            except Invalid as error:
                yield lines.unread(row, error.sentence)


def _of_json(lines: _Lines, columns: Sequence[str]) -> Iterator[Row | Unread]:
    wanted = frozenset(columns)
    for line in _each(lines, lines):
        if isinstance(line, Unread):
            yield line
        elif line.strip():
            found: dict[str, Any] = {}
            try:
                found = _object(line)
                _check_utf8(line)
                yield _texts(found, wanted)
            except Invalid as error:
                yield lines.unread(found, reason(error))


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


# Whole numbers stay as they are written, however long. JSON knows neither NaN nor Infinity (RFC 8259 6).
_decode = json.JSONDecoder(parse_int=str, parse_constant=_no_number).decode


def _object(line: str) -> dict[str, Any]:
    try:
        found: Any = _decode(line)
    except RecursionError:
        raise Invalid(_("This line nests its values too deep.")) from None
    except ValueError:
        _check_utf8(line)
        found = None
    if not isinstance(found, dict):
        raise Invalid(_("This line is no JSON object."))
    return found


def _texts(found: Mapping[str, Any], wanted: Set[str]) -> Row:
    """As a CSV would write them. Raises Invalid for what cannot be kept."""
    row = {
        name: value if type(value) is str else _text(value, name)
        for name, value in found.items()
        if name in wanted
    }
    text = "".join(row.values())
    if not _is_utf8(text):
        raise Invalid(_("A text holds half of a character, such as \\ud800. Write the whole character."))
    _check_nul(text)
    return row


def _text(value: Any, name: str) -> str:
    """Lists are parted by `;`."""
    if isinstance(value, list) and not any(isinstance(each, list) for each in value):
        return ";".join([_text(each, name) for each in value])
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float) and isfinite(value):
        return str(value)
    raise Invalid(_("Write a text, a number, or a list of them."), field=name)


def _is_utf8(text: str) -> bool:
    """Surrogates are what is left of other bytes, or half of a character; neither can be kept."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_utf8(text: str) -> None:
    if not _is_utf8(text):
        raise Invalid(_("This is not UTF-8 text. Save the file as UTF-8, then import it again."))


def _check_nul(text: str) -> None:
    if "\0" in text:
        raise Invalid(_("A text holds a NUL character, which cannot be kept. Remove it."))


def _shown(text: str) -> str:
    """What is no UTF-8, by the numbers of its bytes: `Jos\\xe9`."""
    return BYTES.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
