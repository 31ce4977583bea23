"""Keyset paging: a page goes on after the last row seen, so rows that arrive meanwhile repeat nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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


def paged(session: Session, query: sa.Select[R], *, by: Any, size: int = 25) -> Page[R]:
    """One page of `query`, newest first by the unique, indexed column `by`; `?after=` says where to go on."""
    after = _decode(request.args.get("after"))
    if after is not None:
        query = query.where(by < after)
    rows = session.scalars(query.order_by(by.desc()).limit(size + 1)).unique().all()
    more = len(rows) > size
    return Page(rows[:size], _next_url(getattr(rows[size - 1], by.key)) if more else None)


def _next_url(last: Any) -> str:
    args = {**request.args.to_dict(), **(request.view_args or {}), "after": _encode(last)}
    return url_for(request.endpoint or "", **args)


def _encode(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _decode(text: str | None) -> int | None:
    """The key in an address, or None when there is none or somebody made it up."""
    try:
        value = json.loads(base64.urlsafe_b64decode((text or "") + "=="))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return value if type(value) is int and abs(value) < 2**63 else None
