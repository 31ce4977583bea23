"""Bank debits that fail days after they were booked as paid: the money leaves as it came.

What is free of the project goes first, up to what the payment brought it. The processing fee that the client
bore was never paid, so it is no income of ours. What was spent by then the client owes us (`debts`).
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.gigs import projection
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.payments import debits, facts, fundings
from marketplace.payments.chargebacks import books, claims, telling
from marketplace.payments.debts import books as debts
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import Funding
from marketplace.payments.refunds import kept
from marketplace.payments.rounds import Round
from marketplace.payments.states import FundingState, move

# A bank can call a debit back for about two months.
LOOK_BACK = timedelta(days=70)
EVENT = "failed_after_paid"


def source(lot: Funding) -> str:
    """How the journal names it."""
    return f"funding_failure:{lot.public_id}"


def track_charge(session: Session, gateway: Gateway, charge: str) -> None:
    """Fetch a charge and record its failure, if it failed after it was paid. Raises NotHereYet."""
    session.rollback()
    failure = gateway.charge_failure(charge)
    if failure is not None:
        record_failure(session, failure)


def track_failures(session: Session, gateway: Gateway) -> None:
    """Find the failures that no webhook told of."""
    session.rollback()
    turn, moves = Round(session, gateway), list[facts.BalanceTransaction]()
    with turn.one("payment failures"):
        moves = gateway.payment_failures(clock.now() - LOOK_BACK)
    charges = [each.source for each in moves]
    here = (Funding.state == FundingState.PAID) | debits.waiting()
    paid = sa.select(Funding.charge).where(Funding.charge.in_(charges), here)
    waiting = session.scalars(paid).all()
    session.rollback()
    for charge in turn.over(waiting):
        with turn.one(charge):
            track_charge(session, gateway, charge or "")


@use_case
def record_failure(session: Session, failure: facts.ChargeFailure) -> Funding:
    """Book it, once. Of one that never counted as paid only what Stripe showed on its way leaves again.
    Raises NotHereYet."""
    lot = session.scalars(_lot_of(failure).execution_options(populate_existing=True)).first()
    if lot is None:
        raise NotHereYet(_("No payment here belongs to %(charge)s.", charge=failure.charge))
    if lot.state is FundingState.PROCESSING and lot.under_way_at is not None:
        debits.book_refusal(session, lot, failure.move)
        fundings.fail(session, lot, failure.code)
    if lot.state is not FundingState.PAID:
        return lot
    kept.keep_all_back(session, lot.project)
    _book(session, lot, failure.move)
    move(lot, FundingState.FAILED_AFTER_PAID)
    lot.failure, lot.failed_at = failure.code or "unknown", clock.now()
    lot.failure_transaction = failure.move.id
    session.flush()
    audit.record(
        session, SITE, EVENT, "funding", lot.public_id, code=lot.failure, amount=-failure.move.amount
    )
    projection.push_project(session, lot.project_id)
    telling.tell_failed(session, lot, missing(session, lot))
    return lot


def _lot_of(failure: facts.ChargeFailure) -> sa.Select[Funding]:
    """By its charge; by its intent only where no charge is noted yet. Nothing else is about our payment."""
    ours = Funding.charge == failure.charge
    if failure.payment_intent is not None:
        ours |= Funding.charge.is_(None) & (Funding.payment_intent == failure.payment_intent)
    query = sa.select(Funding).where(ours).order_by(Funding.charge.nulls_last())
    return query.limit(1).with_for_update(of=Funding)


def missing(session: Session, lot: Funding) -> Money:
    """What of a payment that failed had left the project by then, and nobody has paid since."""
    debt = debts.of_lot(session, lot)
    return debt.money if debt is not None else _lost(session, lot)


def _lost(session: Session, lot: Funding) -> Money:
    """Of one that failed before clients owed it, or in another currency: it is our loss."""
    losses = chart.chargeback_losses().key
    lost = sum(
        posting.amount
        for entry in ledger.entries_of(session, [source(lot)])
        for posting in entry.postings
        if posting.account.key == losses
    )
    return Money(lost, lot.currency)


def _book(session: Session, lot: Funding, moved: facts.BalanceTransaction) -> None:
    gross = -moved.amount
    same = moved.currency == lot.currency
    free = books.free_funds(session, lot)
    room = min(gross, books.room(session, lot)) if same else 0
    theirs = max(0, min(room, free))
    recharged = max(0, min(lot.fee or 0, gross - (lot.net or 0))) if same else 0
    spent = chart.client_receivable(lot.project.public_id) if same else chart.chargeback_losses()
    ledger.post(
        session,
        SITE,
        source=source(lot),
        event=EVENT,
        currency=moved.currency,
        lines=[
            (chart.project_funds(lot.project.public_id), theirs),
            (chart.fees_recharged(), recharged),
            (spent, gross - theirs - recharged),
            (chart.processing_costs(), moved.fee),
            (chart.stripe_balance(), moved.net),
        ],
        occurred_at=clock.now(),
        memo=_("A payment failed after it had been paid"),
    )
    if same:
        debts.owe(session, lot, gross - theirs - recharged)
    claims.keep(session, lot, min(room - theirs, gross - theirs - recharged))
