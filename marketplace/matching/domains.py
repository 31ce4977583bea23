"""The domains of the rules in use: their titles, and which lie within which. See `tree`.

A code is a group's name, such as `medicine`, a family's or an occupation's SOC code, such as `29-12` and
`29-1224`, or a speciality's, such as `29-1224.neuroradiology`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from marketplace.i18n import gettext as _
from marketplace.matching import rules
from marketplace.matching.tree import Domain, Level, Nearness, Tree

Options = list[tuple[str, str]]
# A part stands to the right of its whole.
INDENT = "\N{NO-BREAK SPACE}" * 3


def tree() -> Tree:
    """The tree in use."""
    return rules.current().tree


def known(code: str) -> bool:
    """Is this the code of a domain?"""
    return code in tree()


def find(code: str | None) -> Domain | None:
    """The domain of this code, if it is one."""
    return tree().domains.get(code or "")


def groups() -> list[str]:
    """The codes of the groups."""
    return tree().inside(None)


def codes() -> list[str]:
    """Every code, whatever is within another after it."""
    return list(tree().domains)


def occupations(group: str | None = None) -> list[Domain]:
    """Every occupation; or those of a group."""
    codes_ = tree().domains if group is None else tree().within(group)
    found = (tree().domains[code] for code in codes_)
    return [each for each in found if each.level is Level.OCCUPATION]


def group_of(code: str) -> str:
    """The group in which it is. Raises KeyError for a code that is not known."""
    return tree().path(code)[0]


def occupation_of(code: str) -> Domain | None:
    """The occupation that this is, or is a speciality of."""
    path = tree().path(code) if known(code) else ()
    found = (tree().domains[each] for each in path)
    return next((each for each in found if each.level is Level.OCCUPATION), None)


def title(code: str) -> str:
    """The domain's title, in the reader's language where it is translated; the code when it is not known."""
    found = find(code)
    return _(found.title) if found else code


def whole(code: str) -> str:
    """The title; of what has parts, as the whole: `Medicine in general`."""
    parts = any(tree().domains[each].offered for each in tree().inside(code))
    return _("%(group)s in general", group=title(code)) if parts else title(code)


def depth(code: str) -> int:
    """How many domains it is within."""
    return len(tree().path(code)) - 1


def sorted_within(code: str) -> list[str]:
    """The code and all within it, each after what it is part of, those of one whole by their titles."""
    parts = sorted(tree().inside(code), key=title)
    return [code, *(each for part in parts for each in sorted_within(part))]


def choices(kept: Collection[str] = ()) -> list[tuple[str, Options]]:
    """For a form: (group's title, [(code, title)] of the group as a whole and of all within it).

    What is not offered any more is left out, but for what was chosen before (`kept`).
    """
    return [(title(group), _options(group, kept)) for group in groups()]


def nearness(have: str, need: str) -> Nearness:
    """See `Tree.nearness`."""
    return tree().nearness(have, need)


def among(code: str, chosen: Iterable[str]) -> bool:
    """Is it one of those chosen, or within one?"""
    path = tree().path(code) if known(code) else (code,)
    return not set(path).isdisjoint(chosen)


def _options(group: str, kept: Collection[str]) -> Options:
    open_ = [code for code in sorted_within(group) if tree().domains[code].offered or code in kept]
    return [(code, INDENT * depth(code) + whole(code)) for code in open_]
