"""Going through many objects at Stripe: one that fails holds up none of the others.

A Stripe that is away ends the round early, with the rest untouched, so that a worker does not wait a
thousand times for nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.orm import Session

from marketplace.errors import DomainError
from marketplace.payments.gateway import Gateway
from marketplace.payments.outcomes import GatewayBusy, GatewayClosed, GatewayUnknown

T = TypeVar("T")

# This many calls in a row without an answer mean that Stripe is away.
ENOUGH_SILENCE = 3
# Other unknowns are answers, odd ones, about the one object that was asked for; so is one that is garbled.
SILENCE = "no_answer"

log = logging.getLogger(__name__)


class Round:
    """One pass over many objects. `away`: Stripe is busy, closed to us, or silent too often in a row."""

    def __init__(self, session: Session, gateway: Gateway) -> None:
        self.away = False
        self._session, self._gateway = session, gateway
        self._silent = 0

    def over(self, things: Iterable[T]) -> Iterator[T]:
        """The things one after another, with a breath between them, until Stripe is away."""
        waiting = iter(things)
        while not self.away and (thing := next(waiting, None)) is not None:
            yield thing
            self._gateway.breathe()

    def answered(self) -> None:
        """Stripe is there."""
        self._silent = 0

    @contextmanager
    def one(self, subject: object) -> Iterator[None]:
        """What goes wrong within is logged, and concerns this one only."""
        try:
            yield
        except Exception as error:
            self._session.rollback()
            self._note(subject, error)
        else:
            self._silent = 0

    def _note(self, subject: object, error: Exception) -> None:
        silent = isinstance(error, GatewayUnknown) and error.code == SILENCE
        self._silent = self._silent + 1 if silent else 0
        self.away = (
            self.away or isinstance(error, (GatewayBusy, GatewayClosed)) or self._silent >= ENOUGH_SILENCE
        )
        log.log(
            logging.WARNING if isinstance(error, DomainError) else logging.ERROR,
            "One of many could not be done",
            extra={"object": str(subject), "error": type(error).__name__, "code": getattr(error, "code", "")},
            exc_info=None if isinstance(error, DomainError) else error,
        )
