"""What may be sent in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Purse:
    """What may still be sent in this run, in minor units by source type.

    Stripe has the last word on what is available; this spares it the asking. It never changes, so that a
    claim that the database undoes, and runs again, draws once.
    """

    spendable: Mapping[str, int] = field(default_factory=dict)

    def choose(self, amount: int) -> str | None:
        """The part of the balance that covers `amount` most tightly; None when no part does."""
        enough = {kind: held for kind, held in self.spendable.items() if held >= amount}
        return min(enough, key=lambda kind: enough[kind]) if enough else None

    def without(self, kind: str, amount: int) -> Purse:
        """What is left after drawing `amount` on `kind`; below zero it is put back."""
        return Purse({**self.spendable, kind: self.spendable.get(kind, 0) - amount})

    def short_of(self, amount: int) -> int:
        return amount - max(self.spendable.values(), default=0)
