"""Events, and answers that are kept as they came."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.payments.facts.answers import Answer

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it came: its status, its body, and its headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """Stripe's code of a refusal; empty otherwise."""
        error = self.body.get("error") or {}
        return str(error.get("code") or error.get("type") or "")


@dataclass(frozen=True)
class Notice:
    """An event whose signature was good: something happened to `object_id` (of `account`, if connected)."""

    id: str
    kind: str
    account: str | None
    object_id: str
    payload: dict[str, Any]


def of_event(answer: Answer) -> Notice:
    """A snapshot event names its object inside; a thin one (v2) only refers to it. What PostgreSQL cannot
    keep is replaced in it."""
    event: Answer = _storable(dict(answer))
    if event["object"] == "v2.core.event":
        related: Answer = event.get("related_object") or {}
        return Notice(event["id"], event["type"], None, related.get("id") or "", dict(event))
    inner: Answer = event["data"]["object"]
    return Notice(event["id"], event["type"], event.get("account"), inner.get("id") or "", dict(event))


def _storable(value: Any) -> Any:
    """The same with U+FFFD for U+0000 and for halves of a pair, which PostgreSQL takes neither as text nor in
    JSON."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, (list, tuple)) else value
