"""Keyset paging: a page goes on after the last row seen, so rows that arrive meanwhile repeat nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import request, url_for
from sqlalchemy.orm import Session

R = TypeVar("R")


@dataclass(frozen=True)
class Page(Generic[R]):
    """The rows of one page, and the address of the next if there is one."""

    rows: Sequence[R]
    next_url: str | None

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __bool__(self) -> bool:
        return bool(self.rows)


def paged(
    session: Session,
    query: sa.Select[R],
    *,
    by: Any,
    size: int = 25,
    rising: bool = False,
    name: str = "after",
) -> Page[R]:
    """One page of `query`, the newest (`rising`: the lowest) first; `?after=` says where to go on.

    A second list on the same page goes on from a parameter of another `name`.

    `by` is an indexed column, or several in their order. None may be empty, and the last is unique.
    """
    columns: tuple[Any, ...] = by if isinstance(by, tuple) else (by,)
    after = _decode(request.args.get(name), columns)
    if after is not None:
        here, there = sa.tuple_(*columns), sa.tuple_(*after)
        query = query.where(here > there if rising else here < there)
    order = [column if rising else column.desc() for column in columns]
    rows = session.scalars(query.order_by(*order).limit(size + 1)).unique().all()
    more = len(rows) > size
    return Page(rows[:size], _next_url(rows[size - 1], columns, name) if more else None)


def how_many(session: Session, query: sa.Select[Any]) -> int:
    """How many rows `query` has in all."""
    rows = query.order_by(None).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0


def further(name: str, after: str) -> str:
    """This very address with all that it asks for, and `name` saying where to go on.

    What it asks for does not go through `url_for`, to which some of it would mean something of its own.
    """
    asked = {**request.args.to_dict(flat=False), name: [after]}
    here = url_for(request.endpoint or "", **(request.view_args or {}))
    return f"{here}?{urlencode(asked, doseq=True)}"


def _next_url(last: Any, columns: Sequence[Any], name: str) -> str:
    return further(name, _encode([getattr(last, column.key) for column in columns]))


def _encode(key: Sequence[Any]) -> str:
    plain = [value.isoformat() if isinstance(value, date) else value for value in key]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _decode(text: str | None, columns: Sequence[Any]) -> list[sa.BindParameter[Any]] | None:
    """The key in an address, or None when there is none or somebody made it up."""
    try:
        values = json.loads(base64.urlsafe_b64decode((text or "") + "=="))
        return [_bound(value, column) for value, column in zip(values, columns, strict=True)]
    except (binascii.Error, ValueError, TypeError, RecursionError):
        return None


def _bound(value: Any, column: Any) -> sa.BindParameter[Any]:
    """The value as the column has it. Raises ValueError or TypeError."""
    kind = column.type.python_type
    if issubclass(kind, date):
        read = kind.fromisoformat(value)
        if kind is datetime and read.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return sa.literal(read, column.type)
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError("not a key")
    return sa.literal(value, column.type)
