"""What waits for a person, most urgent first, and the few figures that they look for."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from marketplace.actor import CLIENT, FINANCE, Actor, Role
from marketplace.home.desk import client, expert, finance, operator, reviewer
from marketplace.home.desk.parts import Desk, Figure, Task

__all__ = ["Desk", "Figure", "Task", "desks"]


def desks(session: Session, actor: Actor, currency: str) -> list[Desk]:
    """A desk for each group that the person belongs to. `currency` is that of the books."""
    makers: list[tuple[frozenset[Role], Callable[[Session, Actor, str], Desk]]] = [
        (frozenset({Role.EXPERT}), expert.desk),
        (CLIENT, client.desk),
        (FINANCE, finance.desk),
        (frozenset({Role.REVIEWER}), reviewer.desk),
        (frozenset({Role.OPERATOR}), operator.desk),
    ]
    return [make(session, actor, currency) for roles, make in makers if actor.has(*roles)]
