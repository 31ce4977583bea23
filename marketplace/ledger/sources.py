"""Where an entry or an account comes from. The ledger knows nobody: slices above register their pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Link(NamedTuple):
    """A label in the reader's language, and a path on this site if there is a page."""

    label: str
    path: str | None


_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_finders: dict[str, Callable[[str], Link]] = {}
# What else on this site an entry (by its internal id) is part of, such as an invoice.
part_of: list[Callable[[int], list[Link]]] = []


def register(kind: str, find: Callable[[str], Link]) -> None:
    """Let `find` answer for sources and keys that begin with `kind:`; it is given what follows."""
    _finders[kind] = find


def link_for(source: str) -> Link:
    """The page behind a source such as `approval:<uuid>` or a key such as `project:<uuid>:funds`."""
    kind, _colon, rest = source.partition(":")
    find = _finders.get(kind)
    return find(rest) if find else Link(_shortened(source), None)


def parts_of(entry_id: int) -> list[Link]:
    """The pages of what the entry is part of."""
    return [link for find in part_of for link in find(entry_id)]


def owner_of(key: str) -> Link | None:
    """Whose account `key` is, such as `expert:<uuid>:payable`; None for one of the site's own."""
    return link_for(key) if _ID.search(key) else None


def _shortened(source: str) -> str:
    """`project 5831`: ids by their last digits, which differ even when they were made at the same time."""
    return _ID.sub(lambda found: found.group()[-4:], source).replace(":", " ").replace("_", " ")
