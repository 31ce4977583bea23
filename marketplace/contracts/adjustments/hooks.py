"""What the slice above knows, which pays: pay that is in no batch yet, and free money that goes back."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from marketplace.contracts.models import Contract
from marketplace.gigs.models import Project

waiting: list[Callable[[Session, Contract], int]] = []
"""Called as `hook(session, contract)`; minor units, kept from batches until the transaction ends."""

promised: list[Callable[[Session, Project], int]] = []
"""Called as `hook(session, project)`; minor units of its free money that are to go back to the client."""


def still_payable(session: Session, contract: Contract) -> int:
    """Minor units that are owed for the contract and that no batch has taken."""
    return sum(hook(session, contract) for hook in waiting)


def promised_back(session: Session, project: Project) -> int:
    """Minor units of a project's free money that no bonus may take."""
    return sum(hook(session, project) for hook in promised)
