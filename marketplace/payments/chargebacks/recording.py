"""A chargeback as Stripe has it becomes ours, only forward, whether a webhook or the poller comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.actor import SITE
from marketplace.db import new_id, use_case
from marketplace.i18n import gettext as _
from marketplace.payments import facts
from marketplace.payments.chargebacks import books, claims, telling
from marketplace.payments.chargebacks.models import OPEN, Chargeback, ChargebackMove
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import Funding
from marketplace.payments.rounds import Round
from marketplace.payments.states import CHARGEBACK, ChargebackState

# Stripe's word for each, as far as it goes. An inquiry asks, and has moved no money.
STATES: Mapping[str, ChargebackState] = {
    "warning_needs_response": ChargebackState.INQUIRY,
    "warning_under_review": ChargebackState.INQUIRY,
    "warning_closed": ChargebackState.CLOSED,
    "prevented": ChargebackState.CLOSED,
    "needs_response": ChargebackState.NEEDS_RESPONSE,
    "under_review": ChargebackState.UNDER_REVIEW,
    "won": ChargebackState.WON,
    "lost": ChargebackState.LOST,
}
# A bank decides within about two months, and may change its mind for a while.
LOOK_BACK = timedelta(days=120)
LOOK_AGAIN = timedelta(hours=1)


def track_chargeback(session: Session, gateway: Gateway, stripe_id: str) -> None:
    """Fetch one and record it. Raises NotHereYet when it is about no payment of ours."""
    session.rollback()
    record(session, gateway.dispute(stripe_id))


def track_chargebacks(session: Session, gateway: Gateway) -> int:
    """Find what no webhook told of, and look again at what is open; how many were looked at."""
    session.rollback()
    listed: list[facts.Dispute] = []
    turn = Round(session, gateway)
    with turn.one("disputes"):
        listed = gateway.disputes(clock.now() - LOOK_BACK)
    seen = 0
    for found in listed:
        with turn.one(found.id):
            record(session, found)
            seen += 1
    for stripe_id in turn.over(_not_looked_at(session)):
        with turn.one(stripe_id):
            track_chargeback(session, gateway, stripe_id)
            seen += 1
    return seen


def set_more_aside(session: Session) -> int:
    """Set aside what came free in the projects of open chargebacks, and recover what was lost; how many were
    looked at. Asks nobody."""
    claims.recover_all(session)
    open_ones = sa.select(Chargeback.id).where(Chargeback.state.in_(OPEN)).order_by(Chargeback.id)
    return jobs.one_by_one(session, _set_more_aside, session.scalars(open_ones).all())


@use_case
def _set_more_aside(session: Session, chargeback_id: int) -> bool:
    query = sa.select(Chargeback).filter_by(id=chargeback_id).with_for_update(of=Chargeback)
    chargeback = session.scalars(query.execution_options(populate_existing=True)).one()
    if chargeback.is_open and not chargeback.trouble:
        books.follow(session, chargeback, chargeback.state)
    return chargeback.is_open


@use_case
def record(session: Session, found: facts.Dispute) -> Chargeback:
    """Book what moved and follow the state, once for however many events. Raises NotHereYet."""
    chargeback, new = _held(session, found)
    chargeback.looked_at = clock.now()
    chargeback.trouble = _trouble(chargeback, found)
    if chargeback.trouble:
        return chargeback
    before, had = chargeback.state, bool(chargeback.moves)
    booked = books.book_moves(session, chargeback, found.moves)
    if STATES.get(found.status) is ChargebackState.WON and books.is_converted(chargeback):
        _came_back(session, chargeback)
    to = _target(chargeback, found)
    if to is not None:
        chargeback.stripe_status, chargeback.reason = found.status, found.reason
        chargeback.amount, chargeback.due_by = found.amount, found.due_by
    to = to or before
    # Of an open one, money that came free meanwhile is set aside too; a decided one stays as it was booked.
    if booked or to is not before or to in OPEN:
        books.follow(session, chargeback, to)
    left_now = bool(chargeback.moves) and not had
    if new or to is not before or left_now:
        audit.record(
            session, SITE, "follow", "chargeback", chargeback.public_id,
            state=to.value, contested=chargeback.contested, held=chargeback.held, loss=chargeback.loss,
        )  # fmt: skip
        telling.tell(session, chargeback, left_now=left_now)
    return chargeback


def _held(session: Session, found: facts.Dispute) -> tuple[Chargeback, bool]:
    """Its row, locked and read anew, and whether it is new."""
    lot = session.scalars(sa.select(Funding.id).filter_by(charge=found.charge)).one_or_none()
    if lot is None:
        raise NotHereYet(_("No payment here belongs to the chargeback %(id)s.", id=found.id))
    new = session.scalar(
        insert(Chargeback)
        .values(
            public_id=new_id(), funding_id=lot, stripe_id=found.id, state=ChargebackState.INQUIRY,
            stripe_status=found.status, reason=found.reason, amount=found.amount, currency=found.currency,
            opened_at=found.created_at, due_by=found.due_by, looked_at=clock.now(),
            held=0, from_funds=0, loss=0, settled=0, holds=0,
        )
        .on_conflict_do_nothing(index_elements=["stripe_id"])
        .returning(Chargeback.id)
    )  # fmt: skip
    query = sa.select(Chargeback).filter_by(stripe_id=found.id).with_for_update(of=Chargeback)
    return session.scalars(query.execution_options(populate_existing=True)).one(), new is not None


def _trouble(chargeback: Chargeback, found: facts.Dispute) -> str | None:
    """Why nothing is booked of it: more came back than left, or it moved two currencies."""
    moved: dict[str, facts.BalanceTransaction | ChargebackMove] = {
        each.balance_transaction: each for each in chargeback.moves
    }
    moved |= {each.id: each for each in found.moves}
    if sum(each.amount for each in moved.values()) > 0 and not _may_be_more(moved.values(), found):
        return "positive_sum"
    return "two_currencies" if len({each.currency for each in moved.values()}) > 1 else None


def _may_be_more(moved: Iterable[facts.BalanceTransaction | ChargebackMove], found: facts.Dispute) -> bool:
    """What was won comes back at the rate of that day, where Stripe changes currencies."""
    return STATES.get(found.status) is ChargebackState.WON and all(
        each.currency != found.currency for each in moved
    )


def _came_back(session: Session, chargeback: Chargeback) -> None:
    """A won one that moved another currency is whole once something came back of all that left."""
    left = [each for each in chargeback.moves if each.amount < 0]
    back = [each for each in chargeback.moves if each.amount > 0]
    if len(back) == len(left):
        books.book_exchange(session, chargeback)


def _target(chargeback: Chargeback, found: facts.Dispute) -> ChargebackState | None:
    """Where it goes; None for what is older than what we know. It is won once the money is back, and lost
    after that only when the money is away again; what moved money is no inquiry."""
    to, away = STATES.get(found.status, chargeback.state), bool(chargeback.contested)
    if to is ChargebackState.WON and away:
        to = ChargebackState.UNDER_REVIEW
    if to in (ChargebackState.INQUIRY, ChargebackState.CLOSED) and away:
        to = ChargebackState.NEEDS_RESPONSE
    if chargeback.state is ChargebackState.WON and to is ChargebackState.LOST and not away:
        return None
    return to if to is chargeback.state or to in CHARGEBACK[chargeback.state] else None


def _not_looked_at(session: Session) -> list[str]:
    """The open ones that were opened so long ago that the list does not have them."""
    query = sa.select(Chargeback.stripe_id).where(
        Chargeback.state.in_(OPEN), Chargeback.looked_at <= clock.now() - LOOK_AGAIN
    )
    found = list(session.scalars(query.order_by(Chargeback.looked_at).limit(100)))
    session.rollback()
    return found
