"""Domains of knowledge: six groups, the families within them, and 91 occupations (SOC 2018).

The codes are a group's name, such as `medicine`, or an occupation's SOC code, such as `29-1224`. The first
four digits of a SOC code are its family (minor group): `29-12` are the physicians.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cache, lru_cache
from pathlib import Path

from marketplace.i18n import gettext as _

FILE = Path(__file__).with_name("domains.csv")
FAMILY = len("29-12")


class Nearness(IntEnum):
    """How near what somebody knows is to what a gig needs."""

    ELSEWHERE = 0
    GROUP = 1
    FAMILY = 2
    SAME = 3


@dataclass(frozen=True)
class Domain:
    """An occupation. Pay is US cents an hour of employees (OEWS May 2025): a reference, not a market rate."""

    code: str
    group: str
    title: str
    isco: str
    p25: int
    median: int
    p75: int


@cache
def occupations() -> dict[str, Domain]:
    """Every occupation by its code, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["code"]: _read(row) for row in rows}


@cache
def groups() -> tuple[str, ...]:
    """The six groups' codes."""
    return tuple(dict.fromkeys(each.group for each in occupations().values()))


@cache
def codes() -> tuple[str, ...]:
    """Every code: the groups', then the occupations'."""
    return (*groups(), *occupations())


def known(code: str) -> bool:
    """Is this the code of a group or an occupation?"""
    return code in codes()


def group_of(code: str) -> str:
    """The group that a group's or an occupation's code belongs to. Raises KeyError for a code not known."""
    return code if code in groups() else occupations()[code].group


def title(code: str) -> str:
    """The domain's title, in the reader's language where it is translated; the code when it is not known."""
    if code in occupations():
        return _(occupations()[code].title)
    return _group_titles().get(code, code)


@cache
def by_title() -> dict[str, str]:
    """The code of each occupation by its English title, case folded."""
    return {each.title.casefold(): code for code, each in occupations().items()}


def choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """For a form: (group's title, [(code, title) of the group as a whole and of each occupation])."""
    return [(title(group), _options(group)) for group in groups()]


def nearness(have: str, need: str) -> Nearness:
    """How near `have` is to `need`. Whoever knows an occupation is in its group, when the whole is needed."""
    if have == need or (need in groups() and group_of(have) == need):
        return Nearness.SAME
    if group_of(have) != group_of(need):
        return Nearness.ELSEWHERE
    return Nearness.FAMILY if have[:FAMILY] == need[:FAMILY] else Nearness.GROUP


@lru_cache(maxsize=100_000)
def nearest(have: tuple[str, ...], need: str) -> Nearness:
    """The nearness of the nearest among `have`."""
    return max((nearness(each, need) for each in have), default=Nearness.ELSEWHERE)


def _options(group: str) -> list[tuple[str, str]]:
    own = [each for each in occupations().values() if each.group == group]
    whole = _("%(group)s in general", group=title(group))
    return [(group, whole), *sorted(((each.code, _(each.title)) for each in own), key=lambda pair: pair[1])]


def _group_titles() -> dict[str, str]:
    return {
        "medicine": _("Medicine"),
        "law": _("Law"),
        "engineering": _("Engineering"),
        "journalism": _("Journalism and writing"),
        "analysis": _("Analysis and research"),
        "creative": _("Creative work"),
    }


def _read(row: dict[str, str]) -> Domain:
    p25, median, p75 = (int(Decimal(row[name]) * 100) for name in ("p25", "median", "p75"))
    return Domain(row["code"], row["domain_group"], row["title"], row["isco08"], p25, median, p75)
