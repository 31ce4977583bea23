"""Bank debits on their way. Stripe shows one, pending, from the moment the client agrees, days before the
client's bank has paid or refused it.

So the books have it too, as what they are not owed yet (2040): nothing can reserve, spend or refund it. It
becomes the project's when it is really paid. A refused one leaves as it came, and its fee is our cost.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import SITE
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.payments import converting, facts
from marketplace.payments.models import Funding


def note(lot: Funding, charge: facts.Charge) -> None:
    """Keep which charge it is, and what Stripe says of it, in the currency that it was paid in."""
    lot.charge, lot.balance_transaction = charge.id, charge.balance_transaction
    lot.fee = converting.fee_of(charge)
    lot.net = charge.amount - lot.fee
    converting.note(lot, charge)
    lot.source_type, lot.available_on = charge.source_type, charge.available_on


def take_up(session: Session, lot: Funding, charge: facts.Charge) -> None:
    """The client has agreed, and Stripe shows the money as pending. Nothing is credited yet."""
    note(lot, charge)
    lot.under_way_at = clock.now()
    ledger.post(
        session,
        SITE,
        source=f"funding:{lot.public_id}",
        event="under_way",
        currency=charge.currency,
        lines=[
            (chart.stripe_balance(), charge.net),
            (chart.debits_under_way(lot.project.public_id), -charge.net),
        ],
        occurred_at=lot.under_way_at,
        memo=_("A bank debit is on its way"),
    )
    audit.record(session, SITE, "agree", "funding", lot.public_id, net=charge.net)


def arriving(lot: Funding, net: int) -> list[tuple[chart.Account, int]]:
    """Where the money of a lot that is paid comes from: what was on its way, the rest from Stripe."""
    before = lot.net or 0 if lot.under_way_at is not None else 0
    return [
        (chart.debits_under_way(lot.project.public_id), before),
        (chart.stripe_balance(), net - before),
    ]


def book_refusal(session: Session, lot: Funding, moved: facts.BalanceTransaction) -> None:
    """The client's bank refused it: what Stripe showed is gone, and the fee that Stripe keeps is ours. The
    state follows at once, before anything else is asked of the database."""
    ledger.post(
        session,
        SITE,
        source=f"funding_failure:{lot.public_id}",
        event="refused_debit",
        currency=moved.currency,
        lines=[
            (chart.debits_under_way(lot.project.public_id), lot.net or 0),
            (chart.processing_costs(), -moved.net - (lot.net or 0)),
            (chart.stripe_balance(), moved.net),
        ],
        occurred_at=clock.now(),
        memo=_("A bank debit was refused"),
    )
    lot.failure_transaction, lot.failed_at = moved.id, clock.now()


def waiting() -> sa.ColumnElement[bool]:
    """Lots whose bank has not answered, and that the books have as on their way."""
    return (Funding.state == "processing") & Funding.under_way_at.is_not(None)
