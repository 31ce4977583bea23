"""The tree of domains: groups, families of occupations, occupations (SOC 2018), specialities. Pure.

What is shipped is in `domains.csv` and `tree.csv`; an operator may change it (`rule_changes`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cache, lru_cache
from pathlib import Path

OCCUPATIONS = Path(__file__).with_name("domains.csv")
AROUND = Path(__file__).with_name("tree.csv")


class Level(IntEnum):
    """How deep in the tree; levels may be left out."""

    GROUP = 1
    FAMILY = 2
    OCCUPATION = 3
    SPECIALITY = 4


class Nearness(IntEnum):
    """How near what somebody knows is to what a gig needs: the level of what both are within."""

    ELSEWHERE = 0
    GROUP = Level.GROUP
    FAMILY = Level.FAMILY
    OCCUPATION = Level.OCCUPATION
    SAME = 4


@dataclass(frozen=True)
class Wage:
    """US cents an hour of employees (OEWS May 2025): a reference, not a market rate."""

    p25: int
    median: int
    p75: int


@dataclass(frozen=True)
class Domain:
    """A domain within `parent`, which is None for a group. One not `offered` is kept where it was chosen."""

    code: str
    parent: str | None
    level: Level
    title: str
    isco: str = ""
    wage: Wage | None = None
    offered: bool = True


class Tree:
    """All domains, whoever is within another after it."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        found = sorted(domains, key=lambda each: each.level)
        self._inside: dict[str | None, list[str]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        by_code = {each.code: each for each in found}
        for each in found:
            self._inside.setdefault(each.parent, []).append(each.code)
            self._paths[each.code] = (*(self._paths[each.parent] if each.parent else ()), each.code)
        self.domains: dict[str, Domain] = {code: by_code[code] for code in self._down(None)}
        self.by_title = {each.title.casefold(): code for code, each in self.domains.items()}
        # What the same few hundred people and gigs ask again and again.
        self.nearest = lru_cache(maxsize=100_000)(self._nearest)

    def __contains__(self, code: object) -> bool:
        return code in self.domains

    def inside(self, code: str | None) -> list[str]:
        """The codes right within this one; the groups for None."""
        return self._inside.get(code, [])

    def within(self, code: str) -> list[str]:
        """The code, and all that lies within it however deep."""
        return [code, *self._down(code)]

    def path(self, code: str) -> tuple[str, ...]:
        """From the group down to the code itself. Raises KeyError for a code that is not known."""
        return self._paths[code]

    def at(self, level: Level) -> list[str]:
        """The codes of this level."""
        return [code for code, each in self.domains.items() if each.level is level]

    def nearness(self, have: str, need: str) -> Nearness:
        """How near `have` is to `need`. Whoever knows a part is in the whole, when the whole is needed."""
        known, needed = self._paths[have], self._paths[need]
        if need in known:
            return Nearness.SAME
        shared = [one for one, other in zip(known, needed, strict=False) if one == other]
        return Nearness(self.domains[shared[-1]].level) if shared else Nearness.ELSEWHERE

    def summed(self, counts: Mapping[str, int]) -> dict[str, int]:
        """For each code, what is counted for it and for all within it."""
        total = dict.fromkeys(self.domains, 0)
        for code, count in counts.items():
            for each in self._paths.get(code, ()):
                total[each] += count
        return total

    def _nearest(self, have: tuple[str, ...], need: str) -> tuple[Nearness, str | None]:
        """The nearest among `have`, the first of equals, and how near it is."""
        near = ((self.nearness(each, need), each) for each in have)
        best = max(near, key=lambda pair: pair[0], default=(Nearness.ELSEWHERE, None))
        return best if best[0] else (Nearness.ELSEWHERE, None)

    def _down(self, code: str | None) -> Iterator[str]:
        for each in self._inside.get(code, ()):
            yield each
            yield from self._down(each)


@cache
def shipped() -> Tree:
    """The tree as it comes, before an operator changes it."""
    around = list(_rows(AROUND))
    parents = {row["code"]: row["parent"] for row in around}
    occupations = [_occupation(row, parents) for row in _rows(OCCUPATIONS)]
    known = {each.code for each in occupations}
    return Tree([*occupations, *(_other(row, known) for row in around)])


def _occupation(row: dict[str, str], parents: Mapping[str, str]) -> Domain:
    """In the family with which its code begins, if that family is in its group; else right in the group."""
    code, group = row["code"], row["domain_group"]
    families = (each for each, parent in parents.items() if parent == group and code.startswith(each))
    wage = Wage(*(int(Decimal(row[name]) * 100) for name in ("p25", "median", "p75")))
    return Domain(code, next(families, group), Level.OCCUPATION, row["title"], row["isco08"], wage)


def _other(row: dict[str, str], occupations: set[str]) -> Domain:
    parent = row["parent"]
    level = Level.SPECIALITY if parent in occupations else Level.FAMILY if parent else Level.GROUP
    return Domain(row["code"], parent or None, level, row["title"])


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))
