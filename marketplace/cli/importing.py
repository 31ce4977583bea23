"""`marketplace import experts FILE`: CSV or JSON Lines, streamed. Bad rows go to FILE.rejected.csv."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import SITE, Role
from marketplace.cli.proofs import session_for_command
from marketplace.errors import Invalid, Refused
from marketplace.gigs import importing
from marketplace.gigs.importing import ExpertRow
from marketplace.i18n import gettext as _

AT_ONCE = 2_000
BAR = 30
Row = Mapping[str, str]


@dataclass
class Counted:
    """What became of the rows so far."""

    new: int = 0
    changed: int = 0
    known: int = 0
    refused: int = 0

    @property
    def rows(self) -> int:
        return self.new + self.changed + self.known + self.refused


class Rejected:
    """The file beside the one that is imported: each row that could not be, as it was, with the reason."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.rejected.csv")
        self._path.unlink(missing_ok=True)
        self._file: IO[str] | None = None

    def add(self, row: Row, reason: str) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            self._rows = csv.DictWriter(self._file, [*importing.COLUMNS, "reason"], extrasaction="ignore")
            self._rows.writeheader()
        self._rows.writerow({**row, "reason": reason})

    def close(self) -> str:
        """Where they are; nothing when there are none."""
        if self._file is None:
            return ""
        self._file.close()
        return str(self._path)


class Progress:
    """A line that says how far it is, where somebody looks on."""

    def __init__(self, size: int) -> None:
        self._size, self._shown, self._began = size, sys.stderr.isatty(), time.monotonic()

    def show(self, at: int, counted: Counted) -> None:
        if self._shown:
            share = at / self._size if self._size else 1.0
            bar = "█" * int(share * BAR)
            speed = counted.rows / max(time.monotonic() - self._began, 0.001)
            print(f"\r{bar:░<{BAR}} {share:4.0%} {counted.rows:,} rows, {speed:,.0f} a second",
                  end="", file=sys.stderr, flush=True)  # fmt: skip

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)


def experts(arguments: argparse.Namespace) -> int:
    """Bring in the experts of a file. Exits 1 when a row was refused."""
    path, counted = Path(arguments.file), Counted()
    rejected = Rejected(path)
    with ExitStack() as stack:
        file = stack.enter_context(_opened(path))
        session = stack.enter_context(session_for_command())
        attested_by = _reviewer(session, arguments.attested_by)
        progress, rows = Progress(path.stat().st_size), _rows(path, file)
        while batch := list(islice(rows, AT_ONCE)):
            _bring(session, arguments.source, batch, attested_by, counted, rejected)
            progress.show(file.buffer.tell(), counted)  # type: ignore[attr-defined]
        progress.end()
    where = rejected.close()
    print(f"{counted.new:,} new, {counted.changed:,} changed, {counted.known:,} as before, "
          f"{counted.refused:,} refused{': see ' + where if where else ''}")  # fmt: skip
    return int(counted.refused > 0)


def _bring(
    session: Session, source: str, batch: list[Row | str], attested_by: int | None, counted: Counted,
    rejected: Rejected,
) -> None:  # fmt: skip
    good: list[tuple[Row, ExpertRow]] = []
    for row in batch:
        try:
            if isinstance(row, str):
                raise Invalid(_("This line is no JSON object."))
            good.append((row, importing.read_expert(row)))
        except Invalid as error:
            counted.refused += 1
            rejected.add({} if isinstance(row, str) else row, _reason(error))
    brought = importing.bring_experts(session, SITE, source, [read for _row, read in good], attested_by)
    counted.new += brought.new
    counted.changed += brought.changed
    counted.known += brought.known
    counted.refused += len(brought.refused)
    for place, reason in brought.refused.items():
        rejected.add(good[place][0], reason)


def _opened(path: Path) -> IO[str]:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise Refused(
            _("The file %(path)s cannot be read: %(why)s.", path=path, why=error.strerror)
        ) from None


def _rows(path: Path, file: IO[str]) -> Iterator[Row | str]:
    """Each row as texts by column; what is no row, as it stands."""
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        yield from (_of_json(line) for line in _lines(file) if line.strip())
        return
    rows = csv.DictReader(_lines(file))
    missing = [name for name in ("external_id", "name", "email") if name not in (rows.fieldnames or ())]
    if missing:
        raise Refused(_("The first line names no column %(name)s.", name=missing[0]))
    yield from rows


def _lines(file: IO[str]) -> Iterator[str]:
    """Line by line with `readline`, so that it can be told how far it is."""
    return iter(file.readline, "")


def _of_json(line: str) -> Row | str:
    try:
        found: Any = json.loads(line)
    except ValueError:
        return line
    if not isinstance(found, dict):
        return line
    return {name: _text(value) for name, value in found.items()}


def _text(value: Any) -> str:
    """As a CSV would write it: lists parted by `;`."""
    if isinstance(value, list):
        return ";".join(_text(each) for each in value)
    return "" if value is None else str(value)


def _reviewer(session: Session, email: str | None) -> int | None:
    """Who stands for the credentials: a reviewer of the site."""
    if email is None:
        return None
    found = session.scalar(
        sa.select(Person.id).join(RoleGrant, RoleGrant.person_id == Person.id).where(
            Person.email == email.lower(), RoleGrant.role == Role.REVIEWER, RoleGrant.ended_at.is_(None)
        )
    )  # fmt: skip
    if found is None:
        raise Refused(_("No reviewer has the e-mail address %(email)s.", email=email))
    return int(found)


def _reason(error: Invalid) -> str:
    return f"{error.field}: {error.sentence}" if error.field else error.sentence
