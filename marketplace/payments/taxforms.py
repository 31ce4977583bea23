"""The tax form that an expert owes before paid work. In the operator's tax mode `external`, the only one that
this version knows, forms are kept elsewhere and none is ever missing here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Missing:
    """A form that is due: its name, and in a sentence why nothing is paid without it."""

    form: str
    sentence: str


def due(session: Session, person_id: int) -> Missing | None:
    """The form that the person (internal id) has to hand in before paid work, if one is due."""
    return None
