"""The states of a period and the moves between them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from marketplace.errors import Refused
from marketplace.i18n import gettext as _

if TYPE_CHECKING:
    from marketplace.ledger.models import Period


class PeriodState(StrEnum):
    """Open: everything posts here. Hold: prepared by one person. Closed: by another, and nothing posts."""

    OPEN = "open"
    HOLD = "hold"
    CLOSED = "closed"


class Step(StrEnum):
    """What is next for a month: something that the reader can do, or what has to happen first."""

    RUNS = "runs"  # it is not over
    EARLIER = "earlier"  # an earlier month comes first
    HOLD = "hold"
    COLLEAGUE = "colleague"  # somebody else closes it
    CLOSE = "close"
    NOTHING = "nothing"


MOVES = {
    PeriodState.OPEN: frozenset({PeriodState.HOLD}),
    PeriodState.HOLD: frozenset({PeriodState.OPEN, PeriodState.CLOSED}),
    PeriodState.CLOSED: frozenset[PeriodState](),
}


def move(period: Period, to: PeriodState) -> None:
    """Change the state. Raises Refused when it does not lead there."""
    if to not in MOVES[period.state]:
        raise Refused(
            _(
                "%(month)s is %(now)s and cannot become %(to)s.",
                month=f"{period.month:%B %Y}",
                now=name_of(period.state),
                to=name_of(to),
            )
        )
    period.state = to


def name_of(state: PeriodState) -> str:
    """The state's word in the reader's language."""
    return {
        PeriodState.OPEN: _("open"),
        PeriodState.HOLD: _("on hold"),
        PeriodState.CLOSED: _("closed"),
    }[state]
