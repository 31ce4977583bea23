"""`marketplace import experts|gigs FILE`: CSV or JSON Lines, streamed. Bad rows go to FILE.rejected.csv."""

from __future__ import annotations

import argparse
import csv
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts import claiming
from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import SITE, Role
from marketplace.cli.proofs import session_for_command
from marketplace.errors import Invalid, Refused
from marketplace.gigs import importing_experts, importing_gigs
from marketplace.gigs.importing import Brought, Row
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext

AT_ONCE = 4_000
BAR = 30
R = TypeVar("R")
Good = list[tuple[Row, R]]
Bring = Callable[[list[R]], Brought]
# While the database works for one of them, the other makes the next rows ready for it.
WRITERS = 2


@dataclass(frozen=True)
class Kind(Generic[R]):
    """What can be imported: the columns of its file, those that must be there, and how a row is checked.

    `keys` are what a row must not share with one that is written at the same moment.
    """

    columns: tuple[str, ...]
    needed: tuple[str, ...]
    read: Callable[[Row], R]
    keys: Callable[[R], Iterable[object]]


EXPERTS = Kind(
    importing_experts.COLUMNS,
    ("external_id", "name", "email"),
    importing_experts.read_expert,
    lambda row: (row.external_id, row.person.email, *(claim.hash for claim in row.claims if claim.hash)),
)
GIGS = Kind(
    importing_gigs.COLUMNS,
    ("external_id", "client", "project", "title"),
    importing_gigs.read_gig,
    lambda row: (row.external_id, row.client),
)


@dataclass(frozen=True)
class Batch(Generic[R]):
    """Good rows that are being written, with what no other may share with them meanwhile."""

    good: Good[R]
    keys: set[object]
    bring: Bring[R]
    brought: Future[Brought]


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

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path.with_name(f"{path.name}.rejected.csv")
        self._path.unlink(missing_ok=True)
        self._file: IO[str] | None = None
        self._columns = columns

    def add(self, row: Row | str, reason: str) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            self._rows = csv.DictWriter(self._file, [*self._columns, "reason"], extrasaction="ignore")
            self._rows.writeheader()
        self._rows.writerow({**({} if isinstance(row, str) else row), "reason": reason})

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
    with session_for_command() as session:
        attested_by = _reviewer(session, arguments.attested_by)
        bring = partial(
            importing_experts.bring_experts, actor=SITE, source=arguments.source, attested_by=attested_by
        )
        return _import(Path(arguments.file), EXPERTS, session, bring)


def gigs(arguments: argparse.Namespace) -> int:
    """Bring in the gigs of a file, as drafts. Exits 1 when a row was refused."""
    with session_for_command() as session:
        bring = partial(importing_gigs.bring_gigs, actor=SITE, source=arguments.source)
        return _import(Path(arguments.file), GIGS, session, bring)


def _import(path: Path, kind: Kind[R], session: Session, bring: Callable[..., Brought]) -> int:
    counted = Counted()
    with ExitStack() as stack:
        stack.enter_context(_few_collections())
        writers: list[Bring[R]] = [_writer(each, bring) for each in stack.enter_context(_sessions(session))]
        file = stack.enter_context(_opened(path))
        rows = _rows(path, file, kind.needed)
        rejected = Rejected(path, kind.columns)
        progress = Progress(path.stat().st_size)
        for good, brought in _brought(rows, kind, writers, counted, rejected):
            _count(good, brought, counted, rejected)
            progress.show(file.buffer.tell(), counted)  # type: ignore[attr-defined]
        progress.end()
    where = rejected.close()
    print(f"{counted.new:,} new, {counted.changed:,} changed, {counted.known:,} as before, "
          f"{counted.refused:,} refused{': see ' + where if where else ''}")  # fmt: skip
    return int(counted.refused > 0)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for circles of garbage at the end only. Rows make none, and looking took a fifth of the time."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@contextmanager
def _sessions(first: Session) -> Iterator[list[Session]]:
    """One for each writer, on connections of their own; only the first where there is but one connection."""
    engine = first.get_bind()
    with ExitStack() as stack:
        further = WRITERS - 1 if isinstance(engine, sa.Engine) else 0
        yield [first, *(stack.enter_context(Session(engine)) for _ in range(further))]


def _writer(session: Session, bring: Callable[..., Brought]) -> Bring[R]:
    return lambda rows: bring(session, rows=rows)


def _brought(
    rows: Iterator[Row | str],
    kind: Kind[R],
    writers: Sequence[Bring[R]],
    counted: Counted,
    rejected: Rejected,
) -> Iterator[tuple[Good[R], Brought]]:
    """The good rows of each batch, in their order, and what became of them. While some are written, the next
    are checked; those that share something with them wait until they are done."""
    free, at_work = deque(writers), deque[Batch[R]]()

    def done() -> tuple[Good[R], Brought]:
        first = at_work.popleft()
        brought = first.brought.result()
        free.append(first.bring)
        return first.good, brought

    with ThreadPoolExecutor(len(writers)) as pool:
        while batch := list(islice(rows, AT_ONCE)):
            good = _checked(batch, kind, counted, rejected)
            keys = {key for _row, read in good for key in kind.keys(read)}
            while not free or any(not keys.isdisjoint(each.keys) for each in at_work):
                yield done()
            bring = free.popleft()
            brought = pool.submit(copy_context().run, bring, [read for _row, read in good])
            at_work.append(Batch(good, keys, bring, brought))
        while at_work:
            yield done()


def _checked(batch: Sequence[Row | str], kind: Kind[R], counted: Counted, rejected: Rejected) -> Good[R]:
    good: Good[R] = []
    for row in batch:
        try:
            if isinstance(row, str):
                raise Invalid(_("This line is no JSON object."))
            good.append((row, kind.read(row)))
        except Invalid as error:
            counted.refused += 1
            rejected.add(row, _reason(error))
    return good


def _count(good: Good[R], brought: Brought, counted: Counted, rejected: Rejected) -> None:
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


def _rows(path: Path, file: IO[str], needed: Sequence[str]) -> Iterator[Row | str]:
    """Each row as texts by column; what is no row, as it stands."""
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return (_of_json(line) for line in _lines(file) if line.strip())
    rows = csv.DictReader(_lines(file))
    missing = [name for name in needed if name not in (rows.fieldnames or ())]
    if missing:
        raise Refused(_("The first line names no column %(name)s.", name=missing[0]))
    return rows


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


def invite(_arguments: argparse.Namespace) -> int:
    """Mail those who were brought in the link by which they take over; done twice, nobody gets two."""
    mailed = 0
    with session_for_command() as session:
        while some := claiming.mail_some(session, SITE):
            session.commit()
            mailed += some
    print(ngettext("%(n)s link is on its way.", "%(n)s links are on their way.", mailed))
    return 0
