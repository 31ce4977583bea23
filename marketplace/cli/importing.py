"""`marketplace import experts|gigs FILE`: CSV or JSON Lines, streamed. Bad rows go to FILE.rejected.csv."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts import claiming
from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import SITE, Role
from marketplace.cli import import_batches, import_files
from marketplace.cli.import_files import Rejected, Unread
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
        file = stack.enter_context(import_files.opened(path))
        rows = import_files.rows(path, file, kind.columns, kind.needed)
        rejected = stack.enter_context(closing(Rejected(path, kind.columns)))
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
    return partial(import_batches.bring_all, lambda rows: bring(session, rows=rows))


def _brought(
    rows: Iterator[Row | Unread],
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


def _checked(batch: Sequence[Row | Unread], kind: Kind[R], counted: Counted, rejected: Rejected) -> Good[R]:
    good: Good[R] = []
    for row in batch:
        found = row if isinstance(row, Unread) else _read(row, kind)
        if isinstance(found, Unread):
            counted.refused += 1
            rejected.add(found.row, found.reason)
        else:
            good.append(found)
    return good


def _read(row: Row, kind: Kind[R]) -> tuple[Row, R] | Unread:
    try:
        return row, kind.read(row)
    except Invalid as error:
        return Unread(row, import_files.reason(error))


def _count(good: Good[R], brought: Brought, counted: Counted, rejected: Rejected) -> None:
    counted.new += brought.new
    counted.changed += brought.changed
    counted.known += brought.known
    counted.refused += len(brought.refused)
    for place, reason in brought.refused.items():
        rejected.add(good[place][0], reason)


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


def invite(_arguments: argparse.Namespace) -> int:
    """Mail those who were brought in the link by which they take over; done twice, nobody gets two."""
    mailed = 0
    with session_for_command() as session:
        while some := claiming.mail_some(session, SITE):
            session.commit()
            mailed += some
    print(ngettext("%(n)s link is on its way.", "%(n)s links are on their way.", mailed))
    return 0
