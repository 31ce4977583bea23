"""The words that offers, contracts, reservations and timesheets move through, and the moves allowed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from marketplace.i18n import gettext as _
from marketplace.moves import S, Stateful, change


class OfferState(StrEnum):
    """An offer waits in `made` until its expert answers, the client takes it back, or its time is over."""

    MADE = "made"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class ContractState(StrEnum):
    """Time can be logged while active; what was worked before the end is still submitted and paid."""

    ACTIVE = "active"
    ENDED = "ended"


class ReservationState(StrEnum):
    """`held` money waits for a week's hours; `closed` means it was paid out or went back."""

    HELD = "held"
    CLOSED = "closed"


class TimesheetState(StrEnum):
    """The expert writes in `open` and `returned`; the client decides in `submitted`."""

    OPEN = "open"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"


class SittingState(StrEnum):
    """A test is taken in `begun`, graded in `handed_in`; an appeal can make `failed` a pass."""

    BEGUN = "begun"
    HANDED_IN = "handed_in"
    PASSED = "passed"
    FAILED = "failed"


class DisputeState(StrEnum):
    """A questioned line waits for its expert in `asked`, for the client in `answered`, for an operator in
    `ruling`; in `ruled` what was not awarded still waits for an appeal."""

    ASKED = "asked"
    ANSWERED = "answered"
    RULING = "ruling"
    RULED = "ruled"
    SETTLED = "settled"


class SettledBy(StrEnum):
    """What said how much of a questioned line is paid."""

    AGREED = "agreed"
    CLIENT = "client"
    DEADLINE = "deadline"
    RULING = "ruling"
    APPEAL = "appeal"


class TurnAct(StrEnum):
    """What was done in a dispute."""

    QUESTIONED = "questioned"
    ANSWERED = "answered"
    OFFERED = "offered"
    ASKED_RULING = "asked_ruling"
    ACCEPTED = "accepted"
    RULED = "ruled"
    RAN_OUT = "ran_out"
    UPHELD = "upheld"


class TimeKind(StrEnum):
    """Unpaid time (waiting, reading) is kept because the effective rate is made of it."""

    PAID = "paid"
    UNPAID = "unpaid"


class Source(StrEnum):
    """How a time entry came to be."""

    TIMER = "timer"
    MANUAL = "manual"


OFFER_MOVES: Mapping[OfferState, frozenset[OfferState]] = {
    OfferState.MADE: frozenset(OfferState) - {OfferState.MADE},
    OfferState.ACCEPTED: frozenset(),
    OfferState.DECLINED: frozenset(),
    OfferState.WITHDRAWN: frozenset(),
    OfferState.EXPIRED: frozenset(),
}
CONTRACT_MOVES: Mapping[ContractState, frozenset[ContractState]] = {
    ContractState.ACTIVE: frozenset({ContractState.ENDED}),
    ContractState.ENDED: frozenset(),
}
TIMESHEET_MOVES: Mapping[TimesheetState, frozenset[TimesheetState]] = {
    TimesheetState.OPEN: frozenset({TimesheetState.SUBMITTED}),
    TimesheetState.SUBMITTED: frozenset({TimesheetState.RETURNED, TimesheetState.APPROVED}),
    TimesheetState.RETURNED: frozenset({TimesheetState.SUBMITTED}),
    TimesheetState.APPROVED: frozenset(),
}
SITTING_MOVES: Mapping[SittingState, frozenset[SittingState]] = {
    SittingState.BEGUN: frozenset({SittingState.HANDED_IN}),
    SittingState.HANDED_IN: frozenset({SittingState.PASSED, SittingState.FAILED}),
    SittingState.PASSED: frozenset(),
    SittingState.FAILED: frozenset({SittingState.PASSED}),
}

DISPUTE_MOVES: Mapping[DisputeState, frozenset[DisputeState]] = {
    DisputeState.ASKED: frozenset({DisputeState.ANSWERED, DisputeState.RULING, DisputeState.SETTLED}),
    DisputeState.ANSWERED: frozenset({DisputeState.ASKED, DisputeState.RULING, DisputeState.SETTLED}),
    DisputeState.RULING: frozenset({DisputeState.RULED, DisputeState.SETTLED}),
    DisputeState.RULED: frozenset({DisputeState.SETTLED}),
    DisputeState.SETTLED: frozenset(),
}


def move(thing: Stateful[S], to: S, moves: Mapping[S, frozenset[S]]) -> None:
    """Set `thing.state`. Raises Refused, naming both states, when the table does not allow the move."""
    change(thing, to, moves, word)


def word(state: StrEnum) -> str:
    """The state as people read it."""
    return {
        "made": _("waiting for an answer"),
        "accepted": _("accepted"),
        "declined": _("declined"),
        "withdrawn": _("withdrawn"),
        "expired": _("expired"),
        "active": _("active"),
        "ended": _("ended"),
        "held": _("reserved"),
        "closed": _("closed"),
        "open": _("open"),
        "submitted": _("submitted"),
        "returned": _("returned"),
        "approved": _("approved"),
        "begun": _("begun"),
        "handed_in": _("handed in"),
        "asked": _("waiting for the expert"),
        "answered": _("waiting for the client"),
        "ruling": _("waiting for a ruling"),
        "ruled": _("ruled, and open to appeal"),
        "settled": _("settled"),
        "passed": _("passed"),
        "failed": _("not passed"),
        "paid": _("paid"),
        "unpaid": _("unpaid"),
        "timer": _("timer"),
        "manual": _("by hand"),
    }[state.value]
