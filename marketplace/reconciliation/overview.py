"""Where reconciliation stands: the three columns, what is open, and one sentence that says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.reconciliation import bank_accounts, differences, queries
from marketplace.reconciliation.bank_accounts import Opening
from marketplace.reconciliation.differences import BankSide, StripeSide
from marketplace.reconciliation.models import StatementMatch
from marketplace.reconciliation.open_items import kind_name, what_to_do
from marketplace.reconciliation.states import Kind, MatchState


@dataclass(frozen=True)
class Overview:
    """All sides as last fetched and imported. `open` counts open items by kind.

    `accounts` is how many connected accounts were looked at, `off` how many are not as remembered.
    """

    stripe: list[StripeSide]
    bank: list[BankSide]
    accounts: int
    off: int
    open: dict[Kind, int]
    proposed: int
    unbooked: list[Opening]

    @property
    def to_clear(self) -> int:
        """How many open items wait for somebody; what is on its way clears itself."""
        return sum(count for kind, count in self.open.items() if kind != Kind.TIMING)

    @property
    def ties_out(self) -> bool:
        """Does every side agree line by line, with nothing open but what is on its way?

        Two amounts that only cancel each other out do not tie.
        """
        stripe = any(s.difference or s.not_booked or s.not_shown for s in self.stripe)
        bank = any(b.difference - b.not_shown or b.unexplained or b.opening for b in self.bank)
        return not (stripe or bank) and not self.off and not self.proposed and set(self.open) <= {Kind.TIMING}


def look(session: Session) -> Overview:
    """How things stand now. Reads only what is kept; nothing is asked of Stripe."""
    proposed = session.scalar(
        sa.select(sa.func.count())
        .select_from(StatementMatch)
        .where(StatementMatch.state == MatchState.PROPOSED)
    )
    accounts, off = differences.count_accounts(session)
    openings = [bank_accounts.opening_of(session, each) for each in bank_accounts.all_accounts(session)]
    return Overview(
        stripe=differences.stripe_sides(session),
        bank=differences.bank_sides(session),
        accounts=accounts,
        off=off,
        open=queries.count_items(session),
        proposed=int(proposed or 0),
        unbooked=[opening for opening in openings if opening.rest],
    )


def headline(overview: Overview) -> tuple[str, str]:
    """One sentence about how things stand, and what to do next about it."""
    if not any(side.as_of for side in overview.stripe):
        return _("Nothing was fetched from Stripe yet."), _(
            "Fetch from Stripe to hold the ledger against it."
        )
    if overview.ties_out:
        return _("Everything ties out."), _("There is nothing to do.")
    if overview.proposed:
        return (
            ngettext(
                "One match waits for a decision.", "%(n)s matches wait for a decision.", overview.proposed
            ),
            _("Look at the proposed matches and say which are right."),
        )
    if overview.off:
        return (
            ngettext(
                "An expert's Stripe balance is not what the ledger remembers.",
                "%(n)s experts' Stripe balances are not what the ledger remembers.",
                overview.off,
            ),
            _("Fetch from Stripe again. If it stays, look at what moved in the account."),
        )
    blocking = [kind for kind in Kind if kind in overview.open and kind != Kind.TIMING]
    if blocking:
        return (
            ngettext("One item waits to be cleared.", "%(n)s items wait to be cleared.", overview.to_clear),
            f"{kind_name(blocking[0])}: {what_to_do(blocking[0])}",
        )
    return _("Not every amount has found its counterpart."), _("Match again to see why.")


def status(session: Session) -> dict[str, Any]:
    """The overview as plain values in minor units, for the command line."""
    found = look(session)
    sentence, advice = headline(found)
    return {
        "ties_out": found.ties_out,
        "sentence": sentence,
        "advice": advice,
        "stripe": [
            {"currency": s.currency, "ledger": s.ledger, "stripe": s.stripe, "newer": s.newer,
             "difference": s.difference, "unexplained": s.remainder, "as_of": _iso(s.as_of)}
            for s in found.stripe
        ],
        "bank": [
            {"currency": b.currency, "code": b.code, "ledger": b.ledger, "bank": b.bank,
             "in_transit": b.in_transit, "difference": b.difference, "unexplained": b.remainder,
             "as_of": _iso(b.as_of), "accounts": [
                 {"account": p.account.mask, "ledger": p.ledger, "bank": p.bank, "difference": p.difference,
                  "unexplained": p.remainder, "as_of": _iso(p.as_of)}
                 for p in b.parts
             ]}
            for b in found.bank
        ],
        "connected_accounts": found.accounts,
        "connected_accounts_off": [side.account for side in differences.account_sides(session)],
        "open_items": {kind.value: count for kind, count in found.open.items()},
        "proposed_matches": found.proposed,
    }  # fmt: skip


def _iso(value: Any) -> str | None:
    return value.isoformat() if value else None
