"""What goes wrong next: switches kept as rows, so that a page, a test and the server mean the same ones.

A switch has a kind (see `KINDS`), a target that the kind understands (`*` is any), and how often it still
strikes; without a number it strikes until it is cleared. A switch that is used up stays to be seen.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.store import Transaction, written

ANY = "*"
MOST = 10_000
_ARMED = "(left IS NULL OR left > 0)"

# What each kind does is told to people in lessons.py.
ANSWERS = (
    "error_before", "error_after", "drop_before", "drop_after", "hang_before", "hang_after", "garbage",
    "key_in_use", "lock_timeout", "limit_endpoint_rate", "limit_global_rate", "limit_endpoint_concurrency",
    "limit_global_concurrency", "limit_resource_specific",
)  # fmt: skip
LASTING = ("real_limit", "latency", "secret_rolled")  # These hold until they are cleared.
HOOKS = ("hook_twice", "hook_flood", "hook_two_ids", "hook_reordered", "hook_late", "hook_lost")
MONEY = (
    "debit_fails", "debit_returns", "payout_fails", "payout_returns", "topup_fails", "topup_returns",
    "capability_off",
)  # fmt: skip
KINDS = (*ANSWERS, *LASTING, *HOOKS, *MONEY)


@dataclass(frozen=True)
class Fault:
    """A switch. `left` is how often it still strikes, None until it is cleared; `struck` how often it did."""

    id: int
    kind: str
    target: str
    left: int | None
    struck: int
    detail: Json

    @property
    def armed(self) -> bool:
        return self.left is None or self.left > 0


def arm(transaction: Transaction, kind: str, target: str = ANY, times: int | None = 1) -> None:
    """Set a switch for the next `times` (None: until cleared). ValueError for an unknown kind or number."""
    if kind not in KINDS:
        raise ValueError(f"there is no fault called {kind}")
    times = None if kind in LASTING else times
    if times is not None and not 1 <= times <= MOST:
        raise ValueError(f"a fault strikes from 1 to {MOST} times")
    detail = {"secret": f"whsec_{secrets.token_hex(24)}"} if kind == "secret_rolled" else {}
    transaction.run("INSERT INTO fault (kind, target, left, detail) VALUES (?, ?, ?, ?)",
                    kind, target, times, written(detail))  # fmt: skip
    transaction.news.add("fault")


def take(transaction: Transaction, kinds: str | Iterable[str], *targets: str) -> Fault | None:
    """The oldest armed switch of these kinds that is for one of these targets or for any; it strikes now."""
    named = [kinds] if isinstance(kinds, str) else list(kinds)
    row = transaction.row(
        "UPDATE fault SET left = left - 1, struck = struck + 1 WHERE id ="  # noqa: S608 - words of ours
        " (SELECT id FROM fault WHERE kind IN (SELECT value FROM json_each(?))"
        f" AND target IN (SELECT value FROM json_each(?)) AND {_ARMED} ORDER BY id LIMIT 1) RETURNING *",
        written(named), written([ANY, *targets]),
    )  # fmt: skip
    if row is None:
        return None
    transaction.news.add("fault")
    return _fault(row)


def armed_kinds(transaction: Transaction) -> frozenset[str]:
    """The kinds of which any switch is armed."""
    rows = transaction.rows(f"SELECT DISTINCT kind FROM fault WHERE {_ARMED}")  # noqa: S608
    return frozenset(row["kind"] for row in rows)


def standing(transaction: Transaction, kind: str) -> Fault | None:
    """The newest armed switch of a kind that lasts."""
    row = transaction.row(f"SELECT * FROM fault WHERE kind = ? AND {_ARMED} ORDER BY id DESC LIMIT 1", kind)  # noqa: S608
    return _fault(row) if row else None


def latest(transaction: Transaction, how_many: int = 50) -> list[Fault]:
    """Switches, the armed ones first, then those used up last."""
    rows = transaction.rows(f"SELECT * FROM fault ORDER BY {_ARMED} DESC, id DESC LIMIT ?", how_many)  # noqa: S608
    return [_fault(row) for row in rows]


def clear(transaction: Transaction, id: int | None = None) -> None:
    """Take away one switch, or all of them."""
    transaction.run("DELETE FROM fault WHERE ? IS NULL OR id = ?", id, id)
    transaction.news.add("fault")


def _fault(row: sqlite3.Row) -> Fault:
    return Fault(row["id"], row["kind"], row["target"], row["left"], row["struck"], json.loads(row["detail"]))
