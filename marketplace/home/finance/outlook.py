"""The forecast of each currency from what is on record, and the top-up that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.home.finance import business_days
from marketplace.home.finance.flows import flows
from marketplace.home.finance.forecast import DAYS, Flow, Forecast, TopUpNeeded, lay_out
from marketplace.home.finance.rows import TOP_UP_DAYS
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.payments.models import Funding, TopUp
from marketplace.payments.states import FundingState, Rail, TopUpState
from marketplace.reconciliation.models import StripeFunds
from marketplace.settings import current


@dataclass(frozen=True)
class Outlook:
    """The next ten business days of one currency. `announced` is by rail what clients said they would pay,
    and nobody has seen yet: it counts nowhere."""

    forecast: Forecast
    top_up: TopUpNeeded | None
    announced: Sequence[tuple[Rail, int, Money]]


def outlooks(session: Session, books_currency: str) -> list[Outlook]:
    """One for each currency in which anything lies at Stripe or moves, the books' first."""
    days = next_days(session)
    opening = _opening(session)
    moving = flows(session, days[-1])
    named = {*opening, *(flow.currency for flow in moving)}
    found = sorted({books_currency, *named}, key=lambda each: (each != books_currency, each))
    return [_outlook(session, currency, opening.get(currency, {}), moving, days) for currency in found]


def next_days(session: Session) -> list[date]:
    """Today, if it is a business day of the place, and those after it: ten together."""
    today = clock.today(str(current().books_zone))
    return business_days.following(session, today, DAYS)


def _outlook(
    session: Session, currency: str, opening: dict[str, int], moving: Sequence[Flow], days: Sequence[date]
) -> Outlook:
    mine = [flow for flow in moving if flow.currency == currency]
    found = lay_out(currency, opening, mine, days)
    return Outlook(found, _top_up(session, found), _announced(session, currency))


def _top_up(session: Session, found: Forecast) -> TopUpNeeded | None:
    if found.short_on is None:
        return None
    at_bank = ledger.balance(session, chart.bank_client(), found.currency)
    prepared = sa.select(TopUp).filter_by(currency=found.currency, state=TopUpState.PREPARED)
    return TopUpNeeded(
        Money(found.short, found.currency),
        found.short_on,
        max(found.days[0].day, business_days.before(session, found.short_on, TOP_UP_DAYS)),
        Money(at_bank, found.currency),
        session.scalars(prepared.order_by(TopUp.id).limit(1)).first(),
    )


def _opening(session: Session) -> dict[str, dict[str, int]]:
    """What Stripe had available when it was last asked, by currency and source type."""
    opening: dict[str, dict[str, int]] = {}
    for each in session.scalars(sa.select(StripeFunds)):
        opening.setdefault(each.currency, {})[each.source_type] = each.available
    return opening


def _announced(session: Session, currency: str) -> list[tuple[Rail, int, Money]]:
    """Wires asked for, and bank transfers that Stripe has not received: how many, and how much."""
    expected = (FundingState.OPEN, FundingState.PROCESSING)
    rows = session.execute(
        sa.select(Funding.rail, sa.func.count(), sa.func.sum(Funding.charge_amount))
        .where(
            Funding.currency == currency,
            Funding.rail.in_((Rail.WIRE, Rail.BANK_TRANSFER)),
            Funding.state.in_(expected),
            Funding.balance_transaction.is_(None),
        )
        .group_by(Funding.rail)
        .order_by(Funding.rail)
    )
    return [(rail, count, Money(int(amount), currency)) for rail, count, amount in rows]
