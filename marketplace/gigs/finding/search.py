"""What an expert searches for: read from an address, and written into one that can be shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self
from urllib.parse import urlencode

from marketplace.gigs.states import TaskKind
from marketplace.matching import bits, domains

MATCH, RATE, NEWEST = "match", "rate", "newest"
SORTS = (MATCH, RATE, NEWEST)
# Major units an hour that the highest rate must reach; and the most hours a week.
RATES = (45, 60, 80, 100, 125, 150, 200)
HOURS = (5, 10, 20, 30, 40)
# No credential asked for; all that are asked for held; held once those in review are; one lacking.
NO_CREDENTIAL, HELD, REVIEWED, LACKING = "none", "held", "review", "lacking"
CREDENTIALS = (NO_CREDENTIAL, HELD, REVIEWED, LACKING)
MOST_TEXT = 200


@dataclass(frozen=True)
class Choices:
    """What was chosen on a page: fields that are texts, whole numbers or tuples of texts, empty at first."""

    def __bool__(self) -> bool:
        """Was anything chosen?"""
        return self != type(self)()

    def query(self) -> list[tuple[str, str]]:
        """The parameters, always in the same order: equal choices have one address."""
        return [
            (each.name, str(value)) for each in fields(self) for value in _values(getattr(self, each.name))
        ]

    def url_query(self) -> str:
        """The same as the end of an address."""
        return urlencode(self.query())

    def without(self, name: str, value: str) -> Self:
        """The same with one value less."""
        kept = getattr(self, name)
        less: Any = tuple(each for each in kept if each != value) if isinstance(kept, tuple) else None
        changed: dict[str, Any] = {name: "" if name == "text" else less}
        return replace(self, **changed)


@dataclass(frozen=True)
class Search(Choices):
    """What is searched for; of several values of one kind any will do. Empty where nothing was chosen.

    `domain` are codes, each with all that lies within; `rate` is in major units an hour, `hours` a week.
    """

    text: str = ""
    domain: tuple[str, ...] = ()
    rate: int | None = None
    hours: int | None = None
    task: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    credential: tuple[str, ...] = ()

    @classmethod
    def read(cls, asked: Mapping[str, Sequence[str]]) -> Search:
        """From the parameters of an address, all that each was given. What makes no sense is left out."""
        return cls(
            text=typed(asked),
            domain=known_of(asked, "domain", domains.known),
            rate=one_of(asked.get("rate", ()), RATES),
            hours=one_of(asked.get("hours", ()), HOURS),
            task=known_of(asked, "task", set(TaskKind).__contains__),
            language=known_of(asked, "language", bits.LANGUAGES.__contains__),
            credential=known_of(asked, "credential", CREDENTIALS.__contains__),
        )


def _values(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return list(value)
    return [] if value in (None, "") else [value]


def typed(asked: Mapping[str, Sequence[str]]) -> str:
    """The words that were typed, in one line."""
    return " ".join("".join(asked.get("text", ())[:1]).split())[:MOST_TEXT]


def known_of(asked: Mapping[str, Sequence[str]], name: str, known: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(sorted({each for each in asked.get(name, ()) if known(each)}))


def one_of(texts: Sequence[str], among: tuple[int, ...]) -> int | None:
    """The first given number, if it is among these."""
    return next((each for each in among if str(each) in texts[:1]), None)
