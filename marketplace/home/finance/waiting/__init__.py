"""What waits for a second person, in one list: what one has prepared and another has to decide.

Each kind is a query of its own slice's rows; a slice that gains such a decision gains a function here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy.orm import Session

from marketplace.actor import Actor
from marketplace.home.finance.waiting import agreeing, moving
from marketplace.home.finance.waiting.parts import Waiting

__all__ = ["Waiting", "waiting"]

KINDS: tuple[Callable[[Session, Actor], Iterator[Waiting]], ...] = (
    moving.batches,
    moving.sweeps,
    moving.top_ups,
    moving.refunds,
    moving.holds,
    moving.weeks,
    moving.remittances,
    agreeing.fees,
    agreeing.tax_rates,
    agreeing.tax_profiles,
    agreeing.credit,
    agreeing.decisions,
    agreeing.debts,
    agreeing.lost_transfers,
    agreeing.thresholds,
    agreeing.exchange_rates,
    agreeing.revaluations,
)


def waiting(session: Session, actor: Actor) -> list[Waiting]:
    """All kinds together: what the reader may decide first, then the longest waiting."""
    found = [each for kind in KINDS for each in kind(session, actor)]
    return sorted(found, key=lambda each: (not each.mine, each.since))
