"""Weeks that two people approve: what the second does, and the amount from which a client asks for two."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import CLIENT, Role
from marketplace.contracts.approving import rules, steps
from marketplace.contracts.approving.models import FirstApproval
from marketplace.contracts.approving.standing import history, standing
from marketplace.contracts.disputes.opening import SUBJECT, Question
from marketplace.contracts.lines import Line, lines_of
from marketplace.contracts.models import Timesheet
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_two_people import ApprovalRuleForm, NoteForm
from marketplace.contracts.views.timesheets import seen_version, show_timesheet
from marketplace.gigs import find
from marketplace.i18n import gettext as _
from marketplace.reasons import codes
from marketplace.web import actor, db_session, guard, page, try_form


@dataclass(frozen=True)
class Two:
    """Where a week that two people approve stands: the first approval as it is now, what it questions, those
    before, and whether nobody is there who could be the other one."""

    first: FirstApproval | None
    questions: list[tuple[Line, Question, str]]
    before: Sequence[FirstApproval]
    alone: bool


@bp.context_processor
def _words() -> dict[str, object]:
    return {"two_of": _two_of}


@bp.post("/timesheets/<uuid:timesheet_id>/confirmation/<uuid:first_id>")
@guard(*CLIENT)
def confirm_week(timesheet_id: uuid.UUID, first_id: uuid.UUID) -> ResponseReturnValue:
    """Approve as the second."""
    steps.confirm_week(db_session(), actor(), timesheet_id, seen_version(), first_id)
    flash(_("The week is approved by two people, and the expert is owed for it."), "success")
    return redirect(url_for("contracts.waiting"), 303)


@bp.post("/timesheets/<uuid:timesheet_id>/first-approval/<uuid:first_id>/sending-back")
@guard(*CLIENT)
def send_back_first(timesheet_id: uuid.UUID, first_id: uuid.UUID) -> ResponseReturnValue:
    """Give it back to the first."""
    form = NoteForm()
    if try_form(
        form,
        lambda: steps.send_back(db_session(), actor(), timesheet_id, first_id, form.note.data or ""),
    ):
        flash(_("Your colleague is told why. The week waits for a first approval again."), "success")
        return redirect(url_for("contracts.timesheet", timesheet_id=timesheet_id), 303)
    return show_timesheet(timesheet_id, note_form=form)


@bp.post("/timesheets/<uuid:timesheet_id>/first-approval/<uuid:first_id>/taking-back")
@guard(*CLIENT)
def take_back_first(timesheet_id: uuid.UUID, first_id: uuid.UUID) -> ResponseReturnValue:
    """Take one's own first approval back."""
    steps.take_back(db_session(), actor(), timesheet_id, first_id)
    flash(_("Your first approval is taken back. The week waits for one again."), "success")
    return redirect(url_for("contracts.timesheet", timesheet_id=timesheet_id), 303)


@bp.route("/team/<uuid:organization_id>/two-people", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def approval_rule(organization_id: uuid.UUID) -> ResponseReturnValue:
    """From what amount on two people approve a week."""
    organization = find.organization(db_session(), actor(), organization_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=organization.id)
    rule = rules.rule_of(db_session(), organization.id)
    form = ApprovalRuleForm.of(rule, current_app.config["SETTINGS"].books_currency)
    if try_form(form, lambda: rules.set_rule(db_session(), actor(), organization_id, form.amount.data)):
        flash(_("Set. It counts for weeks that are submitted from now on."), "success")
        return redirect(url_for("contracts.approval_rule", organization_id=organization_id), 303)
    return page(
        "contracts/approval_rule.html",
        form=form,
        organization=organization,
        rule=rule,
        people=rules.how_many_decide(db_session(), organization),
    )


def _two_of(sheet: Timesheet) -> Two | None:
    """None for a week that one person approves."""
    if not sheet.two_people:
        return None
    first = standing(db_session(), sheet)
    lines = {line.entry.public_id: line for line in lines_of(sheet)}
    asked = first.asked if first else []
    return Two(
        first,
        [(lines[each.entry], each, codes.sentence(SUBJECT, each.reason_code)) for each in asked],
        [each for each in history(db_session(), sheet) if each is not first],
        len(rules.deciders(db_session(), sheet.contract)) < 2,
    )
