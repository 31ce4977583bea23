"""What every reader of an answer uses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Answer = Mapping[str, Any]


def id_of(value: Any) -> str:
    """The id of an object that may have been expanded."""
    return str(value["id"] if isinstance(value, Mapping) else value)


def moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
