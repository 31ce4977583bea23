"""Pages of contracts: offers and signatures, work, timesheets, money. Each module adds its own."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint

from marketplace.contracts import limits, queries
from marketplace.contracts import tasks as tasks
from marketplace.gigs.states import task_word

bp = Blueprint("contracts", __name__)


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "spell": limits.spell,
        "task_word": task_word,
        "on_clock": _on_clock,
        "amounts": queries.amounts,
    }


def _on_clock(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}"


from marketplace.contracts.views import deals, timesheets, work  # noqa: E402

__all__ = ["bp", "deals", "timesheets", "work"]
