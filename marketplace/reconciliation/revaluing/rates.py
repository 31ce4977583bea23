"""Rates of exchange: one person of finance writes one down with its source, another accepts it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, money
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import periods
from marketplace.ledger.models import Period
from marketplace.ledger.states import PeriodState
from marketplace.reconciliation.revaluing import figures, queries
from marketplace.reconciliation.revaluing.models import ExchangeRate
from marketplace.text import paragraph

SHORTEST_SOURCE = 10
PLACES = 10
LARGEST = Decimal(1_000_000)
# Whoever accepts a rate or books with rates holds this until the transaction ends.
LOCK = 700_731


@dataclass(frozen=True)
class ExchangeDraft:
    """`rate` is what one whole unit of `currency` is worth in the books' currency from day `from_on` on."""

    currency: str
    rate: Decimal
    from_on: date
    source: str


@use_case
def propose_exchange_rate(session: Session, actor: Actor, draft: ExchangeDraft) -> ExchangeRate:
    """Write down a rate that counts once somebody else has accepted it.

    Raises Invalid for a currency, rate, day or source that cannot be; Refused when one of the currency and
    the day waits already, or for a closed month that has its rate.
    """
    actor.require(*FINANCE)
    lock(session)
    rate = ExchangeRate(
        currency=draft.currency,
        to_currency=queries.books_currency(),
        rate=draft.rate,
        from_on=draft.from_on,
        source=paragraph(draft.source),
        state=OfferState.MADE,
        made_by=actor.id,
        made_at=clock.now(),
    )
    _check(session, rate)
    waits = sa.select(ExchangeRate.id).filter_by(
        currency=rate.currency, from_on=rate.from_on, state=OfferState.MADE
    )
    if session.scalars(waits).first() is not None:
        raise Refused(_("A rate of this currency and day waits for a second person. Decide about it first."))
    session.add(rate)
    session.flush()
    audit.record(
        session, actor, "exchange_rate.proposed", "exchange_rate", rate.public_id,
        currency=rate.currency, rate=str(rate.rate), from_on=rate.from_on,
    )  # fmt: skip
    return rate


@use_case
def accept_exchange_rate(session: Session, actor: Actor, public_id: uuid.UUID) -> ExchangeRate:
    """Let it count, as a second person with a fresh second factor. What was booked before stays as it is.

    Raises NotAllowed for one's own; Refused when its month was closed meanwhile.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    lock(session)
    rate = queries.rate(session, public_id)
    if rate.made_by == actor.id:
        raise NotAllowed(_("You wrote this rate down, so somebody else has to accept it. Ask a colleague."))
    _check(session, rate)
    _decide(session, actor, rate, OfferState.ACCEPTED)
    return rate


@use_case
def decline_exchange_rate(session: Session, actor: Actor, public_id: uuid.UUID) -> ExchangeRate:
    """Say no to what a colleague wrote down, or take back one's own. Nothing changes."""
    actor.require(*FINANCE)
    rate = queries.rate(session, public_id)
    own = rate.made_by == actor.id
    _decide(session, actor, rate, OfferState.WITHDRAWN if own else OfferState.DECLINED)
    return rate


def lock(session: Session) -> None:
    """Let no rate be accepted and no month be revalued by others until this transaction ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def currencies() -> list[str]:
    """The currencies that a rate can be of."""
    return [each for each in money.currencies() if each != queries.books_currency()]


def _check(session: Session, rate: ExchangeRate) -> None:
    if rate.currency not in currencies():
        raise Invalid(_("Choose a currency that the books can hold."), field="currency")
    if not (rate.rate.is_finite() and 0 < rate.rate < LARGEST):
        raise Invalid(_("Write the rate in digits, for example 1.0825."), field="rate")
    if rate.rate != round(rate.rate, PLACES):
        raise Invalid(_("Use at most %(places)d decimal places.", places=PLACES), field="rate")
    if len(rate.source) < SHORTEST_SOURCE:
        raise Invalid(_("Say where the rate was read, so that it can be looked up."), field="source")
    if rate.from_on > periods.day_of(clock.now()):
        raise Invalid(
            _("Nobody knows the rate of a day to come. Choose today or an earlier day."), field="from_on"
        )
    _leave_closed_months(session, rate)


def _leave_closed_months(session: Session, rate: ExchangeRate) -> None:
    """What a closed month was valued at stays; a currency that had no rate then may still get one."""
    closed = sa.select(Period.id).filter_by(month=rate.from_on.replace(day=1), state=PeriodState.CLOSED)
    with session.no_autoflush:
        known = queries.accepted(session).get(rate.currency, [])
        if figures.in_force(known, rate.from_on) and session.scalars(closed).first() is not None:
            raise Refused(_("The month of that day is closed, and its rates stay. Choose a later day."))


def _decide(session: Session, actor: Actor, rate: ExchangeRate, to: OfferState) -> None:
    move(rate, to, OFFER_MOVES)
    rate.decided_by, rate.decided_at = actor.id, clock.now()
    session.flush()
    audit.record(session, actor, f"exchange_rate.{to}", "exchange_rate", rate.public_id)
