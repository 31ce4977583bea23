"""Several do something at the same moment, each on a session of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.orm import Session

from marketplace.errors import DomainError
from tests.conftest import Committed

Act = Callable[[Session], object]


def together(committed: Committed, acts: Sequence[Act]) -> list[str]:
    """Each begins when all are ready: `done`, or the sentence in which it was refused.

    Whoever is told to retry does so, as a person would who waited too long on a slow machine.
    """
    ready = threading.Barrier(len(acts))

    def run(act: Act) -> str:
        with committed.session() as session:
            ready.wait(30)
            said = _answer(act, session)
            while said.endswith("then retry."):
                said = _answer(act, session)
            return said

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def _answer(act: Act, session: Session) -> str:
    try:
        act(session)
    except DomainError as refusal:
        return refusal.sentence
    return "done"
