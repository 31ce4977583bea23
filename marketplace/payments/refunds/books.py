"""What becomes of a refund's money in the books. Released it is in flight, so nothing else can spend it."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import SITE, Actor
from marketplace.gigs.find import there
from marketplace.gigs.members import tell_client
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.payments import claiming, exchanged, facts
from marketplace.payments.debts import books as debts
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.refunds import words
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import RefundState, move


def locked(session: Session, public_id: uuid.UUID) -> Refund:
    """A refund, held and read anew. Raises NotFound."""
    return there(claiming.held(session, Refund, public_id))


def require_free(session: Session, refund: Refund) -> None:
    """Make sure that the project's free money covers it, and keep it so. Raises NotCovered."""
    ledger.require_cover(session, _funds(refund), refund.currency, refund.amount)


def take_off(session: Session, actor: Actor, refund: Refund) -> None:
    """Released: out of the project's funds. Needs `require_free`."""
    move(refund, RefundState.RELEASED)
    lines = [(_funds(refund), refund.amount), (_in_flight(refund), -refund.amount)]
    _post(session, actor, refund, "released", lines, _("Unused money on its way to the client"))


def sent(session: Session, refund: Refund, moved: facts.BalanceTransaction | None = None) -> None:
    """Stripe has taken it, of a balance in another currency where the payment was changed into that."""
    memo = _("Unused money back to the client")
    lot, changed = refund.funding, chart.stripe_balance()
    if lot is not None and lot.settled_currency is not None:
        if moved is None or moved.currency != lot.settled_currency:
            raise GatewayUnknown(
                "no_rate", _("Stripe does not say yet what this refund took of our balance.")
            )
        changed = chart.currency_clearing()
        refund.settled_currency, refund.settled_amount = moved.currency, -moved.amount
        lines = [
            (changed, -moved.amount),
            (chart.processing_costs(), moved.fee),
            (chart.stripe_balance(), moved.net),
        ]
        _post(session, SITE, refund, "converted", lines, memo, moved.currency)
    move(refund, RefundState.SENT)
    _post(
        session, SITE, refund, "sent", [(_in_flight(refund), refund.amount), (changed, -refund.amount)], memo
    )
    _record(session, refund, "sent")
    _realise(session, refund)


def came_back(
    session: Session, refund: Refund, why: str, returned: facts.BalanceTransaction | None = None
) -> None:
    """The client's bank sent it back to Stripe: finance pays it by hand."""
    memo, into = _("A refund came back"), chart.stripe_balance()
    if refund.settled_currency is not None:
        _changed_again(session, refund, returned, memo)
        into = chart.currency_clearing()
    move(refund, RefundState.OWED)
    refund.failure = why
    lines = [(into, refund.amount), (_payable(refund), -refund.amount)]
    _post(session, SITE, refund, "failed", lines, memo)
    _record(session, refund, "failed")


def _changed_again(
    session: Session, refund: Refund, returned: facts.BalanceTransaction | None, memo: str
) -> None:
    """What it took of our balance came back to it, at the rate of another day: the rest is a gain or a loss.
    What was realised because nothing was left of its payment is not any more."""
    if returned is None or returned.currency != refund.settled_currency:
        raise GatewayUnknown("no_rate", _("Stripe does not say yet what this refund brought our balance."))
    took, realised = refund.settled_amount or 0, exchanged.realised(session, refund.funding)
    lines = [
        (chart.stripe_balance(), returned.net),
        (chart.processing_costs(), returned.fee),
        (chart.currency_clearing(), -took - realised),
        (chart.currency_realised(), took + realised - returned.amount),
    ]
    _post(session, SITE, refund, "returned", lines, memo, returned.currency)


def _realise(session: Session, refund: Refund) -> None:
    """With the last of a payment that was changed its position ends: what is left of it is a gain or loss."""
    session.flush()
    rest = exchanged.realised(session, refund.funding)
    if rest:
        lines = [(chart.currency_clearing(), rest), (chart.currency_realised(), -rest)]
        memo = _("Given back at another rate")
        _post(session, SITE, refund, "realised", lines, memo, refund.settled_currency)


def owe(session: Session, actor: Actor, refund: Refund) -> None:
    """Stripe cannot bring it back: out of the funds, or out of flight, into what finance pays by hand."""
    before = _funds(refund) if refund.state is RefundState.PREPARED else _in_flight(refund)
    move(refund, RefundState.OWED)
    refund.retry_at = None
    lines = [(before, refund.amount), (_payable(refund), -refund.amount)]
    _post(session, actor, refund, "owed", lines, _("To be paid back by hand"))


def call_off(session: Session, actor: Actor, refund: Refund) -> None:
    """Nothing left: it is free in the project again, and pays what is owed of that."""
    before = _payable(refund) if refund.state is RefundState.OWED else _in_flight(refund)
    move(refund, RefundState.CANCELLED)
    refund.retry_at = None
    lines = [(before, refund.amount), (_funds(refund), -refund.amount)]
    _post(session, actor, refund, "called_off", lines, _("A refund was called off"))
    session.flush()
    debts.settle(session, refund.project)


def paid_out(session: Session, actor: Actor, refund: Refund) -> None:
    """It left the bank."""
    move(refund, RefundState.PAID_OUT)
    lines = [(_payable(refund), refund.amount), (chart.bank_client(), -refund.amount)]
    _post(session, actor, refund, "paid_out", lines, _("Paid back to the client by hand"))


def tell(session: Session, refund: Refund) -> None:
    """The client learns where it is."""
    tell_client(
        session,
        refund.project.organization_id,
        "refund",
        f"/projects/{refund.project.public_id}/end",
        lambda: (
            _("A refund of %(amount)s for %(project)s", amount=refund.money, project=refund.project.name),
            words.state(refund.state),
        ),
    )


def _post(
    session: Session,
    actor: Actor,
    refund: Refund,
    event: str,
    lines: list[tuple[chart.Account, int]],
    memo: str,
    currency: str | None = None,
) -> None:
    """One entry of a refund, in its own currency or another; finding it again posts nothing."""
    ledger.post(
        session,
        actor,
        source=f"refund:{refund.public_id}",
        event=event,
        currency=currency or refund.currency,
        lines=lines,
        occurred_at=clock.now(),
        memo=memo,
    )


def _record(session: Session, refund: Refund, event: str) -> None:
    audit.record(
        session, SITE, event, "refund", refund.public_id, stripe=refund.stripe_id, amount=refund.amount
    )


def _funds(refund: Refund) -> chart.Account:
    return chart.project_funds(refund.project.public_id)


def _in_flight(refund: Refund) -> chart.Account:
    return chart.refunds_in_flight(refund.project.public_id)


def _payable(refund: Refund) -> chart.Account:
    return chart.client_refunds(refund.project.public_id)
