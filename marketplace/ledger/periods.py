"""Months of the books: opened by what happens in them, put on hold by one person, closed by another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, settings
from marketplace.actor import FINANCE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import NotAllowed, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger.models import Period
from marketplace.ledger.states import PeriodState, Step, move
from marketplace.proof import Proof

# The number that the database's own functions lock as well: those who book share it.
CALENDAR_LOCK = 700_701

# What must hold before a month is closed. Slices above the ledger add their own.
before_close: list[Proof] = []
# What people must have done before a month is closed: each says in sentences what is left to do.
asked_before_close: list[Callable[[Session, date], Iterable[str]]] = []


def day_of(moment: datetime) -> date:
    """The day of the books in which a UTC moment lies (`MARKETPLACE_BOOKS_ZONE`)."""
    return moment.astimezone(settings.current().books_zone).date()


@use_case
def hold(session: Session, actor: Actor, month: date) -> Period:
    """Prepare a month for closing: from now on what happened in it is booked in the next one.

    Raises Refused while the month still runs, or while an earlier one is open.
    """
    actor.require(*FINANCE)
    period = _locked(session, month)
    if day_of(clock.now()) < next_month(month):
        raise Refused(_("%(month)s is not over yet. Hold it when it is.", month=_said(month)))
    if earlier := _earliest_before(session, month, PeriodState.OPEN):
        raise Refused(_("%(month)s is still open. Hold that one first.", month=_said(earlier)))
    move(period, PeriodState.HOLD)
    period.prepared_by, period.prepared_at = actor.id, clock.now()
    audit.record(session, actor, "held", "period", period.public_id, month=month)
    return period


@use_case
def open_period(session: Session, actor: Actor, month: date) -> Period:
    """Take a month off hold, so that what happens in it is booked in it again."""
    actor.require(*FINANCE)
    period = _locked(session, month)
    if later := _latest_shut_after(session, month):
        raise Refused(_("%(month)s is on hold or closed. Open that one first.", month=_said(later)))
    move(period, PeriodState.OPEN)
    period.prepared_by = period.prepared_at = None
    audit.record(session, actor, "opened", "period", period.public_id, month=month)
    return period


def close(session: Session, actor: Actor, month: date) -> Period:
    """Close a month for good. Another person than who prepared it, with a fresh second factor.

    Raises Refused when an earlier month is not closed, when something is left to do, or when a proof does not
    hold, naming the first. All of that is asked before anything is locked: the proofs read all of the books,
    and a month on hold takes no more postings meanwhile.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    session.rollback()
    for sentence in left_to_do(session, month):
        raise Refused(sentence)
    _refuse_drift(session)
    return _close(session, actor, month)


@use_case
def _close(session: Session, actor: Actor, month: date) -> Period:
    period = _locked(session, month)
    if period.prepared_by == actor.id:
        raise NotAllowed(_("You prepared this month. Ask a colleague to close it."))
    if earlier := _earliest_before(session, month, PeriodState.OPEN, PeriodState.HOLD):
        raise Refused(_("%(month)s is not closed. Close that one first.", month=_said(earlier)))
    move(period, PeriodState.CLOSED)
    period.closed_by, period.closed_at = actor.id, clock.now()
    audit.record(session, actor, "closed", "period", period.public_id, month=month)
    return period


def left_to_do(session: Session, month: date) -> list[str]:
    """What has to be done before the month can be closed, in sentences."""
    return [sentence for ask in asked_before_close for sentence in ask(session, month)]


def periods(session: Session) -> list[Period]:
    """Every month of the books, newest first."""
    return list(session.scalars(sa.select(Period).order_by(Period.month.desc())))


def what_is_next(actor: Actor, period: Period, earlier: Sequence[Period]) -> Step:
    """What the actor can do about the month, whose earlier months are given, or why nothing."""
    if period.state == PeriodState.CLOSED:
        return Step.NOTHING
    if period.state == PeriodState.OPEN:
        if day_of(clock.now()) < next_month(period.month):
            return Step.RUNS
        return Step.EARLIER if any(each.state == PeriodState.OPEN for each in earlier) else Step.HOLD
    if not actor.has(Role.FINANCE_RELEASER) or period.prepared_by == actor.person_id:
        return Step.COLLEAGUE
    return Step.EARLIER if any(each.state != PeriodState.CLOSED for each in earlier) else Step.CLOSE


def month_of(text: str) -> date:
    """The first day of a month written as `2026-10`. Raises NotFound when it is not one."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise NotFound(_("There is no such month. Write it as 2026-10.")) from None


def next_month(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def last_day(month: date) -> date:
    """The last day of the month."""
    return next_month(month) - timedelta(days=1)


def _locked(session: Session, month: date) -> Period:
    """The month, once everything that is being booked is in and nothing new begins."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(CALENDAR_LOCK)))
    period = session.scalar(sa.select(Period).where(Period.month == month).with_for_update())
    if period is None:
        raise NotFound(_("Nothing was booked in %(month)s.", month=_said(month)))
    return period


def _earliest_before(session: Session, month: date, *states: PeriodState) -> date | None:
    return session.scalar(
        sa.select(sa.func.min(Period.month)).where(Period.month < month, Period.state.in_(states))
    )


def _latest_shut_after(session: Session, month: date) -> date | None:
    return session.scalar(
        sa.select(sa.func.max(Period.month)).where(Period.month > month, Period.state != PeriodState.OPEN)
    )


def _refuse_drift(session: Session) -> None:
    for proof in before_close:
        for drift in proof.run(session):
            raise Refused(
                _(
                    "%(code)s does not hold for %(subject)s: expected %(expected)s, found %(found)s. "
                    "Find out why before closing.",
                    code=proof.code,
                    subject=drift.subject,
                    expected=drift.expected,
                    found=drift.found,
                )
            )


def _said(month: date) -> str:
    return format(month, "%B %Y")
