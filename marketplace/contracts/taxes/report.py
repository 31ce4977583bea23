"""The listing of some months by rate and by client, from what was on 2300 before to what is on it after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.taxes.listing import OURS, Listed, listed
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.money import Money


@dataclass(frozen=True)
class Sum:
    """Fees with their tax under one decision, or one of those that say the same; `client` where it is one."""

    decision: TaxDecision
    client: str
    entries: int
    fee: Money
    tax: Money


@dataclass(frozen=True)
class Report:
    """One currency: `before` and `listed` and `others`, which no fee explains, come to `after`, which is what
    the books have on 2300."""

    currency: str
    before: Money
    by_rate: Sequence[Sum]
    by_client: Sequence[Sum]
    listed: Money
    others: Money
    after: Money

    @property
    def ties(self) -> bool:
        return self.before + self.listed + self.others == self.after


def reports(session: Session, start: date, end: date) -> list[Report]:
    """What was taxed on days of the books in [start, end), a report for each currency in which something is
    or was on 2300."""
    rows = listed(session, start, end)
    sums = _on_2300(session, start, end)
    currencies = sorted({*sums, *(row.currency for row in rows)})
    return [_report(each, [row for row in rows if row.currency == each], sums) for each in currencies]


def _report(currency: str, rows: Sequence[Listed], sums: dict[str, tuple[int, int, int]]) -> Report:
    before, others, after = (Money(each, currency) for each in sums.get(currency, (0, 0, 0)))
    return Report(
        currency=currency,
        before=before,
        by_rate=_grouped(rows, lambda row: (row.decision.basis, row.decision.name, row.decision.rate_bps)),
        by_client=_grouped(
            rows, lambda row: (row.client, row.client_id, row.decision.vat_id or "", row.decision.basis), True
        ),
        listed=Money(sum(row.tax for row in rows), currency),
        others=others,
        after=after,
    )


def _grouped(
    rows: Iterable[Listed], key: Callable[[Listed], tuple[object, ...]], of_client: bool = False
) -> list[Sum]:
    groups: dict[tuple[object, ...], list[Listed]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [
        Sum(
            decision=group[-1].decision,
            client=group[0].client if of_client else "",
            entries=len({row.entry_id for row in group}),
            fee=Money(sum(row.fee for row in group), group[0].currency),
            tax=Money(sum(row.tax for row in group), group[0].currency),
        )
        for _key, group in sorted(groups.items(), key=lambda each: str(each[0]))
    ]


def _on_2300(session: Session, start: date, end: date) -> dict[str, tuple[int, int, int]]:
    """By currency what was on 2300 before, what moved it otherwise than by fees, and what is on it after."""
    debited, at = sa.func.sum(Posting.amount), JournalEntry.booked_on
    fees = sa.func.split_part(JournalEntry.source, ":", 1).in_(OURS)
    rows = session.execute(
        sa.select(
            LedgerAccount.currency,
            sa.func.coalesce(debited.filter(at < start), 0),
            sa.func.coalesce(debited.filter(at >= start, ~fees), 0),
            debited,
        )
        .join(Posting, Posting.account_id == LedgerAccount.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(LedgerAccount.key == chart.tax_payable().key, at < end)
        .group_by(LedgerAccount.currency)
    )
    return {currency: (-int(before), -int(others), -int(after)) for currency, before, others, after in rows}
