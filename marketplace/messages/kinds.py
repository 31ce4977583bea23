"""What threads are about. Messages know neither gigs nor contracts: slices above register theirs here."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from marketplace.actor import CLIENT, Actor, Role


class Side(StrEnum):
    """From where somebody writes and reads."""

    EXPERT = "expert"
    CLIENT = "client"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Parties:
    """Who writes to one another (internal ids): the expert, and the people of the client. They stay the same.

    Without an expert the client announces.
    """

    person_id: int | None
    organization_id: int


@dataclass(frozen=True)
class Subject:
    """A subject as one side sees it: its name, the path of its page here, and what the sides are called."""

    title: str
    path: str
    expert: str
    client: str


@dataclass(frozen=True)
class Kind:
    """How a slice above answers for its subjects.

    `word` is what one is called on a page, already lazy. `parties(session, actor, ids)` gives those of the
    subjects that exist and that the actor may see. `describe(session, side, ids)` gives all of them as that
    side sees them. `writers` and `told` are roles at the client: who writes, and who hears of each message.
    With `operators_write` operators take part too; else they only read. `audience(session, id)` names the
    people (internal ids) to whom an announcement goes at that moment.
    """

    word: str
    parties: Callable[[Session, Actor, Sequence[uuid.UUID]], Mapping[uuid.UUID, Parties]]
    describe: Callable[[Session, Side, Sequence[uuid.UUID]], Mapping[uuid.UUID, Subject]]
    writers: frozenset[Role] = CLIENT
    told: frozenset[Role] = CLIENT
    operators_write: bool = False
    audience: Callable[[Session, uuid.UUID], Sequence[int]] | None = None


kinds: dict[str, Kind] = {}
"""By the word that stands in the address, such as `contract`. Filled by the slices above."""
