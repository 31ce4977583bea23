"""Payments that come back, as Stripe's answers that were made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor
from marketplace.db import new_id, use_case
from marketplace.gigs.models import Project
from marketplace.gigs.projection import push_project
from marketplace.ledger import chart
from marketplace.payments import facts
from marketplace.payments.models import Funding
from marketplace.payments.states import FundingState, Rail

FEE = 15_00


@use_case
def a_paid_lot(
    session: Session, client: Actor, project: Project, net: int, fee: int = 0, rail: Rail = Rail.CARD
) -> Funding:
    """A payment that arrived, without a Stripe that could be asked about it."""
    project = session.merge(project)
    name = new_id().hex[-12:]
    lot = Funding(
        project=project, organization_id=project.organization_id, currency=project.currency, amount=net,
        charge_amount=net + fee, rail=rail, state=FundingState.PAID, session_id=f"cs_{name}",
        charge=f"ch_{name}", balance_transaction=f"txn_{name}", fee=fee, net=net, source_type="card",
        created_by=client.id, created_at=clock.now(), paid_at=clock.now(),
    )  # fmt: skip
    session.add(lot)
    session.flush()
    ledger.post(
        session,
        SITE,
        source=f"funding:{lot.public_id}",
        event="paid",
        currency=lot.currency,
        lines=[
            (chart.stripe_balance(), net),
            (chart.processing_costs(), fee),
            (chart.project_funds(project.public_id), -net),
            (chart.fees_recharged(), -fee),
        ],
        occurred_at=clock.now(),
        memo="Funding",
    )
    push_project(session, project.id)
    return lot


def a_dispute(lot: Funding, status: str = "needs_response", **changes: object) -> facts.Dispute:
    """The bank contests all that was charged; nothing has moved yet."""
    found = facts.Dispute(
        id=f"du_{lot.charge}",
        amount=lot.charge_amount,
        currency=lot.currency,
        charge=lot.charge or "",
        status=status,
        reason="fraudulent",
        created_at=clock.now(),
        due_by=clock.now() + timedelta(days=9),
        submissions=0,
        moves=(),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def a_move(
    name: str, amount: int, fee: int = 0, currency: str = "USD", kind: str = "adjustment"
) -> facts.BalanceTransaction:
    """What Stripe moved of our balance; negative where it left."""
    now = clock.now()
    return facts.BalanceTransaction(
        f"txn_{name}", kind, "dispute", amount, fee, amount - fee, currency, "du_1", now, now
    )
