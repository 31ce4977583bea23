"""Ways to break the product on purpose, so that it is known what the sweep would catch.

Each replaces one function of the product in the processes of a run, and nowhere else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from marketplace import clock, ledger
from marketplace.actor import SITE
from marketplace.ledger import chart
from marketplace.payments import fundings, resolving, sending, transfers
from marketplace.payments.gateway import Gateway


def no_key() -> None:
    """Each try of a transfer goes out under a key of its own, and nobody looks it up first."""
    whole = Gateway.send_transfer

    def send(self: Gateway, key: str, **asked: Any) -> Any:
        return whole(self, f"{key}:{uuid.uuid4().hex[:6]}", **asked)

    Gateway.send_transfer = send  # type: ignore[method-assign]
    Gateway.find_transfer = lambda self, group, destination: None  # type: ignore[method-assign]


def unknown_is_failed() -> None:
    """No clear answer is taken for a no: the pay is owed again, and goes out a second time."""

    def fail(session: Any, transfer_id: int, error: Any) -> None:
        transfers.record_refused(session, transfer_id, error.code)

    sending.record_unknown = transfers.record_unknown = fail  # type: ignore[assignment]


def forgets_the_dead() -> None:
    """Nobody takes up what a worker that died was sending."""
    resolving.resolve_unknown = lambda session, gateway: 0


def books_twice() -> None:
    """What a payment page brought is booked under two names."""
    whole = fundings._pay

    def pay(session: Any, funding: Any, charge: Any) -> None:
        whole(session, funding, charge)
        lines = [(chart.stripe_balance(), charge.net)]
        lines += [(chart.project_funds(funding.project.public_id), -charge.net)]
        ledger.post(
            session, SITE, source=f"funding:{funding.public_id}", event="paid_again",
            currency=charge.currency, lines=lines, occurred_at=clock.now(), memo="Again",
        )  # fmt: skip

    fundings._pay = pay


MUTANTS: dict[str, Callable[[], None]] = {
    each.__name__: each for each in (no_key, unknown_is_failed, forgets_the_dead, books_twice)
}


def install(name: str) -> None:
    """Break this process so; the empty name breaks nothing."""
    if name:
        MUTANTS[name]()
