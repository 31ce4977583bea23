"""Revaluing a month: one person prepares it line by line, another books it, and day one takes it back.

In the books' currency a gain is Dr 1290, Cr 6020, and a loss the other way round, on the month's last day.
1290 is where the other currencies meet the books' own, so the accounts of clients and experts stay as they
are. The entry that takes it back is written with it, so that none can stay: it is of the next day one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger, settings
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.db import use_case
from marketplace.errors import NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart, periods
from marketplace.ledger.models import JournalEntry, Period
from marketplace.ledger.states import PeriodState
from marketplace.reconciliation.revaluing import queries, rates
from marketplace.reconciliation.revaluing.figures import Figures
from marketplace.reconciliation.revaluing.models import Revaluation, RevaluationLine

REVALUED, TAKEN_BACK = "revalued", "revalued_back"


@use_case
def prepare(session: Session, actor: Actor, month: date) -> Revaluation:
    """Work out what the month's end makes of every other currency, for a colleague to book.

    Raises Refused while the month runs or is not open, when a rate is missing, when one waits already, or
    when nothing is left to book.
    """
    actor.require(*FINANCE)
    rates.lock(session)
    _require_over_and_open(session, month)
    if session.scalars(sa.select(Revaluation.id).filter_by(month=month, state=OfferState.MADE)).first():
        raise Refused(_("A revaluation of this month waits for a second person. Decide about it first."))
    found = _to_book(session, month)
    if not any(each.amount for each in found):
        raise Refused(_("Nothing is left to book: the books stand at the month’s rates."))
    made = Revaluation(
        month=month,
        currency=queries.books_currency(),
        state=OfferState.MADE,
        made_by=actor.id,
        made_at=clock.now(),
        lines=[_line(each) for each in found],
    )
    session.add(made)
    session.flush()
    audit.record(session, actor, "revaluation.prepared", "revaluation", made.public_id, month=month)
    return made


@use_case
def book(session: Session, actor: Actor, public_id: uuid.UUID) -> Revaluation:
    """Book it and what takes it back, as a second person with a fresh second factor.

    Raises NotAllowed for one's own; Refused when the month is not open any more, or when something was booked
    or a rate accepted since, so that it would be another amount.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    rates.lock(session)
    # Whoever is booking is waited for, so the journal up to its last entry is all there is.
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(periods.CALENDAR_LOCK)))
    made = queries.revaluation(session, public_id, lock=True)
    if made.made_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to book it. Ask a colleague."))
    _require_over_and_open(session, made.month)
    up_to = session.scalar(sa.select(sa.func.max(JournalEntry.id)))
    prepared = [_figures(line) for line in made.lines]
    anew = [_figures(_line(each)) for each in _to_book(session, made.month)]
    move(made, OfferState.ACCEPTED, OFFER_MOVES)
    if prepared != anew:
        raise Refused(
            _("The books or the rates have changed since this was prepared. Refuse it, and prepare another.")
        )
    made.up_to, made.decided_by, made.decided_at = up_to, actor.id, clock.now()
    session.flush()
    _post(session, actor, made)
    audit.record(session, actor, "revaluation.booked", "revaluation", made.public_id, amount=made.gain.amount)
    return made


@use_case
def decline(session: Session, actor: Actor, public_id: uuid.UUID) -> Revaluation:
    """Say no to what a colleague prepared, or take back one's own. Nothing is booked."""
    actor.require(*FINANCE)
    made = queries.revaluation(session, public_id, lock=True)
    own = made.made_by == actor.id
    move(made, OfferState.WITHDRAWN if own else OfferState.DECLINED, OFFER_MOVES)
    made.decided_by, made.decided_at = actor.id, clock.now()
    session.flush()
    audit.record(session, actor, f"revaluation.{made.state}", "revaluation", made.public_id)
    return made


def is_revalued(session: Session, month: date) -> Iterable[str]:
    """What is left to do before the month closes, in a sentence."""
    try:
        left = any(each.amount for each in queries.month_end(session, month))
    except Refused as missing:
        yield missing.sentence
        return
    if left:
        yield _("What is held and owed in other currencies is not at the month’s rates. Open it and revalue.")


def can_be_prepared(session: Session, month: date) -> bool:
    """Is a rate there for every day, and something to book?"""
    try:
        return any(each.amount for each in queries.month_end(session, month))
    except Refused:
        return False


def lines(amounts: Sequence[int]) -> list[tuple[chart.Account, int]]:
    """The postings of gains, or below zero of losses: each on both accounts."""
    both = [
        ((chart.currency_clearing(), each), (chart.currency_unrealised(), -each)) for each in amounts if each
    ]
    return [posting for pair in both for posting in pair]


def _post(session: Session, actor: Actor, made: Revaluation) -> None:
    postings = lines([line.amount for line in made.lines])
    end = _noon(periods.last_day(made.month))
    entry = NewEntry(made.source, REVALUED, made.currency, postings, end, _("Revalued at the month’s end"))
    [booked] = ledger.post_many(session, actor, [entry])
    back = NewEntry(
        made.source, TAKEN_BACK, made.currency, [(account, -amount) for account, amount in postings],
        end + timedelta(days=1), _("Revaluation of the month before, taken back"), booked.id,
    )  # fmt: skip
    ledger.post_many(session, actor, [back])


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), settings.current().books_zone)


def _to_book(session: Session, month: date) -> list[Figures]:
    return [each for each in queries.month_end(session, month) if each.position or each.amount]


def _line(found: Figures) -> RevaluationLine:
    return RevaluationLine(
        currency=found.currency,
        rate_id=found.rate.id,
        position=found.position,
        stood_at=found.stood_at,
        value=found.value,
        booked_before=found.booked_before,
        amount=found.amount,
    )


def _figures(line: RevaluationLine) -> tuple[str, int, int, int, int, int]:
    return line.currency, line.rate_id, line.position, line.stood_at, line.value, line.booked_before


def _require_over_and_open(session: Session, month: date) -> None:
    if periods.day_of(clock.now()) < periods.next_month(month):
        raise Refused(_("The month is not over yet. Revalue it when it is."))
    shut = sa.select(sa.func.max(Period.month)).where(Period.state != PeriodState.OPEN)
    last = session.scalar(shut)
    if last is not None and month <= last:
        raise Refused(_("The month is on hold or closed, so nothing can be booked in it. Open it first."))
