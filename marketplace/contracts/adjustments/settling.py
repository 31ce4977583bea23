"""The money of an adjustment: what covers it, and the entry that moves it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import Actor
from marketplace.contracts.adjustments import hooks, returning
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.models import Contract
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.errors import Refused
from marketplace.gigs import projection
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, NotCovered, chart
from marketplace.money import Money


def require_funds(session: Session, contract: Contract, total: int) -> None:
    """Make sure that free funds cover `total`, pay, fee and tax, besides what is to go back to the client,
    and keep it so. Raises Refused with the figures."""
    funds, currency = chart.project_funds(contract.project.public_id), contract.currency
    # Refunds are prepared under the same lock, so what is promised is read once it is held.
    ledger.hold(session, [funds], currency)
    promised = hooks.promised_back(session, contract.project)
    try:
        ledger.require_cover(session, funds, currency, total + promised)
    except NotCovered as error:
        free = max(0, -ledger.balance(session, funds, currency) - promised)
        raise Refused(
            _(
                "With the fee this takes %(total)s, and %(free)s is free in the project. "
                "Add funds, or give less.",
                total=Money(total, currency),
                free=Money(free, currency),
            ),
            field="amount",
        ) from error


def require_payable(session: Session, contract: Contract, less: int) -> None:
    """Make sure that so much is owed for the contract and in no batch, and keep it so. Raises Refused with
    the figure."""
    payable = hooks.still_payable(session, contract)
    if less > payable:
        raise Refused(
            _(
                "%(payable)s of this contract is approved and in no pay run yet, so it can be no more "
                "than that. What was paid out stays with the expert.",
                payable=Money(payable, contract.currency),
            ),
            field="amount",
        )


def decide(session: Session, actor: Actor, adjustment: Adjustment, to: OfferState) -> None:
    """Move what was proposed out of waiting. Needs its row locked."""
    move(adjustment, to, OFFER_MOVES)
    adjustment.decided_at = clock.now()
    session.flush()
    audit.record(session, actor, f"adjustment.{to}", "adjustment", adjustment.public_id)


def post(session: Session, actor: Actor, adjustment: Adjustment) -> None:
    """Book it: from free funds to the expert, the fee and its tax, or back, first what the site bore. Needs
    what it is covered by."""
    contract = adjustment.contract
    pay, fee, tax = adjustment.amount, adjustment.fee_amount, adjustment.tax_amount
    ours = returning.ours(session, contract, -pay - fee - tax)
    entry = NewEntry(
        source=f"adjustment:{adjustment.public_id}",
        event="adjusted",
        currency=contract.currency,
        lines=[
            (chart.project_funds(contract.project.public_id), pay + fee + tax + ours),
            (chart.rounding(), -ours),
            (chart.expert_payable(contract.person.public_id), -pay),
            (chart.client_fees(), -fee),
            (chart.tax_payable(), -tax),
        ],
        occurred_at=clock.now(),
        memo=_("A bonus") if adjustment.kind is Kind.BONUS else _("A correction of pay"),
    )
    ledger.post_many(session, actor, [entry])
    session.flush()
    projection.push_project(session, contract.project_id)
