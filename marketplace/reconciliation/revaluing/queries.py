"""Reading rates, revaluations, and what a month's end makes of the books."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import settings
from marketplace.contracts.states import OfferState
from marketplace.errors import NotFound, Refused
from marketplace.i18n import day as said
from marketplace.i18n import gettext as _
from marketplace.ledger import periods
from marketplace.ledger.models import JournalEntry, LedgerAccount, Period, Posting
from marketplace.ledger.states import PeriodState
from marketplace.reconciliation.revaluing import figures
from marketplace.reconciliation.revaluing.figures import Figures, Rate
from marketplace.reconciliation.revaluing.models import ExchangeRate, Revaluation, RevaluationLine

# A month's end is valued at a rate of its last days: banks and offices publish none on some of them.
FRESH = timedelta(days=7)

Moves = dict[str, list[tuple[date, int]]]
_HELD = sa.and_(LedgerAccount.code.op("~")("^[12]"), LedgerAccount.code != "1290")


def books_currency() -> str:
    """The currency that the books report in."""
    return settings.current().books_currency


def month_end(
    session: Session,
    month: date,
    *,
    up_to: int | None = None,
    decided: datetime | None = None,
    before: int | None = None,
) -> list[Figures]:
    """Each other currency that was held or owed by the month's end, by its code, with what is left to book.

    As the journal was up to entry `up_to`, with rates accepted by `decided` and the revaluations of the month
    that came before the one with internal id `before`; without these, as of now. Raises Refused, naming the
    day, where a rate is missing.
    """
    last = periods.last_day(month)
    rates = accepted(session, decided)
    booked = _booked(session, month, before)
    return [
        _of(currency, moves, rates.get(currency, []), last, booked.get(currency, 0))
        for currency, moves in moved(session, last, up_to).items()
    ]


def moved(session: Session, last: date, up_to: int | None = None) -> Moves:
    """What each currency's position moved by, day by day of the books, until `last`."""
    query = (
        sa.select(Posting.currency, JournalEntry.booked_on, sa.func.sum(Posting.amount))
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(LedgerAccount.currency != books_currency(), _HELD, JournalEntry.booked_on <= last)
        .group_by(Posting.currency, JournalEntry.booked_on)
        .order_by(Posting.currency, JournalEntry.booked_on)
    )
    if up_to is not None:
        query = query.where(JournalEntry.id <= up_to)
    found: Moves = {}
    for currency, on, amount in session.execute(query):
        found.setdefault(currency, []).append((on, int(amount)))
    return found


def accounts(session: Session, currency: str, last: date, up_to: int | None) -> list[tuple[str, int]]:
    """The codes that make the position at the end of day `last`, with their balances, debit positive."""
    query = (
        sa.select(LedgerAccount.code, sa.func.sum(Posting.amount))
        .join(Posting, Posting.account_id == LedgerAccount.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(LedgerAccount.currency == currency, _HELD, JournalEntry.booked_on <= last)
        .group_by(LedgerAccount.code)
        .having(sa.func.sum(Posting.amount) != 0)
        .order_by(LedgerAccount.code)
    )
    if up_to is not None:
        query = query.where(JournalEntry.id <= up_to)
    return [(code, int(amount)) for code, amount in session.execute(query)]


def accepted(session: Session, by: datetime | None = None) -> dict[str, list[Rate]]:
    """The rates that count, by currency, in the order of their days; those accepted by a moment."""
    query = sa.select(ExchangeRate).filter_by(state=OfferState.ACCEPTED, to_currency=books_currency())
    if by is not None:
        query = query.where(ExchangeRate.decided_at <= by)
    found: dict[str, list[Rate]] = {}
    for each in session.scalars(
        query.order_by(ExchangeRate.from_on, ExchangeRate.decided_at, ExchangeRate.id)
    ):
        found.setdefault(each.currency, []).append(Rate(each.id, each.rate, each.from_on))
    return found


def every_rate(session: Session) -> Sequence[ExchangeRate]:
    """All rates, by currency, the newest day first."""
    return session.scalars(
        sa.select(ExchangeRate)
        .options(joinedload(ExchangeRate.maker), joinedload(ExchangeRate.decider))
        .order_by(ExchangeRate.currency, ExchangeRate.from_on.desc(), ExchangeRate.id.desc())
    ).all()


def rate(session: Session, public_id: uuid.UUID) -> ExchangeRate:
    """One rate, locked. Raises NotFound."""
    query = sa.select(ExchangeRate).filter_by(public_id=public_id).with_for_update()
    if (found := session.scalars(query).one_or_none()) is None:
        raise NotFound(_("There is no such rate."))
    return found


def revaluations(session: Session) -> Sequence[Revaluation]:
    """All, the last month first, with their lines."""
    return session.scalars(
        sa.select(Revaluation)
        .options(
            selectinload(Revaluation.lines), joinedload(Revaluation.maker), joinedload(Revaluation.decider)
        )
        .order_by(Revaluation.month.desc(), Revaluation.id.desc())
    ).all()


def revaluation(session: Session, public_id: uuid.UUID, *, lock: bool = False) -> Revaluation:
    """One. Raises NotFound."""
    query = sa.select(Revaluation).filter_by(public_id=public_id)
    found = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFound(_("There is no such revaluation."))
    return found


def behind(session: Session, made: Revaluation) -> dict[str, Figures]:
    """How each line came about: of one that is booked as it was then, of others as it would be now. Empty
    where a rate is missing by now."""
    try:
        found = month_end(
            session, made.month, up_to=made.up_to, decided=made.decided_at if made.up_to else None,
            before=made.id,
        )  # fmt: skip
    except Refused:
        return {}
    return {each.currency: each for each in found}


def to_revalue(session: Session, today: date) -> Sequence[date]:
    """The months that are over and open, the last first."""
    query = sa.select(Period.month).where(
        Period.state == PeriodState.OPEN, Period.month < today.replace(day=1)
    )
    return session.scalars(query.order_by(Period.month.desc())).all()


def _of(currency: str, moves: list[tuple[date, int]], rates: list[Rate], last: date, booked: int) -> Figures:
    try:
        steps = figures.steps(rates, moves, currency, books_currency())
    except LookupError as missing:
        raise Refused(
            _(
                "No rate of %(currency)s counts on %(day)s. Give the one of that day or of one before.",
                currency=currency,
                day=said(missing.args[0]),
            )
        ) from None
    position = steps[-1].position
    closing = figures.in_force(rates, last) or steps[-1].rate
    if position and closing.from_on <= last - FRESH:
        raise Refused(
            _(
                "Give the rate of %(currency)s at the month’s end: the last one is of %(day)s.",
                currency=currency,
                day=said(closing.from_on),
            )
        )
    value = position * figures.worth_of_one(closing.rate, currency, books_currency())
    return Figures(
        currency,
        closing,
        steps,
        position,
        figures.rounded(steps[-1].stood_at),
        figures.rounded(value),
        booked,
    )


def _booked(session: Session, month: date, before: int | None) -> dict[str, int]:
    query = (
        sa.select(RevaluationLine.currency, sa.func.sum(RevaluationLine.amount))
        .join(RevaluationLine.revaluation)
        .where(Revaluation.month == month, Revaluation.state == OfferState.ACCEPTED)
        .group_by(RevaluationLine.currency)
    )
    if before is not None:
        query = query.where(Revaluation.id < before)
    return {currency: int(amount) for currency, amount in session.execute(query)}
