"""Whether an expert could be paid. The slice that pays knows; these pages and the first hour ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session


@dataclass(frozen=True)
class PayGap:
    """Why an expert cannot be paid yet, in a sentence, and the page that mends it."""

    sentence: str
    path: str
    label: str


checks: list[Callable[[Session, int], PayGap | None]] = []
"""Called as `check(session, person_id)`, with the internal id."""


def pay_gap(session: Session, person_id: int) -> PayGap | None:
    """The first reason why the person cannot be paid, if there is one."""
    return next((found for check in checks if (found := check(session, person_id)) is not None), None)
