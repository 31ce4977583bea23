"""Questioned lines: asked by the client, answered by the expert, ruled on by somebody who is neither."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import reasons
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts import find, timesheets
from marketplace.contracts.approving.models import FirstApproval
from marketplace.contracts.approving.steps import approve_week
from marketplace.contracts.disputes import queries, ruling, turns
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import SUBJECT, Question
from marketplace.contracts.disputes.settling import part_of
from marketplace.contracts.lines import lines_of
from marketplace.contracts.models import Approval
from marketplace.contracts.states import DisputeState
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_disputes import (
    AnswerForm,
    AskRulingForm,
    RuleForm,
    lines_form,
    questions,
)
from marketplace.contracts.views.timesheets import seen_version
from marketplace.errors import Refused
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.reasons import codes
from marketplace.web import Form, actor, db_session, guard, page, paged, try_form


@bp.route("/timesheets/<uuid:timesheet_id>/lines", methods=["GET", "POST"])
@guard(*CLIENT)
def approve_lines(timesheet_id: uuid.UUID) -> ResponseReturnValue:
    """Approve a week line by line: those with a question wait, the others are paid."""
    sheet = find.timesheet(db_session(), actor(), timesheet_id)
    timesheets.require_approver(actor(), sheet)
    lines = lines_of(sheet)
    form = lines_form(lines)
    asked = questions(form, lines)
    done = try_form(form, lambda: _approve(timesheet_id, asked))
    if done:
        flash(
            _first_of_two() if isinstance(done, FirstApproval) else _decided(len(asked), len(lines)),
            "success",
        )
        return redirect(url_for("contracts.timesheet", timesheet_id=timesheet_id), 303)
    return page("contracts/approve_lines.html", form=form, sheet=sheet, contract=sheet.contract, lines=lines)


@bp.get("/disputes")
@guard()
def disputes() -> ResponseReturnValue:
    """Every questioned line that one may see, those first in which it is one's turn."""
    waiting = queries.waiting_for(actor()).order_by(TimeDispute.due_at, TimeDispute.id)
    found = paged(db_session(), queries.disputes_for(actor()), by=TimeDispute.id)
    return page(
        "contracts/disputes.html",
        waiting=db_session().scalars(waiting.limit(100)).all(),
        disputes=found,
        me=actor().person_id,
    )


@bp.get("/disputes/<uuid:dispute_id>")
@guard()
def dispute(dispute_id: uuid.UUID) -> ResponseReturnValue:
    """One questioned line: what was said, and what can be done now."""
    return _dispute(dispute_id)


@bp.post("/disputes/<uuid:dispute_id>/answer")
@guard(Role.EXPERT)
def answer_dispute(dispute_id: uuid.UUID) -> ResponseReturnValue:
    """The expert answers."""
    form = AnswerForm()
    if try_form(
        form,
        lambda: turns.answer(db_session(), actor(), dispute_id, form.text.data or "", form.minutes.data),
    ):
        flash(_("Your answer is with the client, who has five days. After that the line is paid."), "success")
        return _back(dispute_id)
    return _dispute(dispute_id, form)


@bp.post("/disputes/<uuid:dispute_id>/offer")
@guard(*CLIENT)
def offer_in_dispute(dispute_id: uuid.UUID) -> ResponseReturnValue:
    """The client offers to pay for a part."""
    form = AnswerForm()
    if try_form(
        form,
        lambda: turns.offer(db_session(), actor(), dispute_id, form.text.data or "", form.minutes.data or 0),
    ):
        flash(_("Your offer is with the expert."), "success")
        return _back(dispute_id)
    return _dispute(dispute_id, form)


@bp.post("/disputes/<uuid:dispute_id>/agreement")
@guard(Role.EXPERT, *CLIENT)
def agree_in_dispute(dispute_id: uuid.UUID) -> ResponseReturnValue:
    """Take the minutes that the other side named."""
    turns.agree(db_session(), actor(), dispute_id, seen_version())
    flash(_("You agree, and the line is settled."), "success")
    return _back(dispute_id)


@bp.post("/disputes/<uuid:dispute_id>/request")
@guard(Role.EXPERT, *CLIENT)
def ask_ruling(dispute_id: uuid.UUID) -> ResponseReturnValue:
    """Ask somebody who is neither side."""
    form = AskRulingForm()
    if try_form(form, lambda: turns.ask_for_ruling(db_session(), actor(), dispute_id, form.text.data or "")):
        flash(_("Somebody who is neither side rules within fourteen days."), "success")
        return _back(dispute_id)
    return _dispute(dispute_id, ask_form=form)


@bp.post("/disputes/<uuid:dispute_id>/ruling")
@guard(Role.OPERATOR)
def rule_dispute(dispute_id: uuid.UUID) -> ResponseReturnValue:
    """Say how much is paid."""
    form = RuleForm()
    if try_form(form, lambda: _rule(form, dispute_id)):
        flash(_("The ruling stands, and both sides are told."), "success")
        return redirect(url_for("contracts.disputes"), 303)
    return _dispute(dispute_id, form)


def _approve(timesheet_id: uuid.UUID, asked: list[Question]) -> Approval | FirstApproval:
    if not asked:
        raise Refused(_("You have questioned nothing. Choose why you question a line, or approve the week."))
    return approve_week(db_session(), actor(), timesheet_id, seen_version(), asked)


def _first_of_two() -> str:
    return _(
        "This is the first of two approvals. Your questions take effect when a colleague confirms them, "
        "or at the deadline."
    )


def _rule(form: RuleForm, dispute_id: uuid.UUID) -> TimeDispute:
    return ruling.rule(
        db_session(),
        actor(),
        dispute_id,
        form.minutes.data or 0,
        form.reason_code.data or "",
        form.explanation.data or "",
    )


def _back(dispute_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("contracts.dispute", dispute_id=dispute_id), 303)


def _dispute(
    dispute_id: uuid.UUID, turn_form: Form | None = None, ask_form: AskRulingForm | None = None
) -> ResponseReturnValue:
    found = queries.dispute(db_session(), actor(), dispute_id)
    side = _side(actor(), found)
    statement = reasons.about(db_session(), SUBJECT, found.public_id)
    turn_form = turn_form or _form_of(found, side)
    return page(
        "contracts/dispute.html",
        form=ask_form or turn_form,
        turn_form=turn_form,
        ask_form=ask_form or AskRulingForm(formdata=None),
        asking=ask_form is not None,
        dispute=found,
        contract=found.contract,
        side=side,
        part_of=part_of,
        why=codes.sentence(SUBJECT, statement.reason_code) if statement else "",
        ruled=reasons.about(db_session(), ruling.SUBJECT, found.public_id),
    )


def _side(who: Actor, found: TimeDispute) -> str:
    """`expert`, `client` or `neither`, who can do something now; '' for everybody else."""
    if found.contract.person_id == who.person_id:
        return "expert"
    if who.has(*CLIENT, organization_id=found.contract.organization_id):
        return "client"
    return "neither" if who.has(Role.OPERATOR) and ruling.is_neither_side(db_session(), who, found) else ""


def _form_of(found: TimeDispute, side: str) -> Form:
    """What whoever's turn it is fills in, with minutes to begin from."""
    if side == "neither" and found.state is DisputeState.RULING:
        return RuleForm.of(found)
    return AnswerForm.of(found.asked_minutes if side == "expert" else found.offered_minutes)


def _decided(asked: int, lines: int) -> str:
    paid = lines - asked
    if not paid:
        return _("All of its lines wait for the expert’s answer; nothing is approved yet.")
    return ngettext(
        "One line waits for the expert’s answer; %(paid)s are approved.",
        "%(n)s lines wait for the expert’s answer; %(paid)s are approved.",
        asked,
        paid=paid,
    )
