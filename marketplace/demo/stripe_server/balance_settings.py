"""When an account's balance is paid out by itself. The platform's own schedule starts as manual."""

from __future__ import annotations

from datetime import timedelta

from marketplace.demo.stripe_server import events, moments
from marketplace.demo.stripe_server.errors import Json, invalid
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import (
    EXPAND,
    ByCurrency,
    Choice,
    Flag,
    Many,
    Shape,
    Text,
    Whole,
)
from marketplace.demo.stripe_server.store import PLATFORM, Transaction

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
UPDATE = Shape(
    expand=EXPAND,
    payments=Shape(
        debit_negative_balances=Flag(),
        payouts=Shape(
            minimum_balance_by_currency=ByCurrency(),
            schedule=Shape(
                interval=Choice("daily", "manual", "monthly", "weekly"),
                monthly_payout_days=Many(Whole(1, 31)),
                weekly_payout_days=Many(Choice(*_WEEKDAYS)),
            ),
            statement_descriptor=Text(22, clear=True),
        ),
    ),
)


def retrieve(call: Call) -> Json:
    """GET /v1/balance_settings."""
    return of(call.transaction, call.account)


def update(call: Call) -> Json:
    """POST /v1/balance_settings."""
    settings = of(call.transaction, call.account)
    asked = call.params.get("payments", {})
    payouts = settings["payments"]["payouts"]
    if "debit_negative_balances" in asked:
        settings["payments"]["debit_negative_balances"] = asked["debit_negative_balances"]
    for name, value in asked.get("payouts", {}).items():
        payouts[name] = _checked(value) if name == "schedule" else value
    _keep(call.transaction, call.account, settings)
    events.tell(call.transaction, "balance_settings.updated", settings, call.account)
    return settings


def of(transaction: Transaction, account: str) -> Json:
    """An account's settings; automatic daily payouts unless changed, manual for the platform.

    Empty maps are `{}`, never null: SDK 16.1.0 fails on a null `automatic_transfer_rules_by_currency`.
    """
    found = transaction.find(f"settings_{account}")
    if found is not None:
        return {name: value for name, value in found.items() if name != "id"}
    interval = "manual" if account == PLATFORM else "daily"
    payouts = {
        "automatic_transfer_rules_by_currency": {},
        "minimum_balance_by_currency": {},
        "schedule": {"interval": interval},
        "statement_descriptor": None,
        "status": "enabled",
    }
    timing = {"delay_days": 2}
    payments = {"debit_negative_balances": False, "payouts": payouts, "settlement_timing": timing}
    return {"object": "balance_settings", "payments": payments}


def next_payout(settings: Json, after: int) -> int | None:
    """The moment of the next automatic payout, a day or more `after`; None when payouts are manual."""
    schedule = settings["payments"]["payouts"]["schedule"]
    if schedule["interval"] == "manual":
        return None
    due = moments.moment(after) + timedelta(days=1)
    while not _falls_on(schedule, due.day, due.weekday()):
        due += timedelta(days=1)
    return int(due.timestamp())


def _falls_on(schedule: Json, day: int, weekday: int) -> bool:
    if schedule["interval"] == "weekly":
        return weekday < 5 and _WEEKDAYS[weekday] in schedule["weekly_payout_days"]
    if schedule["interval"] == "monthly":
        return day in [min(wanted, 28) for wanted in schedule["monthly_payout_days"]]
    return True


def _checked(schedule: Json) -> Json:
    for interval in ("weekly", "monthly"):
        if schedule.get("interval") == interval and not schedule.get(f"{interval}_payout_days"):
            where = f"payments[payouts][schedule][{interval}_payout_days]"
            raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
    return schedule


def _keep(transaction: Transaction, account: str, settings: Json) -> None:
    id = f"settings_{account}"
    stored = {"id": id, **settings}
    if transaction.find(id) is None:
        transaction.add(stored, account, "balance_settings", moments.now())
    else:
        transaction.save(stored)
