"""Hands an event to its listeners' deliveries: once, as it should be, or as an armed switch has it."""

from __future__ import annotations

import time

from marketplace.demo.stripe_server import faults, moments, schedule
from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.store import Transaction

FLOOD = 15  # deliveries of one event
DELAY = 3_600  # seconds by the shared clock
_COPIES = {"hook_twice": 2, "hook_flood": FLOOD}
_NEVER = 9e12  # a due time that does not come: the delivery is held
_APART = 1.0  # seconds of real time between deliveries that come in the wrong order


def post(transaction: Transaction, event: Json, kind: str, account: str, listeners: list[str]) -> None:
    """Plan the deliveries of an event that was just written."""
    if not listeners:
        return
    transaction.news.add("delivery")
    fault = faults.take(transaction, faults.HOOKS, event["type"])
    trouble = fault.kind if fault else ""
    if trouble == "hook_lost":
        return
    if trouble == "hook_two_ids":
        twin = {**event, "id": moments.new_id("evt")}
        transaction.add(twin, account, kind, moments.now())
        _plan(transaction, twin["id"], listeners)
    for _ in range(_COPIES.get(trouble, 1)):
        _plan(transaction, event["id"], listeners, held=trouble in ("hook_late", "hook_reordered"))
    if trouble in ("hook_late", "hook_reordered"):
        schedule.plan(transaction, "release_event", event["id"], moments.now() + DELAY)
    if fault and trouble == "hook_reordered":
        transaction.run("INSERT INTO held_event (event, fault) VALUES (?, ?)", event["id"], fault.id)
        if not fault.armed:
            release(transaction, fault.id)


def release(transaction: Transaction, fault: int | None = None) -> None:
    """Let go what a switch (None: any) has held back, the newest event first."""
    held = transaction.rows(
        "SELECT event FROM held_event WHERE ? IS NULL OR fault = ? ORDER BY id DESC", fault, fault
    )
    for number, row in enumerate(held):
        release_event(transaction, row["event"], number * _APART)
        transaction.run("DELETE FROM held_event WHERE event = ?", row["event"])


def release_event(transaction: Transaction, id: str, after: float = 0) -> None:
    """The step in which an event that was held back is delivered."""
    transaction.run(
        "UPDATE delivery SET due = ? WHERE event = ? AND due = ?", time.time() + after, id, _NEVER
    )
    transaction.news.add("delivery")


def _plan(transaction: Transaction, event: str, listeners: list[str], held: bool = False) -> None:
    for listener in listeners:
        transaction.run(
            "INSERT INTO delivery (event, listener, due) VALUES (?, ?, ?)",
            event, listener, _NEVER if held else time.time(),
        )  # fmt: skip
