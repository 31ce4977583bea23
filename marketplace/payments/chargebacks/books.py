"""What becomes of a chargeback's money in the books. All of it needs the chargeback's row held.

What left our balance is under contest (1210). What is free of the project, up to what the payment brought
it, is set aside (2015), where nothing can reserve or refund it. Once the payment is lost, that and what is
free by then pays for it; the rest was spent, and is our loss (5040).
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE
from marketplace.gigs import projection
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.payments import facts
from marketplace.payments.chargebacks import claims
from marketplace.payments.chargebacks.models import OPEN, Chargeback, ChargebackMove
from marketplace.payments.debts import books as debts
from marketplace.payments.models import Funding
from marketplace.payments.refunds.models import NOT_BOOKED, Refund
from marketplace.payments.states import ChargebackState, FundingState, move


def source(chargeback: Chargeback) -> str:
    """How the journal names it."""
    return f"chargeback:{chargeback.public_id}"


def book_moves(session: Session, chargeback: Chargeback, moves: Iterable[facts.BalanceTransaction]) -> int:
    """Book what Stripe moved and is not booked yet, each balance transaction once; how many."""
    known = {each.balance_transaction for each in chargeback.moves}
    new = [each for each in moves if each.id not in known]
    for each in sorted(new, key=lambda each: (each.created_at, each.id)):
        chargeback.moves.append(
            ChargebackMove(
                balance_transaction=each.id, amount=each.amount, fee=each.fee, net=each.net,
                currency=each.currency, at=each.created_at,
            )
        )  # fmt: skip
        lines = [
            (chart.contested(chargeback.public_id), -each.amount),
            (chart.chargeback_fees(), each.fee),
            (chart.stripe_balance(), each.net),
        ]
        left = each.amount <= 0
        memo = _("Taken back by the client’s bank") if left else _("Given back by the client’s bank")
        event = f"{'withdrawn' if left else 'reinstated'} {each.id}"
        _post(session, chargeback, event, each.currency, lines, memo)
    session.flush()
    return len(new)


def is_converted(chargeback: Chargeback) -> bool:
    """Did it move another currency than the bank contests?"""
    return bool(chargeback.moves) and _currency(chargeback) != chargeback.currency


def book_exchange(session: Session, chargeback: Chargeback) -> None:
    """All came back, at the rate of another day: what is more or less than left is a gain or loss (6010)."""
    rest = chargeback.contested
    if not rest:
        return
    chargeback.exchanged += rest
    lines = [(chart.contested(chargeback.public_id), -rest), (chart.currency_realised(), rest)]
    memo = _("Given back at another rate")
    _post(session, chargeback, f"exchanged {chargeback.moves[-1].id}", _currency(chargeback), lines, memo)


def follow(session: Session, chargeback: Chargeback, to: ChargebackState) -> None:
    """Go to that state, with the money that belongs to it: set aside while it is open, paid for when it is
    lost, free again otherwise."""
    lot, now = chargeback.funding, clock.now()
    free = free_funds(session, lot)
    with session.no_autoflush:
        if to is ChargebackState.LOST:
            free = _pay_for(session, chargeback, free)
        else:
            _give_back(session, chargeback, chargeback.from_funds + chargeback.loss)
        wanted = min(chargeback.contested, room(session, lot, chargeback)) if to in OPEN else 0
        _set_aside(session, chargeback, wanted, free)
        if to is not chargeback.state:
            move(chargeback, to)
        decided = to in (ChargebackState.WON, ChargebackState.LOST)
        chargeback.decided_at = (chargeback.decided_at or now) if decided else None
    session.flush()
    debts.settle(session, lot.project)
    projection.push_project(session, lot.project_id)


def free_funds(session: Session, lot: Funding) -> int:
    """Minor units that nothing reserves in the lot's project, kept so until the transaction ends; none of one
    that works on credit. What the bank did is booked whatever is there."""
    funds = chart.project_funds(lot.project.public_id)
    ledger.hold(session, [funds], lot.currency)
    return max(0, -ledger.balance(session, funds, lot.currency))


def room(session: Session, lot: Funding, besides: Chargeback | None = None) -> int:
    """What the project may still have to give for a lot, in minor units: what it brought, less what went back
    of it and what other chargebacks take. Fees that the client bore never were the project's."""
    back = sa.select(sa.func.coalesce(sa.func.sum(Refund.amount), 0)).where(
        Refund.funding_id == lot.id, Refund.state.not_in(NOT_BOOKED)
    )
    taken = sa.select(sa.func.coalesce(sa.func.sum(Chargeback.held + Chargeback.from_funds), 0)).where(
        Chargeback.funding_id == lot.id, Chargeback.id != (besides.id if besides else 0)
    )
    if lot.state is not FundingState.PAID or (besides and _currency(besides) != lot.currency):
        return 0
    return max(0, (lot.net or 0) - int(session.scalar(back) or 0) - int(session.scalar(taken) or 0))


def _pay_for(session: Session, chargeback: Chargeback, free: int) -> int:
    """It is lost: what was set aside pays, then what is free, then we do. What is free afterwards."""
    owed = chargeback.contested - chargeback.from_funds - chargeback.loss
    if owed <= 0:
        _give_back(session, chargeback, -owed)
        return free
    left = room(session, chargeback.funding, chargeback) - chargeback.from_funds
    theirs = max(0, min(owed, left, chargeback.held + free))
    aside = min(theirs, chargeback.held)
    chargeback.settled += 1
    project = chargeback.funding.project.public_id
    lines = [
        (chart.set_aside(project), aside),
        (chart.project_funds(project), theirs - aside),
        (chart.chargeback_losses(), owed - theirs),
        (chart.contested(chargeback.public_id), -owed),
    ]
    memo = _("A payment was lost to the client’s bank")
    _post(session, chargeback, _numbered("lost", chargeback.settled), _currency(chargeback), lines, memo)
    chargeback.held -= aside
    chargeback.from_funds += theirs
    chargeback.loss += owed - theirs
    if _currency(chargeback) == chargeback.funding.currency:
        claims.keep(session, chargeback.funding, min(owed - theirs, max(0, left - theirs)), chargeback)
    return free - (theirs - aside)


def _give_back(session: Session, chargeback: Chargeback, back: int) -> None:
    """What was lost came back after all: to us what we lost, then to the project what it gave."""
    if back <= 0:
        return
    ours = min(back, chargeback.loss)
    chargeback.settled += 1
    lines = [
        (chart.contested(chargeback.public_id), back),
        (chart.chargeback_losses(), -ours),
        (chart.project_funds(chargeback.funding.project.public_id), ours - back),
    ]
    memo = _("What was lost came back")
    _post(session, chargeback, _numbered("regained", chargeback.settled), _currency(chargeback), lines, memo)
    chargeback.loss -= ours
    chargeback.from_funds -= back - ours
    claims.lessen(session, chargeback)


def _set_aside(session: Session, chargeback: Chargeback, wanted: int, free: int) -> None:
    """Hold so much, or as much of it as there is."""
    more = min(wanted - chargeback.held, free)
    if not more:
        return
    project = chargeback.funding.project.public_id
    chargeback.holds += 1
    _post(
        session,
        chargeback,
        _numbered("set_aside" if more > 0 else "set_free", chargeback.holds),
        chargeback.funding.currency,
        [(chart.project_funds(project), more), (chart.set_aside(project), -more)],
        _("Set aside while a payment is contested") if more > 0 else _("Free again"),
    )
    chargeback.held += more


def _currency(chargeback: Chargeback) -> str:
    """In which our balance moved, which need not be that of the dispute."""
    return chargeback.moves[0].currency if chargeback.moves else chargeback.funding.currency


def _numbered(event: str, number: int) -> str:
    return event if number == 1 else f"{event} {number}"


def _post(
    session: Session,
    chargeback: Chargeback,
    event: str,
    currency: str,
    lines: list[tuple[chart.Account, int]],
    memo: str,
) -> None:
    """One entry; finding it again posts nothing."""
    if any(amount for _account, amount in lines):
        ledger.post(
            session, SITE, source=source(chargeback), event=event, currency=currency, lines=lines,
            occurred_at=clock.now(), memo=memo,
        )  # fmt: skip
