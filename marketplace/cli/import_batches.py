"""Batches of an import with a row that the database does not take: it is found, the others come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
    TimeoutError,
)

from marketplace.db import sqlstate
from marketplace.errors import Invalid, Refused, Unavailable
from marketplace.gigs.importing import Brought
from marketplace.i18n import gettext as _

R = TypeVar("R")
# Classes of PostgreSQL's codes (its manual, appendix A): what a row says, what it is too large for, and what
# a trigger refuses. All others would stop the next row too.
OF_A_ROW = ("21", "22", "23", "44", "54", "P0")


def bring_all(bring: Callable[[Sequence[R]], Brought], rows: Sequence[R]) -> Brought:
    """Bring in all that can be. Where one row stops the others, they are tried by halves until it is alone.

    `bring` keeps all of its rows or none. Raises Unavailable when the database went away.
    """
    try:
        return bring(rows)
    except (SQLAlchemyError, Refused, Invalid, Unavailable) as error:
        if isinstance(error, Unavailable | TimeoutError) or _is_lost(error):
            raise Unavailable(
                _(
                    "The database went away, or has no room. What came in before is kept. "
                    "Import the same file again to go on: no row comes in twice."
                )
            ) from error
        if not rows or not _is_of_a_row(error):
            raise
        why = _why(error)
    if len(rows) == 1:
        return Brought(0, 0, 0, {0: why})
    half = len(rows) // 2
    return _both(bring_all(bring, rows[:half]), bring_all(bring, rows[half:]), half)


def _both(first: Brought, second: Brought, half: int) -> Brought:
    return Brought(
        first.new + second.new,
        first.changed + second.changed,
        first.known + second.known,
        {**first.refused, **{half + place: why for place, why in second.refused.items()}},
    )


def _is_of_a_row(error: Exception) -> bool:
    if not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError):
        return True
    return (sqlstate(error) or "")[:2] in OF_A_ROW


def _is_lost(error: Exception) -> bool:
    """Does the database not answer any more, or has no room, for whatever row?"""
    return isinstance(error, OperationalError | InterfaceError) and not _is_of_a_row(error)


def _why(error: Exception) -> str:
    if isinstance(error, Refused | Invalid):
        return error.sentence
    cause = error.orig if isinstance(error, StatementError) else error
    told = str(cause).partition("\n")[0].strip()
    return _("The database does not take this row: %(why)s. Correct it, then import it again.", why=told)
