"""One thing that waits for a second person, and who may decide it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from marketplace.actor import Actor, Role
from marketplace.money import Money

# So many of a kind are listed; a page of their own shows all.
MOST = 20


@dataclass(frozen=True)
class Waiting:
    """Something that was prepared: what it is, how much it moves, since when (UTC), by whom, and where it is
    decided. `mine`: the reader may decide it."""

    what: str
    amount: Money | None
    since: datetime
    by: str
    endpoint: str
    mine: bool
    values: Mapping[str, object] = field(default_factory=dict)
    detail: str = ""


def other(actor: Actor, *by: int | None, role: Role = Role.FINANCE_RELEASER) -> bool:
    """May the reader decide what these have done?"""
    return actor.has(role) and actor.id not in by
