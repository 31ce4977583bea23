"""Timesheets, as the expert hands them in and as the client decides them."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import reasons
from marketplace.actor import CLIENT, Role
from marketplace.contracts import find, queries, rounding
from marketplace.contracts import timesheets as use
from marketplace.contracts.approving.models import FirstApproval
from marketplace.contracts.approving.same_person import asked_for
from marketplace.contracts.approving.steps import approve_week
from marketplace.contracts.disputes import parts
from marketplace.contracts.disputes import queries as disputes
from marketplace.contracts.forms import ReasonForm
from marketplace.contracts.lines import lines_of
from marketplace.contracts.models import Timesheet
from marketplace.contracts.states import DisputeState, TimesheetState
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_two_people import NoteForm
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/timesheets")
@guard()
def timesheets() -> ResponseReturnValue:
    """Every week that one may see, newest first."""
    found = paged(db_session(), queries.timesheets_for(actor()), by=Timesheet.id)
    return page(
        "contracts/timesheets.html", sheets=found, me=actor().person_id, works=actor().has(Role.EXPERT)
    )


@bp.get("/timesheets/<uuid:timesheet_id>")
@guard()
def timesheet(timesheet_id: uuid.UUID) -> ResponseReturnValue:
    """One week, line by line."""
    return show_timesheet(timesheet_id)


@bp.get("/approvals/<uuid:approval_id>")
@guard()
def approval(approval_id: uuid.UUID) -> ResponseReturnValue:
    """The week behind an approval, which is what the ledger names."""
    sheet = find.approval(db_session(), actor(), approval_id).timesheet
    return redirect(url_for("contracts.timesheet", timesheet_id=sheet.public_id), 303)


@bp.post("/timesheets/<uuid:timesheet_id>/submission")
@guard(Role.EXPERT)
def submit(timesheet_id: uuid.UUID) -> ResponseReturnValue:
    """Hand a week to the client."""
    sheet = find.timesheet(db_session(), actor(), timesheet_id)
    if asked_for(sheet.contract):
        return redirect(url_for("contracts.confirm_submission", timesheet_id=timesheet_id), 303)
    use.submit_timesheet(db_session(), actor(), timesheet_id, seen_version())
    flash(_("The week is with the client, who has five days to answer."), "success")
    return redirect(url_for("contracts.timesheet", timesheet_id=timesheet_id), 303)


@bp.post("/timesheets/<uuid:timesheet_id>/approval")
@guard(*CLIENT)
def approve(timesheet_id: uuid.UUID) -> ResponseReturnValue:
    """Approve a week."""
    done = approve_week(db_session(), actor(), timesheet_id, seen_version())
    if isinstance(done, FirstApproval):
        flash(_("This is the first of two approvals. Your colleagues are asked for the second."), "success")
    else:
        flash(_("The week is approved, and the expert is owed for it."), "success")
    return redirect(url_for("contracts.waiting"), 303)


@bp.post("/timesheets/<uuid:timesheet_id>/return")
@guard(*CLIENT)
def give_back(timesheet_id: uuid.UUID) -> ResponseReturnValue:
    """Return a week with a reason."""
    form = ReasonForm(about="timesheet")
    if try_form(form, lambda: _give_back(form, timesheet_id)):
        flash(_("The week is back with the expert, who knows why."), "success")
        return redirect(url_for("contracts.waiting"), 303)
    return show_timesheet(timesheet_id, form)


def _give_back(form: ReasonForm, timesheet_id: uuid.UUID) -> Timesheet:
    return use.return_timesheet(
        db_session(),
        actor(),
        timesheet_id,
        seen_version(),
        form.reason_code.data,
        form.explanation.data or "",
    )


def show_timesheet(
    timesheet_id: uuid.UUID, form: ReasonForm | None = None, note_form: NoteForm | None = None
) -> ResponseReturnValue:
    """The page of a week, with a form that was not taken."""
    sheet = find.timesheet(db_session(), actor(), timesheet_id)
    mine = sheet.contract.person_id == actor().person_id
    decides = actor().has(*CLIENT, organization_id=sheet.contract.organization_id) and not mine
    lines = lines_of(sheet)
    questioned = disputes.of_sheet(db_session(), sheet)
    priced = ((line.minutes, line.rate, line.pay) for line in lines)
    return page(
        "contracts/timesheet.html",
        form=form or ReasonForm(about="timesheet", formdata=None),
        sheet=sheet,
        contract=sheet.contract,
        me=actor().person_id,
        lines={line.entry.id: line for line in lines},
        rounding=rounding.said(priced, sheet.contract.currency),
        mine=mine,
        writable=mine and sheet.state in (TimesheetState.OPEN, TimesheetState.RETURNED),
        decides=decides and sheet.state is TimesheetState.SUBMITTED,
        note_form=note_form or NoteForm(formdata=None),
        statement=reasons.about(db_session(), "timesheet", sheet.public_id),
        disputes=questioned,
        waits_apart=any(each.state is not DisputeState.SETTLED for each in questioned.values()),
        parts=parts.parts_of(sheet, questioned.values()),
        entered=parts.entered(sheet),
        tax=queries.tax_of(sheet),
    )


def seen_version() -> int:
    """The version that was on the page."""
    return request.form.get("version", 0, type=int)
