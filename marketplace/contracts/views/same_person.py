"""Submitting a week that has to come from the same person."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts import websession
from marketplace.accounts.forms import PasskeyForm
from marketplace.actor import Role
from marketplace.contracts import find
from marketplace.contracts.approving import same_person as use
from marketplace.contracts.approving.confirming import confirm_and_submit
from marketplace.contracts.approving.models import WeekConfirmation
from marketplace.contracts.models import Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.timesheets import by_itself
from marketplace.contracts.views import bp
from marketplace.contracts.views.timesheets import seen_version
from marketplace.credentials import identity
from marketplace.credentials.views.identity import check_url
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.context_processor
def _words() -> dict[str, object]:
    return {"asks_for_passkey": use.asked_for, "confirmation_of": _confirmation_of}


@bp.route("/timesheets/<uuid:timesheet_id>/passkey", methods=["GET", "POST"])
@guard(Role.EXPERT)
def confirm_submission(timesheet_id: uuid.UUID) -> ResponseReturnValue:
    """Confirm with the passkey, and submit."""
    sheet = find.own_timesheet(db_session(), actor(), timesheet_id)
    form = PasskeyForm()
    if try_form(form, lambda: _submit(form, timesheet_id)):
        flash(_("Confirmed. The week is with the client, who has five days to answer."), "success")
        return redirect(url_for("contracts.timesheet", timesheet_id=timesheet_id), 303)
    stand = identity.stand(db_session(), actor().id)
    waits = sheet.state in (TimesheetState.OPEN, TimesheetState.RETURNED)
    offer = use.offer_to_confirm(sheet, stand.bound) if stand.bound and waits else None
    return page(
        "contracts/confirm_submission.html",
        form=form,
        sheet=sheet,
        contract=sheet.contract,
        stand=stand,
        waits=waits,
        options=websession.remember_challenge(offer),
        check_url=check_url(),
        by_itself=by_itself(db_session(), sheet) if waits else None,
    )


def _submit(form: PasskeyForm, timesheet_id: uuid.UUID) -> Timesheet:
    answer = use.Answer(form.answer.data or "", websession.take_challenge())
    return confirm_and_submit(db_session(), actor(), timesheet_id, seen_version(), answer)


def _confirmation_of(sheet: Timesheet) -> WeekConfirmation | None:
    return use.confirmation_of(db_session(), sheet)
