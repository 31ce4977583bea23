"""What must hold of revaluations."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from marketplace.contracts.states import OfferState
from marketplace.errors import Refused
from marketplace.ledger import chart, entries_of, periods
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.proof import Drift, Proof
from marketplace.reconciliation.revaluing import booking, queries
from marketplace.reconciliation.revaluing.models import Revaluation


def revaluations_are_what_rates_say(session: Session) -> Iterator[Drift]:
    """FX2: each booked line is what the journal and the rates of its time make, worked out anew."""
    for each in _booked(session):
        kept = {line.currency: (line.position, line.stood_at, line.value, line.amount) for line in each.lines}
        try:
            found = queries.month_end(
                session, each.month, up_to=each.up_to, decided=each.decided_at, before=each.id
            )
        except Refused as missing:
            yield Drift(each.source, "a rate for each day", missing.sentence)
            continue
        anew = {
            e.currency: (e.position, e.stood_at, e.value, e.amount) for e in found if e.position or e.amount
        }
        if anew != kept:
            yield Drift(each.source, str(anew), str(kept))


def revaluations_are_taken_back(session: Session) -> Iterator[Drift]:
    """FX3: each is booked whole on its month's last day and taken back whole on the next day one, and 6020
    holds nothing else."""
    for each in _booked(session):
        amounts = booking.lines([line.amount for line in each.lines])
        last = periods.last_day(each.month)
        wanted = [
            (booking.REVALUED, last, _sorted((account.key, amount) for account, amount in amounts)),
            (booking.TAKEN_BACK, periods.next_month(each.month), _sorted((a.key, -n) for a, n in amounts)),
        ]
        found = [
            (entry.event, entry.booked_on, _sorted((p.account.key, p.amount) for p in entry.postings))
            for entry in entries_of(session, [each.source])
        ]
        if found != wanted:
            yield Drift(each.source, str(wanted), str(found))
    yield from _nothing_else(session)


def _nothing_else(session: Session) -> Iterator[Drift]:
    sources = sa.select(sa.func.concat("revaluation:", sa.cast(Revaluation.public_id, sa.Text))).where(
        Revaluation.state == OfferState.ACCEPTED
    )
    rows = session.execute(
        sa.select(JournalEntry.source, Posting.amount, Posting.currency)
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(LedgerAccount.key == chart.currency_unrealised().key, JournalEntry.source.not_in(sources))
    )
    for source, amount, currency in rows:
        yield Drift(f"6020 {source}", "only revaluations", f"{amount} {currency}")


def _booked(session: Session) -> list[Revaluation]:
    query = sa.select(Revaluation).where(Revaluation.state == OfferState.ACCEPTED)
    return list(session.scalars(query.options(selectinload(Revaluation.lines)).order_by(Revaluation.id)))


def _sorted(lines: object) -> list[tuple[str, int]]:
    return sorted(lines)  # type: ignore[call-overload, no-any-return]


PROOFS = [
    Proof("FX2", "Each revaluation is what the rates say", revaluations_are_what_rates_say),
    Proof("FX3", "Each revaluation is taken back on day one", revaluations_are_taken_back),
]
