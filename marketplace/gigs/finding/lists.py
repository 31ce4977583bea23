"""One page of the gigs that somebody finds, in the order that they ask for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import clock
from marketplace.gigs.finding import texts
from marketplace.gigs.finding.facets import Facet, Reader, Sieve
from marketplace.gigs.finding.hiding import left_out
from marketplace.gigs.finding.search import MATCH, RATE, Search
from marketplace.gigs.models import Application, Gig, Project
from marketplace.gigs.states import OVER, ApplicationState, GigState
from marketplace.matching import domains, openings, ranking, requirements
from marketplace.matching.candidates import draw
from marketplace.matching.facts import ExpertFacts
from marketplace.matching.openings import Ints, Mask, Openings, Small
from marketplace.matching.requirements import CHECKED, SEEN_AT_SOURCE
from marketplace.matching.suitable import Suitable

RANKED = 300
ALIKE, ALIKE_LOOKED_AT = 4, 40
PAGE = 20
BOOKS = "USD"
SHOWN = (
    joinedload(Gig.project).joinedload(Project.organization),
    selectinload(Gig.requirements),
    selectinload(Gig.succession),
)


@dataclass(frozen=True)
class Suited:
    """A gig and how it matches the reader; `score` is None where they are not ordered by it. `application`
    says how far theirs is, if there is one."""

    gig: Gig
    score: int | None
    application: ApplicationState | None = None


@dataclass(frozen=True)
class Found:
    """One page, and what stands around it. `after` is the cursor of the next page, if there is one.

    `total` gigs are in the whole list; `more` says that still others would suit the reader less well.
    `taken` are words that were looked for in place of those typed.
    """

    rows: list[Suited]
    facets: list[Facet]
    sort: str
    total: int
    after: str | None
    more: bool
    taken: list[tuple[str, str]]


def find(session: Session, person_id: int, search: Search, sort: str, after: str | None = None) -> Found:
    """What this person (internal id) finds among the open gigs; by match only once there is a profile."""
    expert = ranking.experts(session, [person_id]).get(person_id)
    words = texts.find(session, search.text) if search.text else None
    among = openings.current(session)
    reader = reader_of(expert, left_out(session, person_id))
    sieve = Sieve(among, search, reader, words.ids if words else None)
    taken = words.taken if words else []
    if sort == MATCH and expert is not None:
        return _by_match(session, among, sieve, expert, after, taken)
    return _in_order(session, person_id, among, sieve, sort, after, taken)


def alike(session: Session, person_id: int, gig: Gig) -> list[Suited]:
    """A few open gigs like this one, those that suit the reader (internal id) first, the most alike first."""
    among = openings.current(session)
    near = _likeness(among, gig)
    near[np.isin(among.ids, [gig.id, *left_out(session, person_id)])] = 0
    most = np.argsort(-near, kind="stable")[:ALIKE_LOOKED_AT]
    ids = [int(among.ids[place]) for place in most if near[place]]
    if not ids:
        return []
    suit = {id_: match.score for id_, match in ranking.best_gigs(session, person_id, len(ids), ids)}
    shown = sorted(ids, key=lambda id_: id_ not in suit)[:ALIKE]
    return _suited(session, person_id, [(id_, suit.get(id_)) for id_ in shown])


def _likeness(among: Openings, gig: Gig) -> Small:
    """How alike each is: its domain most, then its task, then whether it pays about as much."""
    near_by = np.array([domains.nearness(each, gig.domain or "") for each in among.domains], np.int16)
    task = np.array([each == gig.task_kind for each in among.tasks], np.bool_)
    near = (2 * near_by)[among.domain]
    near += np.where(near > 0, 2 * task[among.task], 0).astype(np.int16)
    near += np.where(near > 0, np.abs(among.rate - (gig.rate_max or 0)) * 4 <= among.rate, 0).astype(np.int16)
    return near


def reader_of(expert: ExpertFacts | None, hidden: Collection[int]) -> Reader:
    """What of an expert decides how gigs are counted for them."""
    if expert is None:
        return Reader(BOOKS, hidden=tuple(hidden))
    today = clock.today("UTC")
    count = tuple(each for each in expert.credentials if requirements.in_force(each, today))
    reviewed = tuple(replace(each, level=SEEN_AT_SOURCE) for each in count if each.level < CHECKED)
    return Reader(expert.currency, count, reviewed, tuple(hidden))


def _by_match(
    session: Session, among: Openings, sieve: Sieve, expert: ExpertFacts, after: str | None,
    taken: list[tuple[str, str]],
) -> Found:  # fmt: skip
    narrowed = bool(sieve.search) or bool(sieve.reader.hidden)
    suitable = Suitable(session, among, expert, sieve.left() if narrowed else None)
    best = _best(session, among, suitable, expert)
    places = best[:RANKED]
    ids, scores = among.ids[places], suitable.scored(places)
    order = (scores, -draw(expert.person_id, ids), -ids)
    start = _cursor(after, 2)
    if start is None:
        rest = np.arange(len(places))
    else:
        score, last = start
        beyond = _beyond(order, (score, -draw(expert.person_id, last), -last))
        rest = np.flatnonzero(beyond)
    shown = rest[:PAGE]
    rows = [(int(ids[place]), int(scores[place])) for place in shown]
    return Found(
        rows=_suited(session, expert.person_id, rows),
        facets=sieve.facets(),
        sort=MATCH,
        total=len(places),
        after=_written(rows[-1][1], rows[-1][0]) if len(rest) > PAGE else None,
        more=len(best) > RANKED,
        taken=taken,
    )


def _best(session: Session, among: Openings, suitable: Suitable, expert: ExpertFacts) -> Ints:
    """The places of the gigs that suit best, one more than are ranked if there are so many."""
    wanted = RANKED + 1
    while True:
        places = suitable.first(wanted)
        fit = places[_fits(session, among, suitable, expert, places)]
        if len(fit) > RANKED or len(places) < wanted:
            return fit[: RANKED + 1]
        wanted *= 2


def _fits(session: Session, among: Openings, suitable: Suitable, expert: ExpertFacts, places: Ints) -> Mask:
    """Which of these really suit: of most the columns tell, the others are matched in full."""
    unsure = suitable.unsure(places)
    asked = among.ids[places[unsure]].tolist()
    fit = [id_ for id_, match in ranking.matched_gigs(session, expert, asked) if match.eligible]
    return ~unsure | np.isin(among.ids[places], fit)


def _in_order(
    session: Session, person_id: int, among: Openings, sieve: Sieve, sort: str, after: str | None,
    taken: list[tuple[str, str]],
) -> Found:  # fmt: skip
    left = np.flatnonzero(sieve.left())
    keys = _keys(among, sort)[left]
    order = np.argsort(-keys, kind="stable") if sort == RATE else np.arange(len(left))
    start = _cursor(after, 3)
    places = left[order]
    if start is not None:
        places = places[_beyond([each[places] for each in _columns(among, sort)], start)]
    shown = among.ids[places[:PAGE]].tolist()
    last = places[PAGE - 1] if len(places) > PAGE else None
    return Found(
        rows=_suited(session, person_id, [(gig_id, None) for gig_id in shown]),
        facets=sieve.facets(),
        sort=sort,
        total=len(left),
        after=None if last is None else _written(*(int(each[last]) for each in _columns(among, sort))),
        more=False,
        taken=taken,
    )


def _keys(among: Openings, sort: str) -> Ints:
    return among.rate if sort == RATE else among.published


def _columns(among: Openings, sort: str) -> tuple[Ints, Ints, Ints]:
    """What the order goes by, highest first."""
    return _keys(among, sort), among.published, among.ids


def _beyond(columns: Sequence[Ints], start: Sequence[int]) -> Mask:
    """Where the columns, highest first, come after these keys."""
    beyond = np.zeros(len(columns[0]), np.bool_)
    equal = np.ones(len(columns[0]), np.bool_)
    for column, key in zip(columns, start, strict=True):
        beyond |= equal & (column < key)
        equal &= column == key
    return beyond


def _suited(session: Session, person_id: int, rows: Sequence[tuple[int, int | None]]) -> list[Suited]:
    """Those of these gigs (internal id, score) that can be shown to this person (internal id), in order."""
    ids = [gig_id for gig_id, _score in rows]
    gigs, applications = _gigs(session, ids), _applications(session, person_id, ids)
    return [Suited(gigs[id_], score, applications.get(id_)) for id_, score in rows if id_ in gigs]


def _applications(session: Session, person_id: int, ids: Sequence[int]) -> dict[int, ApplicationState]:
    """How far their applications to these gigs are, those that are over left out."""
    query = sa.select(Application.gig_id, Application.state).where(
        Application.person_id == person_id, Application.gig_id.in_(ids), Application.state.not_in(OVER)
    )
    return {row.gig_id: row.state for row in session.execute(query)}


def _gigs(session: Session, ids: Sequence[int]) -> dict[int, Gig]:
    """Those that are still published: what is held in memory may be some seconds old."""
    query = sa.select(Gig).where(Gig.id.in_(ids), Gig.state == GigState.PUBLISHED).options(*SHOWN)
    return {gig.id: gig for gig in session.scalars(query)}


def _cursor(after: str | None, numbers: int) -> tuple[int, ...] | None:
    parts = (after or "").split("-")
    if len(parts) != numbers or not all(
        each.isascii() and each.isdecimal() and len(each) < 19 for each in parts
    ):
        return None
    return tuple(int(each) for each in parts)


def _written(*numbers: int) -> str:
    return "-".join(str(each) for each in numbers)
