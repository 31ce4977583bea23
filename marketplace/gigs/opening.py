"""What single change would open the most gigs to an expert: each counted exactly, by matching them all again.

Looked at are the newest open gigs in the fields that the expert knows. A gig counts for a change when that is
all that it lacks; what only a client could change is not advised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.credentials import types
from marketplace.gigs.finding.hiding import left_out
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.matching import candidates, ranking
from marketplace.matching import names as match_names
from marketplace.matching.criteria import explain, least_hours
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.match import Criterion, Kind, Verdict, Who
from marketplace.money import Money

LOOKED_AT = 2_000
# Of all whom a change of rate or hours could open, the shares at which it is worth a line, in percent.
WORTH = (30, 70, 100)
MOST = 8


@dataclass(frozen=True)
class Way:
    """`gigs` more would be open if `change` were so; `field` is the input of the profile, or `credentials`
    to add one, or `review` where one has only to be waited for.

    `fields` are the facts of the expert as they would be.
    """

    code: str
    gigs: int
    change: str
    field: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Opening:
    """How many of `looked_at` gigs are open to the expert now, and what would open more, the most first."""

    looked_at: int
    open_now: int
    ways: list[Way]


def opening(session: Session, person_id: int) -> Opening | None:
    """What would open more gigs to this person (internal id); None before there is a profile."""
    expert = ranking.experts(session, [person_id]).get(person_id)
    if expert is None or not expert.domains:
        return None
    others = left_out(session, person_id)
    near = candidates.newest_near(session, expert, LOOKED_AT + len(others))
    ids = [gig_id for gig_id in near if gig_id not in others][:LOOKED_AT]
    gigs = list(ranking.gigs(session, ids).values())
    return among(expert, gigs)


def among(expert: ExpertFacts, gigs: Sequence[GigFacts]) -> Opening:
    """The same, of these gigs."""
    lacking: dict[str, list[tuple[GigFacts, Criterion]]] = {}
    open_now = 0
    for gig in gigs:
        failed = [each for each in _hard(gig, expert) if each.verdict is not Verdict.PASS]
        open_now += not failed
        if len(failed) == 1:
            lacking.setdefault(failed[0].code, []).append((gig, failed[0]))
    ways = [way for code, found in lacking.items() for way in _WAYS.get(code, _none)(expert, found)]
    return Opening(len(gigs), open_now, sorted(ways, key=lambda way: -way.gigs)[:MOST])


def _hard(gig: GigFacts, expert: ExpertFacts) -> Iterator[Criterion]:
    return (each for each in explain(gig, expert, clock.today("UTC")).criteria if each.kind is Kind.HARD)


Lacking = Sequence[tuple[GigFacts, Criterion]]


def _rate(expert: ExpertFacts, lacking: Lacking) -> Iterator[Way]:
    """Those that pay in the same currency, and less than the expert asks."""
    paid = Counter(gig.rate_max for gig, _lack in lacking if gig.currency == expert.currency)
    for least, gigs in _steps(sorted(paid, reverse=True), lambda at: _sum(paid, lambda rate: rate >= at)):
        change = _("if your least were %(rate)s an hour", rate=Money(least, expert.currency))
        yield Way("rate", gigs, change, "min_rate", {"min_rate": least})


def _hours(expert: ExpertFacts, lacking: Lacking) -> Iterator[Way]:
    needed = Counter(least_hours(gig.hours_per_week) for gig, _lack in lacking)
    for hours, gigs in _steps(sorted(needed), lambda at: _sum(needed, lambda least: least <= at)):
        change = ngettext("with %(n)s hour a week", "with %(n)s hours a week", hours)
        yield Way("hours", gigs, change, "hours_per_week", {"hours_per_week": hours})


def _languages(expert: ExpertFacts, lacking: Lacking) -> Iterator[Way]:
    for facts, fields, gigs in _changes(expert, lacking):
        change = _("if you wrote %(languages)s", languages=match_names.languages(facts["missing"]))
        yield Way("languages", gigs, change, "languages", fields)


def _credential(expert: ExpertFacts, lacking: Lacking) -> Iterator[Way]:
    for facts, fields, gigs in _changes(expert, lacking):
        title = types.title(facts["type"], facts["jurisdiction"])
        yield Way("credential", gigs, _("with this, verified: %(what)s", what=title), "credentials", fields)
    for facts, fields, gigs in _changes(expert, lacking, Verdict.UNKNOWN, Who.SITE):
        title = types.title(facts["type"], facts["jurisdiction"])
        yield Way("review", gigs, _("once we have reviewed this: %(what)s", what=title), "review", fields)


def _data_use(expert: ExpertFacts, lacking: Lacking) -> Iterator[Way]:
    for facts, fields, gigs in _changes(expert, lacking):
        change = _("if you did not refuse: %(uses)s", uses=match_names.uses(facts["clash"]))
        yield Way("data_use", gigs, change, "refusals", fields)


def _changes(
    expert: ExpertFacts, lacking: Lacking, verdict: Verdict = Verdict.FAIL, who: Who = Who.EXPERT
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], int]]:
    """For each smallest change that is up to `who`: what it is about, the facts as they would be, and how
    many of the gigs it opens."""
    seen: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for _gig, lack in lacking:
        for change in lack.changes:
            if change.who is who and lack.verdict is verdict:
                seen.setdefault(repr(change.fields), (lack.facts, change.fields))
    for facts, fields in seen.values():
        after = replace(expert, **fields)
        yield facts, fields, sum(_fits(gig, after) for gig, _lack in lacking)


def _fits(gig: GigFacts, expert: ExpertFacts) -> bool:
    return all(each.verdict is Verdict.PASS for each in _hard(gig, expert))


def _sum(counts: Counter[int], which: Callable[[int], bool]) -> int:
    return sum(count for value, count in counts.items() if which(value))


def _none(expert: ExpertFacts, lacking: Lacking) -> Iterator[Way]:
    """Nothing that the expert could do about it."""
    yield from ()


_WAYS: dict[str, Callable[[ExpertFacts, Lacking], Iterator[Way]]] = {
    "rate": _rate,
    "hours": _hours,
    "languages": _languages,
    "credential": _credential,
    "data_use": _data_use,
}


def _steps(mildest_first: Sequence[int], gained: Callable[[int], int]) -> Iterator[tuple[int, int]]:
    """The mildest steps at which what is gained reaches another share of all that is to be had."""
    most, told = (gained(mildest_first[-1]) if mildest_first else 0), 0
    for share in WORTH:
        step = next((each for each in mildest_first if gained(each) * 100 >= most * share), None)
        if step is not None and gained(step) > told:
            told = gained(step)
            yield step, told
