"""How many experts fit a gig while it is written, and how many more each relaxed requirement would bring.

One pass over the narrow copies counts people, not rows: all who lack nothing, and of those who lack one
thing alone, how many lack which. The gain of a relaxed requirement is exactly the difference that it makes,
as a property test shows against `criteria.explain`. What a draft does not say yet restricts nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any, TypeVar

import sqlalchemy as sa
from psycopg.errors import QueryCanceled
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from marketplace import money
from marketplace.matching import bits, domains, scoring, uses
from marketplace.matching.criteria import least_hours
from marketplace.matching.facts import GigFacts, RequirementFact
from marketplace.matching.requirements import CHECKED
from marketplace.matching.tree import Nearness

A = TypeVar("A")

# Major units of a currency between one round rate and the next.
ROUND = 5
# Nobody is told of rates above so many times their own.
DEAREST = 2
# Of all whom a higher rate or fewer hours could bring, the shares at which it is worth a line, in percent.
WORTH = (25, 60, 95)
ROUND_HOURS = (40, 35, 30, 25, 20, 15, 10, 5, 2)


@dataclass(frozen=True)
class Sought:
    """Whom a gig asks for, as far as it says: `GigFacts` in which all but the domain and the rate may miss.

    `day` is when credentials must count: the gig's first day, or today if that has passed or is not said.
    """

    domain: str
    rate_max: int
    currency: str
    day: date
    hours_per_week: int | None = None
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    requirements: tuple[RequirementFact, ...] = ()
    time_zone: str | None = None
    shared_hours: int = 0
    client: int = 0
    uses: tuple[str, ...] | None = ()

    @classmethod
    def of(cls, gig: GigFacts, today: date) -> Sought:
        """Whom a complete gig asks for."""
        names = set(cls.__dataclass_fields__) - {"day"}
        return cls(day=max(gig.starts_on, today), **{name: getattr(gig, name) for name in names})


@dataclass(frozen=True)
class Gain:
    """`people` more would fit if this alone were relaxed: to the `value` for a rate (minor units) or hours a
    week; else not asked for at all, `value` saying which language (its code) or credential it is. Of a
    credential, `level` asks one level less, and `age` does not ask when it was checked."""

    code: str
    value: Any
    people: int


@dataclass(frozen=True)
class Eligible:
    """How many people fit, how many of them know the very domain, and what would bring more."""

    people: int
    at_home: int
    gains: tuple[Gain, ...]


@dataclass(frozen=True)
class Need:
    """One requirement: when it is met, in SQL over a row `r` of `match_expert_domains`, and what it binds.

    Kept apart from the others, so that each can be counted as the only one that is lacking. `at` is a number,
    in SQL over that row, by which those whom it alone keeps away are told apart.
    """

    code: str
    value: Any
    met: str
    binds: dict[str, Any]
    at: str = "0"


# A bit for each need that a person lacks; only who lacks one at most can be won by relaxing one. All that is
# asked of a person is packed into one number, so that one key and one number is all that is grouped.
COUNT = """
    SELECT found >> 33 AS lacks, (found >> 1) & 4294967295 AS at, found & 1 AS home, count(*) AS people
    FROM (
        SELECT max((lacks << 33) + home + 2 * CASE lacks {at} ELSE 0 END) AS found
        FROM (
            SELECT r.person_id, r.min_rate, r.hours_per_week, CAST({lacks} AS bigint) AS lacks,
                CASE WHEN r.market = ANY (CAST(:home AS bigint[])) THEN 1 ELSE 0 END AS home
            FROM match_expert_domains r
            WHERE r.market = ANY (CAST(:markets AS bigint[]))
                AND r.min_rate <= :dearest {fits}
            OFFSET 0
        ) AS r WHERE (lacks & (lacks - 1)) < 1 GROUP BY person_id
    ) AS each GROUP BY found
"""


def count(session: Session, sought: Sought) -> Eligible:
    """Who fits now, and what each requirement keeps away. Raises KeyError for a domain that is not known."""
    needs = list(_needs(sought))
    at = " ".join(f"WHEN {1 << n} THEN {need.at}" for n, need in enumerate(needs))
    fits, values = _fits(session, sought, needs)
    query = COUNT.format(lacks=_lacks(needs), at=at, fits=fits)
    fit: Counter[int] = Counter()
    lacking: dict[int, Counter[int]] = {}
    for row in scoring.run(session, query, values):
        if row.lacks:
            lacking.setdefault(row.lacks, Counter())[row.at] += row.people
        else:
            fit[row.home] += row.people
    # Where nobody fits, the first step that brings anybody is worth a line too.
    shares = WORTH if fit else (0, *WORTH)
    gains = (
        gain
        for place, need in enumerate(needs)
        for gain in _gains(need, lacking.get(1 << place, Counter()), sought, shares)
    )
    return Eligible(fit.total(), fit[1], tuple(gains))


def _lacks(needs: Sequence[Need]) -> str:
    """A number, in SQL, with a bit for each need that is not met."""
    return " | ".join(f"CASE WHEN {need.met} THEN 0 ELSE {1 << n} END" for n, need in enumerate(needs))


def count_within(session: Session, sought: Sought, milliseconds: int) -> Eligible | None:
    """As `count`; None when the database needs longer than that."""
    return _within(session, milliseconds, lambda: count(session, sought))


# Whoever lacks the fewest; of several the one who asks least, and offers most.
NEAREST = """
    SELECT lacks, min_rate, hours_per_week FROM (
        SELECT r.min_rate, r.hours_per_week, CAST({lacks} AS bigint) AS lacks FROM match_expert_domains r
        WHERE r.market = ANY (CAST(:markets AS bigint[])) AND r.min_rate <= :dearest {fits}
        OFFSET 0
    ) AS looked ORDER BY bit_count(CAST(lacks AS bit(64))), min_rate, hours_per_week DESC LIMIT 1
"""


def nearest(session: Session, sought: Sought) -> tuple[Gain, ...]:
    """Where nobody fits, nor would with one thing relaxed: the fewest that bring somebody if all are relaxed
    together, each with how many that brings. Empty when there is nobody who could be won."""
    needs = list(_needs(sought))
    fits, values = _fits(session, sought, needs)
    found = scoring.run(session, NEAREST.format(lacks=_lacks(needs), fits=fits), values).first()
    lacking = [need for n, need in enumerate(needs) if found and found.lacks & 1 << n]
    gains = [Gain(need.code, _enough(need, found, sought), 0) for need in lacking]
    people = count(session, reduce(_relaxed, gains, sought)).people if gains else 0
    return tuple(replace(gain, people=people) for gain in gains) if people else ()


def nearest_within(session: Session, sought: Sought, milliseconds: int) -> tuple[Gain, ...] | None:
    """As `nearest`; None when the database needs longer than that."""
    return _within(session, milliseconds, lambda: nearest(session, sought))


def _enough(need: Need, person: Any, sought: Sought) -> Any:
    """The value of a gain that wins this person."""
    if need.code == "rate":
        rounded = -(-person.min_rate // step(sought.currency)) * step(sought.currency)
        return min(rounded, DEAREST * sought.rate_max)
    if need.code == "hours":
        fewer = (each for each in ROUND_HOURS if least_hours(each) <= person.hours_per_week)
        return next(fewer, ROUND_HOURS[-1])
    return need.value


def _relaxed(sought: Sought, gain: Gain) -> Sought:
    changed: dict[str, dict[str, Any]] = {
        "rate": {"rate_max": gain.value},
        "hours": {"hours_per_week": gain.value},
        "language": {"languages": tuple(each for each in sought.languages if each != gain.value)},
        "country": {"countries": ()},
        "credential": {"requirements": tuple(each for each in sought.requirements if each != gain.value)},
        "zone": {"shared_hours": 0},
        "data_use": {"uses": ()},
    }
    return replace(sought, **changed[gain.code])


# Who fits one gig, the other, or both; each person once.
COMPARE = """
    SELECT count(*) FILTER (WHERE was), count(*) FILTER (WHERE is_now),
        count(*) FILTER (WHERE was AND NOT is_now), count(*) FILTER (WHERE is_now AND NOT was)
    FROM (
        SELECT person_id, bool_or(was) AS was, bool_or(is_now) AS is_now FROM (
            SELECT r.person_id, {was} AS was, {is_now} AS is_now FROM match_expert_domains r
            WHERE r.market = ANY (CAST(:markets AS bigint[])) {fits}
            OFFSET 0
        ) AS looked WHERE was OR is_now GROUP BY person_id
    ) AS each
"""
NAME = re.compile(r":([a-z_0-9]+)")


@dataclass(frozen=True)
class Compared:
    """How many people fit before and after a change; how many of them are lost by it, and won."""

    before: int
    after: int
    lost: int
    won: int


def compare(session: Session, before: Sought, after: Sought) -> Compared:
    """What a change makes of those who fit. Both are of one client and in one currency."""
    fits, values = _fits(session, before)
    was, before_values = _all_met(before, "was")
    is_now, after_values = _all_met(after, "now")
    values["markets"] = sorted({*before_values["near_was"], *after_values["near_now"]})
    query = COMPARE.format(was=was, is_now=is_now, fits=fits)
    row = scoring.run(session, query, values | before_values | after_values).one()
    return Compared(*row)


def compare_within(session: Session, before: Sought, after: Sought, milliseconds: int) -> Compared | None:
    """As `compare`; None when the database needs longer than that."""
    return _within(session, milliseconds, lambda: compare(session, before, after))


def _all_met(sought: Sought, mark: str) -> tuple[str, dict[str, Any]]:
    """That every need is met, with names of its own for what it binds."""
    needs = list(_needs(sought))
    met = " AND ".join(each.met for each in needs)
    binds = {f"{name}_{mark}": value for each in needs for name, value in each.binds.items()}
    binds[f"near_{mark}"] = _markets(sought, Nearness.GROUP)
    at_home = f"r.market = ANY (CAST(:near_{mark} AS bigint[]))"
    marked = NAME.sub(lambda name: f"{name[0]}_{mark}", met)
    return f"({at_home} AND {marked})", binds


def _within(session: Session, milliseconds: int, ask: Callable[[], A]) -> A | None:
    # Rolling back to here takes the time-out back as well, whether it struck or not.
    here = session.begin_nested()
    try:
        session.execute(sa.text(f"SET LOCAL statement_timeout = {milliseconds:d}"))
        return ask()
    except OperationalError as error:
        if isinstance(error.orig, QueryCanceled):
            return None
        raise
    finally:
        here.rollback()


def _markets(sought: Sought, nearness: Nearness) -> list[int]:
    """Those of every domain that is so near, or nearer."""
    near = (code for code in domains.codes() if domains.nearness(code, sought.domain) >= nearness)
    return [bits.market(sought.currency, code) for code in near]


def step(currency: str) -> int:
    """Minor units from one round rate to the next."""
    return int(ROUND * 10 ** money.exponent(currency))


def _needs(sought: Sought) -> Iterator[Need]:
    rounded = "(r.min_rate + :step - 1) / :step * :step"
    yield Need("rate", None, "r.min_rate <= :rate_max", {"rate_max": sought.rate_max}, rounded)
    if sought.hours_per_week:
        least = least_hours(sought.hours_per_week)
        met = "r.hours_per_week >= :least_hours"
        yield Need("hours", None, met, {"least_hours": least}, "r.hours_per_week")
    for place, code in enumerate(sought.languages):
        yield _language(f"language_{place}", code)
    if sought.countries:
        met = "r.country = ANY (CAST(:countries AS char(2)[]))"
        yield Need("country", None, met, {"countries": list(sought.countries)})
    for place, asked in enumerate(sought.requirements):
        yield _credential(place, asked, sought.day)
    if sought.time_zone and sought.shared_hours:
        zones = scoring.zones_within(sought.time_zone, sought.shared_hours, sought.day)
        met = "r.person_id IN (SELECT person_id FROM match_experts WHERE time_zone = ANY (:zones))"
        yield Need("zone", None, met, {"zones": zones})
    if sought.uses is None or sought.uses:
        yield Need("data_use", None, "r.refusal_bits & :uses = 0", {"uses": uses.bits(sought.uses)})


def _language(name: str, code: str) -> Need:
    met = f"r.language_bits & :{name} = :{name}"
    binds: dict[str, Any] = {name: bits.languages((code,))}
    if not bits.exact((code,)):
        writers = f"SELECT person_id FROM match_experts WHERE :{name}_code = ANY (languages)"  # noqa: S608
        met, binds[f"{name}_code"] = f"({met} AND r.person_id IN ({writers}))", code
    return Need("language", code, met, binds)


def _credential(place: int, asked: RequirementFact, day: date) -> Need:
    """By the set of those who hold it, which is read once; their bits keep most from being looked up."""
    held, binds = _held(str(place), asked)
    bit = f"held_{place}"
    met = f"(r.credential_bits & :{bit} = :{bit} AND r.counts_until >= :day AND {held})"
    marks = []
    for mark, (code, milder) in enumerate(_milder(asked).items()):
        enough, more = _held(f"{place}_{code}", milder)
        marks.append(f"CASE WHEN {enough} THEN {1 << mark} ELSE 0 END")
        binds |= more
    at = " + ".join(marks) or "0"
    return Need("credential", asked, met, {**binds, bit: bits.asked((asked,)), "day": day}, at)


def _held(name: str, asked: RequirementFact) -> tuple[str, dict[str, Any]]:
    """That it is held, exactly, and what that binds under this name."""
    holders = f"SELECT c.person_id FROM match_credentials c WHERE {scoring.COUNTS.format(n=name)}"  # noqa: S608
    return f"r.person_id IN ({holders})", {f"{each}_{name}": value for each, value in vars(asked).items()}


def _milder(asked: RequirementFact) -> dict[str, RequirementFact]:
    """What would ask less of the same credential, by the code of the gain."""
    milder = {}
    if asked.level > CHECKED:
        milder["level"] = replace(asked, level=asked.level - 1)
    if asked.max_age_days is not None:
        milder["age"] = replace(asked, max_age_days=None)
    return milder


def _fits(session: Session, sought: Sought, needs: Iterable[Need] = ()) -> tuple[str, dict[str, Any]]:
    """What nobody can relax, and the values of the whole, with what these needs bind."""
    values: dict[str, Any] = {
        "markets": _markets(sought, Nearness.GROUP),
        "home": _markets(sought, Nearness.SAME),
        "dearest": DEAREST * sought.rate_max,
        "step": step(sought.currency),
        **{name: value for need in needs for name, value in need.binds.items()},
    }
    barred = scoring.barred(session, sought.client)
    if not barred:
        return "", values
    return "AND r.person_id <> ALL (CAST(:barred AS bigint[]))", {**values, "barred": barred}


def _gains(need: Need, kept_away: Counter[int], sought: Sought, shares: Sequence[int]) -> Iterator[Gain]:
    if need.code == "rate":
        dearest = DEAREST * sought.rate_max
        rates = sorted(rate for rate in kept_away if rate <= dearest)
        yield from _worth(
            need.code, rates, lambda at: sum(kept_away[rate] for rate in rates if rate <= at), shares
        )
    elif need.code == "hours":
        fewer = [hours for hours in ROUND_HOURS if hours < (sought.hours_per_week or 0)]
        yield from _worth(
            need.code,
            fewer,
            lambda at: sum(people for offered, people in kept_away.items() if offered >= least_hours(at)),
            shares,
        )
    elif kept_away:
        if need.code == "credential":
            yield from _at_less(need.value, kept_away)
        yield Gain(need.code, need.value, kept_away.total())


def _at_less(asked: RequirementFact, kept_away: Counter[int]) -> Iterator[Gain]:
    """What asking less of the credential would bring, before not asking for it at all."""
    for mark, code in enumerate(_milder(asked)):
        if people := sum(people for at, people in kept_away.items() if at & 1 << mark):
            yield Gain(code, asked, people)


def _worth(
    code: str, steps: Sequence[int], gain: Callable[[int], int], shares: Sequence[int]
) -> Iterator[Gain]:
    """Of the steps, the mildest first, those at which the gain reaches another share of what is to be had."""
    gains = [Gain(code, at, gain(at)) for at in steps]
    most = gains[-1].people if gains else 0
    told = 0
    for share in shares:
        enough = max(most * share, 1)
        found = next(each for each in gains if each.people * 100 >= enough) if most else None
        if found and found.people > told:
            told = found.people
            yield found
