"""How much of a contract's pay is owed and in no batch yet. Said by the slice above, which pays it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from marketplace.contracts.models import Contract

waiting: list[Callable[[Session, Contract], int]] = []
"""Called as `hook(session, contract)`; minor units, kept from batches until the transaction ends."""


def still_payable(session: Session, contract: Contract) -> int:
    """Minor units that are owed for the contract and that no batch has taken."""
    return sum(hook(session, contract) for hook in waiting)
