"""What happens by itself: weeks roll on, deadlines pass, timers reach the end of their money."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.contracts import (
    approvals,
    ending_soon,
    figures,
    notices,
    offers,
    records,
    rolling,
    threads,
    timer,
    timesheets,
)
from marketplace.contracts.adjustments import answering as adjustments
from marketplace.contracts.approving import reminders
from marketplace.contracts.budgets import alerts
from marketplace.contracts.credit import lines as credit
from marketplace.contracts.disputes import ruling, turns
from marketplace.contracts.rates import answering
from marketplace.contracts.sittings import asking, grading, taking
from marketplace.contracts.usage import importing
from marketplace.gigs import applications, funnel, rates
from marketplace.messages import kinds
from marketplace.reasons import hooks


@jobs.task("contracts.roll_weeks")
def roll_weeks(session: Session) -> None:
    """Return unused money and reserve the weeks to come."""
    rolling.roll_weeks(session)


@jobs.task("contracts.approve_overdue")
def approve_overdue(session: Session) -> None:
    """Approve the weeks that no client answered in time."""
    approvals.approve_overdue(session)


@jobs.task("contracts.submit_forgotten")
def submit_forgotten(session: Session) -> None:
    """Submit the weeks that their experts left open."""
    timesheets.submit_forgotten(session)


@jobs.task("contracts.remind_returned")
def remind_returned(session: Session) -> None:
    """Remind experts of the weeks that were returned to them."""
    notices.remind_returned(session)


@jobs.task("contracts.remind_of_weeks")
def remind_of_weeks(session: Session) -> None:
    """Remind experts of weeks they did not submit, and clients of those whose deadline is near."""
    reminders.remind_to_submit(session)
    reminders.remind_to_approve(session)


@jobs.task("contracts.stop_spent_timers")
def stop_spent_timers(session: Session) -> None:
    """Stop timers where reserved time or a credential ends."""
    timer.stop_spent_timers(session)


@jobs.task("contracts.warn_of_ends")
def warn_of_ends(session: Session) -> None:
    """Tell experts whose timer stops soon."""
    ending_soon.warn_of_ends(session)


@jobs.task("contracts.expire_offers")
def expire_offers(session: Session) -> None:
    """Close offers that nobody answered."""
    offers.expire_offers(session)


@jobs.task("contracts.expire_rates")
def expire_rates(session: Session) -> None:
    """Close lower rates that were not accepted in time."""
    answering.expire_rates(session)


@jobs.task("contracts.expire_adjustments")
def expire_adjustments(session: Session) -> None:
    """Close corrections to less pay that were not signed in time."""
    adjustments.expire_adjustments(session)


@jobs.task("contracts.forget_usage")
def forget_usage(session: Session) -> None:
    """Forget the tools' files that were only looked at."""
    importing.forget_untaken(session)


@jobs.task("contracts.refresh_records")
def refresh_records(session: Session) -> None:
    """Tell matching of last day's work."""
    records.refresh_records(session)


@jobs.task("contracts.end_sittings")
def end_sittings(session: Session) -> None:
    """Hand in the tests whose time is over."""
    taking.end_overdue(session)


@jobs.task("contracts.remind_graders")
def remind_graders(session: Session) -> None:
    """Remind of the tests that should be graded by now."""
    grading.remind_overdue(session)


@jobs.task("contracts.settle_disputes")
def settle_disputes(session: Session) -> None:
    """Do what follows when nobody answered about a questioned line in time."""
    turns.settle_overdue(session)


@jobs.task("contracts.watch_budgets")
def watch_budgets(session: Session) -> None:
    """Tell clients whose money is half, four fifths or wholly used."""
    alerts.watch(session)


@jobs.task("contracts.turn_credit")
def turn_credit(session: Session) -> None:
    """Show which gigs are paid for by credit lines that begin, or are over."""
    credit.push_days(session)


jobs.periodic("10 * * * * *", "contracts.end_sittings", by_the_clock=True)
jobs.periodic("45 */5 * * * *", "contracts.remind_graders", by_the_clock=True)
jobs.periodic("20 3 * * *", "contracts.refresh_records")
jobs.periodic("25 3 * * *", "contracts.forget_usage")
jobs.periodic("0 */5 * * * *", "contracts.roll_weeks", by_the_clock=True)
jobs.periodic("20 */5 * * * *", "contracts.approve_overdue", by_the_clock=True)
jobs.periodic("30 */5 * * * *", "contracts.submit_forgotten", by_the_clock=True)
jobs.periodic("35 */5 * * * *", "contracts.remind_returned", by_the_clock=True)
jobs.periodic("37 */5 * * * *", "contracts.remind_of_weeks", by_the_clock=True)
jobs.periodic("40 * * * * *", "contracts.stop_spent_timers", by_the_clock=True)
jobs.periodic("25 * * * * *", "contracts.warn_of_ends", by_the_clock=True)
jobs.periodic("50 */5 * * * *", "contracts.expire_offers", by_the_clock=True)
jobs.periodic("55 */5 * * * *", "contracts.settle_disputes", by_the_clock=True)
jobs.periodic("55 */5 * * * *", "contracts.expire_rates", by_the_clock=True)
jobs.periodic("5 */10 * * * *", "contracts.watch_budgets", by_the_clock=True)
jobs.periodic("20 0 5 * * *", "contracts.turn_credit", by_the_clock=True)
jobs.periodic("57 */5 * * * *", "contracts.expire_adjustments", by_the_clock=True)
hooks.on_upheld["timesheet"] = timesheets.resubmit
hooks.on_upheld["contract"] = hooks.nothing
hooks.on_upheld["time_dispute"] = hooks.nothing
hooks.on_upheld["ruling"] = turns.win_appeal
hooks.barred["ruling"] = ruling.is_side
hooks.elsewhere["time_dispute"] = "/disputes/{}".format
hooks.on_upheld["sitting"] = grading.passes_after_all
applications.over.append(asking.take_back)
funnel.offers_made.append(figures.offers_made)
rates.earned.append(figures.earned)
kinds.update(threads.KINDS)
