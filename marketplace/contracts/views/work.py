"""The expert's work: the timer, the days of a week, entries by hand."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import Role
from marketplace.contracts import entries, find, gaps, guidelines, limits, queries, timer
from marketplace.contracts.forms import EntryForm, StartForm
from marketplace.contracts.models import Contract, TimeEntry
from marketplace.contracts.sittings import queries as sittings
from marketplace.contracts.states import TimeKind
from marketplace.contracts.views import bp, on_clock
from marketplace.contracts.weeks import week_of, week_on
from marketplace.gigs.guidelines import newest as newest_guidelines
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form

EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)


@bp.get("/work")
@guard(Role.EXPERT)
def work() -> ResponseReturnValue:
    """This week on one of one's contracts, the first when none is chosen."""
    running = timer.running(db_session(), actor().id)
    if running and running.contract.test_id is not None:
        return _to_test(running.contract)
    mine = queries.active_contracts(db_session(), actor().id)
    if not mine:
        return page("contracts/no_work.html")
    chosen = next((each for each in mine if running and each.id == running.contract_id), mine[0])
    return redirect(url_for("contracts.week", contract_id=chosen.public_id), 303)


@bp.get("/work/<uuid:contract_id>")
@guard(Role.EXPERT)
def week(contract_id: uuid.UUID) -> ResponseReturnValue:
    """A week of one contract, the present one when none is asked for."""
    _back_at_the_timer()
    contract = find.contract(db_session(), actor(), contract_id)
    if contract.test_id is not None:
        return _to_test(contract)
    return _week(contract, _asked_day(contract))


@bp.post("/work/<uuid:contract_id>/timer")
@guard(Role.EXPERT)
def start(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Start the timer."""
    form = StartForm()
    if try_form(form, lambda: _start(form, contract_id)):
        return redirect(url_for("contracts.week", contract_id=contract_id), 303)
    contract = find.contract(db_session(), actor(), contract_id)
    return _week(contract, clock.today(contract.time_zone), start_form=form)


@bp.post("/work/timer/stop")
@guard(Role.EXPERT)
def stop() -> ResponseReturnValue:
    """Stop the timer."""
    running = timer.running(db_session(), actor().id)
    if running is None:
        return redirect(url_for("contracts.work"), 303)
    stopped = timer.stop_timer(db_session(), actor(), _pressed_at())
    if stopped.cut_because:
        flash(_("The timer ended earlier than now. %(why)s", why=stopped.cut_because), "info")
    elif stopped.pressed_at:
        flash(
            _(
                "The timer ended at %(time)s, when you first pressed Stop. Enter later time by hand.",
                time=on_clock(stopped.pressed_at, running.contract.time_zone),
            ),
            "info",
        )
    elif not stopped.entries:
        flash(_("Less than a minute had passed, so nothing was entered."), "info")
    return redirect(url_for("contracts.week", contract_id=running.contract.public_id), 303)


@bp.post("/work/timer/heartbeat")
@guard(Role.EXPERT)
def heartbeat() -> ResponseReturnValue:
    """The page with the running timer is still open. When nothing was heard of it for a while, it is shown
    anew, and asks."""
    gap = gaps.heartbeat(db_session(), actor())
    return "", 204, {"HX-Refresh": "true"} if gap else {}


@bp.post("/work/gaps/<uuid:gap_id>")
@guard(Role.EXPERT)
def answer_gap(gap_id: uuid.UUID) -> ResponseReturnValue:
    """Say whether time in which nothing was heard of the timer was worked."""
    worked = request.form.get("worked") == "yes"
    gap = gaps.answer_gap(db_session(), actor(), gap_id, worked=worked)
    flash(
        _("It counts.") if worked else _("It is taken out. The timesheet keeps what was there before."),
        "success",
    )
    monday = week_of(gap.from_at, gap.contract.time_zone).monday
    return redirect(url_for("contracts.week", contract_id=gap.contract.public_id, week=monday), 303)


@bp.post("/work/<uuid:contract_id>/entries")
@guard(Role.EXPERT)
def add(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Enter time by hand."""
    contract = find.contract(db_session(), actor(), contract_id)
    form = EntryForm()
    entry = try_form(form, lambda: entries.add_entry(db_session(), actor(), contract_id, form.work(contract)))
    if entry:
        return _to_week_of(entry)
    return _week(contract, form.day.data or clock.today(contract.time_zone), entry_form=form)


@bp.route("/work/entries/<uuid:entry_id>", methods=["GET", "POST"])
@guard(Role.EXPERT)
def change(entry_id: uuid.UUID) -> ResponseReturnValue:
    """Correct an entry; the old version stays."""
    entry = find.entry(db_session(), actor(), entry_id)
    contract = entry.contract
    form, seen = EntryForm.of(entry), _seen()
    new = try_form(
        form, lambda: entries.change_entry(db_session(), actor(), entry_id, seen, form.work(contract))
    )
    if new:
        return _to_week_of(new)
    return page("contracts/change.html", form=form, entry=entry, contract=contract)


@bp.post("/work/entries/<uuid:entry_id>/removal")
@guard(Role.EXPERT)
def remove(entry_id: uuid.UUID) -> ResponseReturnValue:
    """Take an entry out of its week."""
    return _to_week_of(entries.remove_entry(db_session(), actor(), entry_id, _seen()))


def _back_at_the_timer() -> None:
    """Opening the page is a sign of life of a timer that was heard of before. What was missed is asked about
    at once, and not by a page that reloads under somebody's finger."""
    running = timer.running(db_session(), actor().id)
    if running is not None and running.heartbeat_at is not None:
        gaps.heartbeat(db_session(), actor())


def _pressed_at() -> datetime | None:
    """When Stop was pressed without a network, as the page remembers it."""
    try:
        moment = datetime.fromisoformat(request.form.get("pressed_at", ""))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _start(form: StartForm, contract_id: uuid.UUID) -> TimeEntry:
    return timer.start_timer(
        db_session(),
        actor(),
        contract_id,
        form.task_kind.data,
        form.note.data or "",
        TimeKind(form.kind.data),
    )


def _week(
    contract: Contract, day: date, start_form: StartForm | None = None, entry_form: EntryForm | None = None
) -> ResponseReturnValue:
    # The first and the last days that there are have no week before or after them.
    day = min(max(day, EARLIEST), LATEST)
    shown = queries.week_view(db_session(), contract, week_on(day, contract.time_zone))
    gap = limits.credential_gap(db_session(), contract)
    return page(
        "contracts/week.html",
        form=entry_form or start_form,
        shown=shown,
        contract=contract,
        contracts=queries.active_contracts(db_session(), actor().id),
        running=timer.running(db_session(), actor().id),
        start_form=start_form or StartForm.on(contract, paid=shown.reserved > 0 and gap is None),
        entry_form=entry_form or EntryForm.on(contract, day),
        opened=entry_form is not None,
        gap=gap,
        away=gaps.unanswered(db_session(), contract),
        guided=newest_guidelines(db_session(), contract.gig_id) is not None,
        to_read=guidelines.unread(db_session(), [contract]).get(contract.id),
        is_present=shown.week == week_of(clock.now(), contract.time_zone),
        today=clock.today(contract.time_zone),
        now=clock.now(),
    )


def _asked_day(contract: Contract) -> date:
    try:
        return date.fromisoformat(request.args.get("week", ""))
    except ValueError:
        return clock.today(contract.time_zone)


def _to_test(contract: Contract) -> ResponseReturnValue:
    """A test is taken on its own page."""
    sitting = sittings.of_contract(db_session(), contract)
    if sitting is None:
        return redirect(url_for("contracts.show", contract_id=contract.public_id), 303)
    return redirect(url_for("contracts.sitting", sitting_id=sitting.public_id), 303)


def _to_week_of(entry: TimeEntry) -> ResponseReturnValue:
    monday = entry.timesheet.starts_on
    return redirect(url_for("contracts.week", contract_id=entry.contract.public_id, week=monday), 303)


def _seen() -> int:
    """The version that was on the page."""
    return request.form.get("version", 0, type=int)
