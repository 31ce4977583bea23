"""What a project's client owes us because a payment failed after its money was spent (1200).

Until it is paid, the project reserves nothing more and takes no hours that began after that. Earned
pay is never stopped.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.errors import Refused
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.money import Money
from marketplace.settings import current


def owed(session: Session, project: Project) -> Money:
    """What the project's client owes now."""
    account = chart.client_receivable(project.public_id)
    return Money(max(0, ledger.balance(session, account, project.currency)), project.currency)


def owed_since(session: Session, project: Project) -> datetime | None:
    """Since when, without a break (UTC); None when nothing is owed."""
    rows = session.execute(
        sa.select(JournalEntry.occurred_at, Posting.amount)
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(
            LedgerAccount.key == chart.client_receivable(project.public_id).key,
            LedgerAccount.currency == project.currency,
        )
        .order_by(JournalEntry.occurred_at, JournalEntry.id)
    )
    since, balance = None, 0
    for moment, amount in rows:
        since = since if balance > 0 else moment
        balance += amount
    return since if balance > 0 else None


def require_nothing_owed(session: Session, project: Project, start: datetime) -> None:
    """Raise Refused for hours that began after a payment failed whose money was spent."""
    since = owed_since(session, project)
    if since is not None and start >= since:
        raise Refused(
            _(
                "A payment of the client failed on %(when)s after its money was spent, so hours after that "
                "cannot be entered. Hours before it count and are paid. Ask the client to add funds.",
                when=zoned(since, current().books_zone.key),
            )
        )
