"""What an operation is, and what one call of it knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from marketplace.demo.stripe_server import moments
from marketplace.demo.stripe_server.errors import Json, missing
from marketplace.demo.stripe_server.params import NOTHING, Shape
from marketplace.demo.stripe_server.store import PLATFORM, Transaction


@dataclass
class Call:
    """One request, after its key, its account and its parameters were accepted."""

    transaction: Transaction
    account: str
    params: Json
    args: dict[str, str]
    origin: str
    now: int = field(default_factory=moments.now)

    @property
    def on_platform(self) -> bool:
        return self.account == PLATFORM

    def find(self, kind: str, id: str, noun: str, param: str | None = None) -> Json:
        """The caller's own object. Refuses with `resource_missing` when there is none."""
        found = self.transaction.find(id, kind, self.account)
        if found is None:
            raise missing(noun, id, param)
        return found


@dataclass(frozen=True)
class Operation:
    """A method and path of Stripe's API with what it accepts and what it does.

    `replay` is given the stored body when a v2 idempotency key is used again, and answers with what is true
    by then; v1 repeats the stored answer word for word.
    """

    method: str
    path: str
    run: Callable[[Call], Json]
    params: Shape = NOTHING
    replay: Callable[[Call, Json], Json] | None = None

    @property
    def api(self) -> str:
        return self.path[1:3]

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))


class Switchboard:
    """Finds the operation for a request; patterns are compiled once."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self._routes = [(operation.method, operation.pattern, operation) for operation in operations]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        for wanted, pattern, operation in self._routes:
            found = pattern.fullmatch(path) if wanted == method else None
            if found:
                return operation, found.groupdict()
        return None
