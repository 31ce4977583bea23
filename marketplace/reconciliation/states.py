"""The words of reconciliation: states of lines, matches and items, and the closed list of their kinds."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from marketplace.errors import Refused
from marketplace.i18n import gettext as _


class StatementState(StrEnum):
    """Accepted: it adds up and follows the one before. Gap: it does not follow. Contradicts: it does not
    add up. Replaced: a later file brought it again, whole. Set aside: it should not have come in."""

    ACCEPTED = "accepted"
    GAP = "gap"
    CONTRADICTS = "contradicts"
    REPLACED = "replaced"
    SET_ASIDE = "set_aside"


# Statements of these states count no more.
GONE = (StatementState.REPLACED, StatementState.SET_ASIDE)


class LineState(StrEnum):
    """A bank line that nothing explains yet, one that waits for a person, one that is explained, and one
    that no standing statement holds."""

    IMPORTED = "imported"
    PROPOSED = "proposed"
    MATCHED = "matched"
    SET_ASIDE = "set_aside"


class MatchState(StrEnum):
    """Proposed by a pass, confirmed by it or by a person, undone by a person."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    UNDONE = "undone"


class Leg(StrEnum):
    """Which two sides a match joins. A thing is matched once on each leg."""

    LEDGER = "ledger"  # ledger and Stripe
    PAYOUT = "payout"  # Stripe and a payout
    BANK = "bank"  # a payout, a client's request, or a posting, and the bank
    APPLIED = "applied"  # unapplied cash and the client's request that it was for


class DecisionKind(StrEnum):
    """What two people decide about clients' wired money, and about tax."""

    UNDO = "undo"  # take it from the request that it was credited to
    APPLY = "apply"  # credit unapplied money to a request that its line does not name
    RETURN = "return"  # unapplied money went back to whoever sent it
    TAX = "tax"  # a line paid tax to a tax office


class DecisionState(StrEnum):
    """Proposed by one; confirmed by another, or dropped by anyone."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    DROPPED = "dropped"


class ItemState(StrEnum):
    """An open item is resolved when what it names is explained, by a match or by a booking."""

    OPEN = "open"
    RESOLVED = "resolved"


class Kind(StrEnum):
    """Why something is open: one of these and no other."""

    MISSING_INTERNAL = "missing_internal"
    MISSING_EXTERNAL = "missing_external"
    AMOUNT_MISMATCH = "amount_mismatch"
    TIMING = "timing"
    UNIDENTIFIED = "unidentified"
    STATEMENT_GAP = "statement_gap"
    STATEMENT_CONTRADICTION = "statement_contradiction"
    DRIFT = "drift"
    NEGATIVE_CONNECTED_BALANCE = "negative_connected_balance"
    ORPHAN_ACCOUNT_BALANCE = "orphan_account_balance"


NOT_EXPLAINED = (LineState.IMPORTED, LineState.PROPOSED)
LINE = {
    LineState.IMPORTED: frozenset({LineState.PROPOSED, LineState.MATCHED, LineState.SET_ASIDE}),
    LineState.PROPOSED: frozenset({LineState.IMPORTED, LineState.MATCHED}),
    LineState.MATCHED: frozenset({LineState.IMPORTED}),
    LineState.SET_ASIDE: frozenset({LineState.IMPORTED}),
}
MATCH = {
    MatchState.PROPOSED: frozenset({MatchState.CONFIRMED, MatchState.UNDONE}),
    MatchState.CONFIRMED: frozenset({MatchState.UNDONE}),
    MatchState.UNDONE: frozenset[MatchState](),
}
DECISION = {
    DecisionState.PROPOSED: frozenset({DecisionState.CONFIRMED, DecisionState.DROPPED}),
    DecisionState.CONFIRMED: frozenset[DecisionState](),
    DecisionState.DROPPED: frozenset[DecisionState](),
}
_MOVES: dict[type[StrEnum], Any] = {LineState: LINE, MatchState: MATCH, DecisionState: DECISION}


def move(thing: Any, to: LineState | MatchState | DecisionState) -> None:
    """Change the state of a line, a match or a decision. Raises Refused when it does not lead there."""
    if to not in _MOVES[type(to)][thing.state]:
        raise Refused(
            _("This is %(now)s and cannot become %(to)s. Look again.", now=thing.state.value, to=to.value)
        )
    thing.state = to
