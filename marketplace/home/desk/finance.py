"""What waits for those who keep the money."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms
from marketplace.actor import Actor, Role
from marketplace.home.desk.parts import Desk, Figure, Task, count
from marketplace.home.finance.waiting import waiting
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.ledger import balance, chart
from marketplace.money import Money
from marketplace.payments import queries as payouts
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.chargebacks.queries import TO_DO as CHARGEBACKS_TO_DO
from marketplace.payments.models import PayoutBatch, PayoutItem, Sweep
from marketplace.payments.refunds.models import Refund
from marketplace.payments.refunds.queries import TO_DO
from marketplace.payments.setup.holding import held
from marketplace.payments.setup.models import BankHold
from marketplace.payments.setup.wishes import how_many_ask
from marketplace.payments.states import BatchState, ItemState, SweepState
from marketplace.reconciliation import wires


def desk(session: Session, actor: Actor, currency: str) -> Desk:
    people, unpaid = payouts.owed(session, currency)
    at_stripe = balance(session, chart.stripe_balance(), currency)
    transit = balance(session, chart.payouts_in_transit(), currency)
    return Desk(
        _("Money"),
        tuple(_finance_tasks(session, actor, people > 0)),
        (
            Figure(_("At Stripe, by our books"), Money(at_stripe, currency)),
            Figure(_("Approved, in no batch"), unpaid),
            Figure(_("Our fees on their way to the bank"), Money(transit, currency)),
        ),
    )


def _finance_tasks(session: Session, actor: Actor, unpaid: bool) -> Iterator[Task]:
    if n := len(alarms.standing(session)):
        yield Task(
            ngettext("An alarm stands.", "%(n)s alarms stand.", n), _("See what it stops"), "home.finance"
        )
    prepared = count(session, PayoutBatch, PayoutBatch.state == BatchState.PREPARED)
    if prepared and actor.has(Role.FINANCE_RELEASER):
        yield Task(
            ngettext("A batch waits to be released.", "%(n)s batches wait to be released.", prepared),
            _("Look at the batch"),
            "payments.batches",
        )
    if unpaid and not prepared and actor.has(Role.FINANCE_PREPARER):
        yield Task(_("Hours are approved and in no batch."), _("Prepare a batch"), "payments.batches")
    if n := how_many_ask(session):
        yield Task(
            ngettext("An expert asks to be paid now.", "%(n)s experts ask to be paid now.", n),
            _("See the payouts"),
            "payments.batches",
        )
    decide = sa.or_(BankHold.denied_at.is_not(None), BankHold.ending_by.is_not(None))
    if n := count(session, BankHold, held(), decide):
        yield Task(
            ngettext(
                "A changed bank account waits for a decision.",
                "%(n)s changed bank accounts wait for a decision.",
                n,
            ),
            _("Decide"),
            "payments.holds",
        )
    stuck = (ItemState.UNKNOWN, ItemState.FAILED, ItemState.RETURNED)
    if n := count(session, PayoutItem, PayoutItem.state.in_(stuck)):
        yield Task(
            ngettext("One payout needs somebody to look.", "%(n)s payouts need somebody to look.", n),
            _("See what happened"),
            "payments.batches",
        )
    if n := count(session, Sweep, Sweep.state == SweepState.PREPARED):
        yield Task(
            ngettext("A sweep of fees waits to be released.", "%(n)s sweeps wait to be released.", n),
            _("Look at the sweep"),
            "payments.sweeps",
        )
    if n := count(session, Refund, Refund.state.in_(TO_DO)):
        yield Task(
            ngettext("A refund waits for somebody.", "%(n)s refunds wait for somebody.", n),
            _("Look at the refunds"),
            "payments.refunds",
        )
    if n := count(session, Chargeback, CHARGEBACKS_TO_DO):
        yield Task(
            ngettext("A bank contests a payment.", "Banks contest %(n)s payments.", n),
            _("Look at the chargebacks"),
            "payments.chargebacks",
        )
    yield from _decisions(session, actor)
    if n := len(wires.unapplied(session)):
        yield Task(
            ngettext(
                "Money from a client is not applied to a request.",
                "Money that came %(n)s times from clients is not applied to a request.",
                n,
            ),
            _("Say what it is for"),
            "reconciliation.unapplied",
        )
    yield Task(_("Ledger, Stripe and bank, side by side."), _("Reconcile"), "reconciliation.index")


def _decisions(session: Session, actor: Actor) -> Iterator[Task]:
    """What a colleague has proposed and the reader may decide, as far as no task above says so."""
    mine = [each.endpoint for each in waiting(session, actor) if each.mine]
    said = {
        "contracts.fees": _("A colleague proposes a fee."),
        "contracts.tax_rates": _("A colleague proposes a tax rate."),
        "contracts.tax_profile": _("A client says where it is for tax."),
        "payments.credit_line": _("A credit line waits for a second person."),
        "payments.top_up": _("A top-up to Stripe waits to be released."),
        "payments.debt": _("A client’s debt waits to be written off."),
        "reconciliation.exchange_rates": _("A colleague wrote down an exchange rate."),
        "reconciliation.revaluation": _("A month’s revaluation waits to be booked."),
        "reconciliation.line": _("Clients’ money from the bank waits for your decision."),
    }
    for endpoint, sentence in said.items():
        if endpoint in mine:
            yield Task(sentence, _("See what waits for you"), "home.finance")
