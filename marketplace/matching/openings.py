"""The open gigs as columns in memory, so that they are counted and scored without asking the database.

Each process keeps its own, some megabytes for a hundred thousand gigs. What changed since is read again
when somebody looks and the columns are older than `FRESH_FOR`; what they name is always read from the
database, so that nothing is shown which is not open any more.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from threading import Lock, Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from marketplace.matching import domains
from marketplace.matching.facts import RequirementFact

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int16]
Places = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

FRESH_FOR = 2.0
# A transaction that began before we looked may end after; and what was removed is noticed by reading all.
OVERLAP = timedelta(seconds=60)
ALL_AGAIN = 300.0
MOST_CHANGES = 2_000

ROWS = """
    SELECT gig_id, open, client, domain, rate_min, rate_max, currency, hours_per_week, language_bits,
        facts ->> 'requirements' AS requirements, countries, skills, use_bits, task_kind,
        facts ->> 'time_zone' AS zone,
        coalesce((extract(epoch FROM published_at) * 1000000)::bigint, 0) AS published
    FROM match_gigs
"""
OPEN = f"{ROWS} WHERE open"
CHANGED = f"{ROWS} WHERE changed_at > :since LIMIT {MOST_CHANGES + 1}"

MANY = "SELECT count(*), max(changed_at) FROM match_gigs WHERE changed_at > :since"


@dataclass(frozen=True)
class Openings:
    """Columns of equal length, the newest gig first. Rates are minor units of `currencies` for an hour.

    `domain`, `task`, `currency`, `languages`, `credentials` and `countries` are places in the tuples of what
    there is; languages and `uses` are sets of bits as in `bits` and `uses`. `skills` has a row of numbers for
    each gig, filled up with zeros. `published` counts microseconds. `zoned` says that hours must be shared
    with a time zone.
    """

    ids: Ints
    published: Ints
    client: Ints
    rate_min: Ints
    rate: Ints
    domain: Places
    currency: Places
    hours: Small
    task: Places
    languages: Places
    credentials: Places
    countries: Places
    uses: Small
    zoned: Mask
    skills: npt.NDArray[np.int32]
    domains: tuple[str, ...]
    currencies: tuple[str, ...]
    tasks: tuple[str | None, ...]
    language_sets: tuple[int, ...]
    credential_sets: tuple[tuple[RequirementFact, ...], ...]
    country_sets: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)


log = logging.getLogger(__name__)


class _Kept:
    """What this process knows, and since when."""

    openings: Openings | None = None
    seen: datetime | None = None
    looked = 0.0
    read_whole = -math.inf
    reading = False
    # What there was when more had changed than is read one by one: since when, how many, and the last.
    many: tuple[Any, ...] | None = None


_kept, _lock = _Kept(), Lock()


def current(session: Session) -> Openings:
    """The open gigs, as they were a few seconds ago at most."""
    if _kept.openings is not None and time.monotonic() - _kept.looked < FRESH_FOR:
        return _kept.openings
    # One reads; the others go on with what there is.
    if not _lock.acquire(blocking=_kept.openings is None):
        return _kept.openings or _read(session)
    try:
        return _look_again(session)
    finally:
        _lock.release()


def forget() -> None:
    """Read everything anew next time."""
    _kept.openings, _kept.read_whole = None, -math.inf


def warm(new_session: Callable[[], Session]) -> None:
    """Read them before anybody asks, when a process begins."""
    try:
        with new_session() as session:
            current(session)
    except SQLAlchemyError:
        log.warning("The open gigs were not read in advance", exc_info=True)


def _look_again(session: Session) -> Openings:
    now, seen = time.monotonic(), session.scalar(sa.select(sa.func.clock_timestamp()))
    openings, since = _kept.openings, _kept.seen
    if openings is None or since is None:
        found, _kept.read_whole, _kept.seen = _read(session), now, seen
    else:
        found = _with_changes(session, openings, since - OVERLAP, seen)
    if now - _kept.read_whole > ALL_AGAIN:
        found, _kept.read_whole = _whole(session, found), now
    _kept.openings, _kept.looked = found, now
    return found


def _with_changes(session: Session, openings: Openings, since: datetime, seen: Any) -> Openings:
    rows = session.execute(sa.text(CHANGED), {"since": since}).all()
    if len(rows) <= MOST_CHANGES:
        _kept.seen = seen
        return _changed(openings, rows)
    many = (since, *session.execute(sa.text(MANY), {"since": since}).one())
    if many[-1] < seen - OVERLAP:
        # None of them can be on its way any more.
        _kept.seen = seen
    if many == _kept.many or _kept.reading:
        return openings
    _kept.many = many
    return _whole(session, openings)


def _whole(session: Session, openings: Openings) -> Openings:
    """All of it read anew: aside, since it takes a second, where a thread of its own can ask the database."""
    engine = session.get_bind()
    if not isinstance(engine, sa.Engine):
        return _read(session)
    if not _kept.reading:
        _kept.reading = True
        Thread(target=copy_context().run, args=(_read_aside, engine), daemon=True).start()
    return openings


def _read_aside(engine: sa.Engine) -> None:
    try:
        with Session(engine) as session:
            found = _read(session)
        with _lock:
            _kept.openings = found
    finally:
        _kept.reading = False


def _read(session: Session) -> Openings:
    return _columns(session.execute(sa.text(OPEN)).all())


def _changed(old: Openings, rows: Sequence[Any]) -> Openings:
    """The same with these rows in place of what was known of them."""
    if not rows:
        return old
    kept = ~np.isin(old.ids, [row.gig_id for row in rows])
    return _joined(old, kept, _columns([row for row in rows if row.open]))


def _columns(rows: Sequence[Any]) -> Openings:
    domain, known_domains = _places([row.domain for row in rows], domains.codes())
    currency, currencies = _places([row.currency for row in rows])
    languages, language_sets = _places([row.language_bits for row in rows])
    credentials, credential_sets = _places([_required(row.requirements) for row in rows])
    countries, country_sets = _places([tuple(row.countries) for row in rows])
    task, tasks = _places([row.task_kind for row in rows])
    return _newest_first(
        Openings(
            ids=np.array([row.gig_id for row in rows], np.int64),
            published=np.array([row.published for row in rows], np.int64),
            client=np.array([row.client for row in rows], np.int64),
            rate_min=np.array([row.rate_min for row in rows], np.int64),
            rate=np.array([row.rate_max for row in rows], np.int64),
            hours=np.array([row.hours_per_week for row in rows], np.int16),
            uses=np.array([row.use_bits for row in rows], np.int16),
            zoned=np.array([row.zone is not None for row in rows], np.bool_),
            skills=_padded([row.skills for row in rows]),
            domain=domain,
            currency=currency,
            task=task,
            languages=languages,
            credentials=credentials,
            countries=countries,
            domains=known_domains,
            currencies=currencies,
            tasks=tasks,
            language_sets=language_sets,
            credential_sets=credential_sets,
            country_sets=country_sets,
        )
    )


@lru_cache(maxsize=10_000)
def _required(kept: str) -> tuple[RequirementFact, ...]:
    """What is asked for, as it stands in the facts of a gig. Many gigs ask for the same."""
    return tuple(RequirementFact(**each) for each in json.loads(kept))


def _places(values: Sequence[Any], known: Sequence[Any] = ()) -> tuple[Places, tuple[Any, ...]]:
    """Each value's place among the values that there are."""
    places = {value: place for place, value in enumerate(dict.fromkeys([*known, *values]))}
    return np.array([places[value] for value in values], np.int32), tuple(places)


def _padded(numbers: Sequence[Sequence[int]]) -> npt.NDArray[np.int32]:
    """A row for each, as long as the longest."""
    width = max(map(len, numbers), default=0)
    rows = [[*each, *[0] * (width - len(each))] for each in numbers]
    return np.array(rows, np.int32).reshape(len(numbers), width)


def _newest_first(openings: Openings) -> Openings:
    return _taken(openings, np.lexsort((-openings.ids, -openings.published)))


def _joined(old: Openings, kept: Mask, new: Openings) -> Openings:
    """Those kept of the old ones, and the new ones."""
    left = _taken(old, np.flatnonzero(kept))
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(left, name), getattr(new, name)])
        for name in ("ids", "published", "client", "rate_min", "rate", "hours", "uses", "zoned")
    }
    width = max(left.skills.shape[1], new.skills.shape[1])
    parts["skills"] = np.concatenate([_widened(each.skills, width) for each in (left, new)])
    for name, among in NAMED:
        parts |= _merged(name, among, left, new)
    return _newest_first(Openings(**parts))


NAMED = (
    ("domain", "domains"), ("currency", "currencies"), ("task", "tasks"), ("languages", "language_sets"),
    ("credentials", "credential_sets"), ("countries", "country_sets"),
)  # fmt: skip


def _widened(rows: npt.NDArray[np.int32], width: int) -> npt.NDArray[np.int32]:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def _merged(name: str, among: str, left: Openings, new: Openings) -> dict[str, Any]:
    every = tuple(dict.fromkeys([*getattr(left, among), *getattr(new, among)]))
    moved = np.array([every.index(value) for value in getattr(new, among)], np.int32)
    column = getattr(new, name)
    return {
        name: np.concatenate([getattr(left, name), moved[column] if len(column) else column]),
        among: every,
    }


def _taken(openings: Openings, places: Ints) -> Openings:
    columns: dict[str, Any] = {
        name: value[places] if isinstance(value, np.ndarray) else value
        for name, value in vars(openings).items()
    }
    return Openings(**columns)
