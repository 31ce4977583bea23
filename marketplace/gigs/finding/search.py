"""What an expert searches for: read from an address, and written into one that can be shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from marketplace.gigs.states import TaskKind
from marketplace.matching import bits, domains

MATCH, RATE, NEWEST = "match", "rate", "newest"
SORTS = (MATCH, RATE, NEWEST)
# Major units an hour that the highest rate must reach; and the most hours a week.
RATES = (45, 60, 80, 100, 125, 150, 200)
HOURS = (5, 10, 20, 30, 40)
# No credential asked for; all that are asked for held; one asked for that is lacking.
NO_CREDENTIAL, HELD, LACKING = "none", "held", "lacking"
CREDENTIALS = (NO_CREDENTIAL, HELD, LACKING)
MOST_TEXT = 200


@dataclass(frozen=True)
class Search:
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
            text=" ".join("".join(asked.get("text", ())[:1]).split())[:MOST_TEXT],
            domain=_known(asked, "domain", domains.known),
            rate=_one_of(asked.get("rate", ()), RATES),
            hours=_one_of(asked.get("hours", ()), HOURS),
            task=_known(asked, "task", set(TaskKind).__contains__),
            language=_known(asked, "language", bits.LANGUAGES.__contains__),
            credential=_known(asked, "credential", CREDENTIALS.__contains__),
        )

    def __bool__(self) -> bool:
        """Is anything searched for?"""
        return self != Search()

    def query(self) -> list[tuple[str, str]]:
        """The parameters, always in the same order: equal searches have one address."""
        return [
            (each.name, str(value)) for each in fields(self) for value in _values(getattr(self, each.name))
        ]

    def url_query(self) -> str:
        """The same as the end of an address."""
        return urlencode(self.query())

    def without(self, name: str, value: str) -> Search:
        """The same with one value less."""
        kept = getattr(self, name)
        less: Any = tuple(each for each in kept if each != value) if isinstance(kept, tuple) else None
        changed: dict[str, Any] = {name: "" if name == "text" else less}
        return replace(self, **changed)


def _values(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return list(value)
    return [] if value in (None, "") else [value]


def _known(asked: Mapping[str, Sequence[str]], name: str, known: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(sorted({each for each in asked.get(name, ()) if known(each)}))


def _one_of(texts: Sequence[str], among: tuple[int, ...]) -> int | None:
    return next((each for each in among if str(each) in texts[:1]), None)
