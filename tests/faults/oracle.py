"""What Stripe holds, read from the local server's own record, with nothing of the product in between."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLATFORM = "acct_1LocalPlatform00"


@dataclass(frozen=True)
class Sent:
    """A transfer: for which of our items, how much in minor units, to which account."""

    id: str
    item: str
    amount: int
    destination: str


@dataclass(frozen=True)
class Page:
    """A payment page."""

    id: str
    status: str
    paid: bool
    url: str | None
    net: int


class Oracle:
    """One look at a state file."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def transfers(self) -> list[Sent]:
        return [
            Sent(
                body["id"],
                body["metadata"].get("payout_item", ""),
                body["amount"] - body["amount_reversed"],
                body["destination"],
            )
            for body in self._objects("transfer")
        ]

    def balances(self) -> dict[str, int]:
        """By account, what it holds in US cents, both parts together."""
        found = self._rows("SELECT account, SUM(total) FROM balance WHERE currency = 'usd' GROUP BY account")
        return {str(account): int(total) for account, total in found}

    def pages(self) -> list[Page]:
        net = {
            body["source"]: body["net"]
            for body in self._objects("balance_transaction")
            if body["type"] in ("charge", "payment")
        }
        charge = {body["payment_intent"]: body["id"] for body in self._objects("charge") if body["paid"]}
        return [
            Page(body["id"], body["status"], body["payment_status"] == "paid", body["url"],
                 net.get(charge.get(body["payment_intent"], ""), 0))
            for body in self._objects("checkout.session")
        ]  # fmt: skip

    def deliveries(self) -> int:
        """Events on their way that are due now."""
        found = self._rows("SELECT COUNT(*) FROM delivery WHERE answered IS NULL AND due <= ?", time.time())
        return int(found[0][0])

    def failed_steps(self) -> list[str]:
        return [str(row[0]) for row in self._rows("SELECT failed FROM schedule WHERE failed IS NOT NULL")]

    def _objects(self, kind: str) -> Iterator[dict[str, Any]]:
        for (body,) in self._rows("SELECT body FROM object WHERE kind = ? ORDER BY seq", kind):
            yield json.loads(body)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self._state, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()
