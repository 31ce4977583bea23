"""States change only through a table of allowed moves, and a refused move has a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol, TypeVar

from marketplace.errors import Refused
from marketplace.i18n import gettext as _

S = TypeVar("S", bound=StrEnum)


class Stateful(Protocol[S]):
    """Anything with a state."""

    state: S


def change(thing: Stateful[S], to: S, moves: Mapping[S, frozenset[S]], word: Callable[[S], str]) -> None:
    """Set `thing.state`. Raises Refused, naming both states by `word`, when the table does not allow it."""
    if to == thing.state and to not in moves[thing.state]:
        raise Refused(_("This is already %(now)s. Nothing was changed.", now=word(thing.state)))
    if to not in moves[thing.state]:
        raise Refused(
            _(
                "This is %(now)s, so it cannot become %(to)s. Reload the page to see where it stands.",
                now=word(thing.state),
                to=word(to),
            )
        )
    thing.state = to
