"""What is reported and what is withheld is what the books say."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Person
from marketplace.ledger.models import JournalEntry, LedgerAccount, LedgerBalance, Posting
from marketplace.payments.booked import compared
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.states import ItemState
from marketplace.payments.tax.models import Remittance, RemittanceItem
from marketplace.payments.tax.states import RemittanceState
from marketplace.payments.tax.worksheet import moved
from marketplace.proof import Drift, Proof
from marketplace.settings import current

NOTHING_WITHHELD = (ItemState.PREPARED, ItemState.BLOCKED, ItemState.CANCELLED, ItemState.FAILED)


def worksheet_is_the_ledger(session: Session) -> Iterator[Drift]:
    """TX1: what the worksheet of a year says of a payee and currency is what left for them, and what was
    withheld of it.

    By the ledger's own moment of the transfer, in the zone of the books; what came back is taken off.
    """
    zone = str(current().books_zone)

    each = moved()
    year_of = sa.cast(sa.extract("year", sa.func.timezone(zone, each.c.at)), sa.Text)
    reported = (
        sa.select(
            sa.func.concat(
                year_of, " expert:", sa.cast(Person.public_id, sa.Text), " ", each.c.currency
            ).label("source"),
            sa.func.sum(each.c.paid).label("amount"),
        )
        .join(Person, Person.id == each.c.person_id)
        .group_by(sa.text("1"))
        .subquery()
    )
    sent, kept = sa.orm.aliased(JournalEntry), sa.orm.aliased(JournalEntry)
    whose = sa.func.split_part(LedgerAccount.key, ":", 2)
    lines = (
        sa.select(
            sent.occurred_at.label("at"),
            whose.label("person"),
            Posting.currency.label("currency"),
            Posting.amount.label("amount"),
        )
        .join(Posting, Posting.entry_id == sent.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(
            sa.or_(
                sent.source.startswith("payout_item:")
                & (sent.event == "sent")
                & (LedgerAccount.code == "2110"),
                sent.source.startswith("transfer_reversal:") & (LedgerAccount.code == "2100"),
            )
        )
        .union_all(
            sa.select(sent.occurred_at, whose, Posting.currency, -Posting.amount)
            .join(kept, kept.source == sa.func.replace(sent.source, "payout_item:", "withholding:"))
            .join(Posting, Posting.entry_id == kept.id)
            .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
            .where(sent.source.startswith("payout_item:"), sent.event == "sent", LedgerAccount.code == "2310")
        )
        .subquery()
    )
    year = sa.cast(sa.extract("year", sa.func.timezone(zone, lines.c.at)), sa.Text)
    booked = (
        sa.select(
            sa.func.concat(year, " expert:", lines.c.person, " ", lines.c.currency).label("source"),
            sa.func.sum(lines.c.amount).label("amount"),
        )
        .group_by(sa.text("1"))
        .subquery()
    )
    yield from compared(session, reported, booked)


def withheld_is_what_waits(session: Session) -> Iterator[Drift]:
    """TX2: account 2310 of an expert in a currency is what was withheld of payments that left or
    are leaving, less what was paid to the tax office."""
    key = sa.func.concat("expert:", sa.cast(Person.public_id, sa.Text), ":withheld ", PayoutBatch.currency)
    paid = (
        sa.select(RemittanceItem.payout_item_id, sa.func.sum(RemittanceItem.amount).label("amount"))
        .join(RemittanceItem.remittance)
        .where(Remittance.state == RemittanceState.BOOKED)
        .group_by(RemittanceItem.payout_item_id)
        .subquery()
    )
    waits = (
        sa.select(
            key.label("source"),
            sa.func.sum(PayoutItem.withheld - sa.func.coalesce(paid.c.amount, 0)).label("amount"),
        )
        .select_from(Person)
        .join(PayoutItem, PayoutItem.person_id == Person.id)
        .join(PayoutItem.batch)
        .outerjoin(paid, paid.c.payout_item_id == PayoutItem.id)
        .where(PayoutItem.withheld > 0, PayoutItem.state.not_in(NOTHING_WITHHELD))
        .group_by(Person.public_id, PayoutBatch.currency)
        .subquery()
    )
    kept = (
        sa.select(
            sa.func.concat(LedgerAccount.key, " ", LedgerAccount.currency).label("source"),
            (-sa.func.sum(LedgerBalance.amount)).label("amount"),
        )
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "2310")
        .group_by(LedgerAccount.key, LedgerAccount.currency)
        .subquery()
    )
    yield from compared(session, waits, kept)


PROOFS = [
    Proof("TX1", "The tax worksheet of a year is what the books sent and withheld", worksheet_is_the_ledger),
    Proof(
        "TX2", "What is withheld and not paid to the tax office is what 2310 holds", withheld_is_what_waits
    ),
]
