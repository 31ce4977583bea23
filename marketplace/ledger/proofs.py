"""What must hold in the books at every moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.ledger.models import JournalEntry, LedgerAccount, LedgerBalance, Posting
from marketplace.ledger.periods import before_close
from marketplace.ledger.seals import verify
from marketplace.proof import Drift, Proof

# Codes of which each owner has an account, and the kind of owner that must be in the key.
CLIENT_FUNDS = dict.fromkeys(("2010", "2015", "2020", "2040", "2120", "2500", "2510"), "project:")
# What a slice above lets an account owe: minor units by its key and currency.
may_owe: list[Callable[[Session], Mapping[tuple[str, str], int]]] = []
OWED_TO_EXPERTS = {"2100": "expert:", "2110": "expert:", "2310": "expert:"}


def entries_balance(session: Session) -> Iterator[Drift]:
    """P1: every entry has postings, and they sum to zero in each currency."""
    rows = session.execute(
        sa.select(JournalEntry.source, JournalEntry.event, Posting.currency, sa.func.sum(Posting.amount))
        .outerjoin(Posting, Posting.entry_id == JournalEntry.id)
        .group_by(JournalEntry.id, Posting.currency)
        .having(sa.func.coalesce(sa.func.sum(Posting.amount), 1) != 0)
    )
    for source, event, currency, amount in rows:
        yield Drift(f"{source} {event}", "0", f"{amount} {currency}" if currency else "no postings")


def client_funds_hold(session: Session) -> Iterator[Drift]:
    """P4: the money of each project is at least what it gave out, free and reserved; below zero it is at most
    by what its client was lent."""
    return _never_overdrawn(session, CLIENT_FUNDS, [each(session) for each in may_owe])


def payables_hold(session: Session) -> Iterator[Drift]:
    """P5: no expert was paid or released more than was owed to them."""
    return _never_overdrawn(session, OWED_TO_EXPERTS)


def kept_balances_hold(session: Session) -> Iterator[Drift]:
    """L1: the balance that is kept for an account is the sum of its postings."""
    kept = _sums(LedgerBalance).subquery()
    summed = _sums(Posting).subquery()
    rows = session.execute(
        sa.select(LedgerAccount.key, LedgerAccount.currency, summed.c.total, kept.c.total)
        .outerjoin(summed, summed.c.account_id == LedgerAccount.id)
        .outerjoin(kept, kept.c.account_id == LedgerAccount.id)
        .where(sa.func.coalesce(summed.c.total, 0) != sa.func.coalesce(kept.c.total, 0))
    )
    for key, currency, expected, found in rows:
        yield Drift(f"{key} {currency}", str(expected or 0), str(found or 0))


def _sums(table: type[LedgerBalance] | type[Posting]) -> sa.Select[int, int]:
    return sa.select(table.account_id, sa.func.sum(table.amount).label("total")).group_by(table.account_id)


def _never_overdrawn(
    session: Session, owners: dict[str, str], lent: Iterable[Mapping[tuple[str, str], int]] = ()
) -> Iterator[Drift]:
    allowed = {place: amount for each in lent for place, amount in each.items()}
    rows = session.execute(
        sa.select(
            LedgerAccount.code, LedgerAccount.key, LedgerAccount.currency, sa.func.sum(LedgerBalance.amount)
        )
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code.in_(owners))
        .group_by(LedgerAccount.id)
        .order_by(LedgerAccount.id)
    )
    for code, key, currency, amount in rows:
        if not key.startswith(owners[code]):
            yield Drift(key, owners[code] + "…", key)
        elif amount > (allowed.get((key, currency), 0) if code == "2010" else 0):
            yield Drift(f"{code} {key}", "a credit balance", f"{amount} {currency} debit")


PROOFS = [
    Proof("P1", "Every entry balances", entries_balance),
    Proof("P4", "No project is overdrawn", client_funds_hold),
    Proof("P5", "No expert is overpaid", payables_hold),
    Proof("L1", "Kept balances are the sums of their postings", kept_balances_hold),
    Proof("L2", "The journal is as it was sealed", verify),
]
before_close.extend(PROOFS)
