"""Decisions as the person sees them, and appeals as operators do."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import Role
from marketplace.i18n import gettext as _
from marketplace.reasons import appeals as use
from marketplace.reasons import codes, queries, sign_ins
from marketplace.reasons.forms import AppealForm, DecideForm, SuspendForm, WrittenAppealForm
from marketplace.reasons.hooks import elsewhere
from marketplace.reasons.models import Appeal, Statement
from marketplace.reasons.words import title
from marketplace.web import actor, db_session, guard, page, paged, try_form

bp = Blueprint("reasons", __name__)
URGENT = (Appeal.decide_by, Appeal.id)


@bp.get("/decisions")
@guard()
def index() -> ResponseReturnValue:
    """What was decided against this person."""
    found = paged(db_session(), queries.statements(actor()), by=Statement.id)
    return page(
        "reasons/index.html",
        statements=found,
        title=title,
        sentence=_sentence,
        now=clock.now(),
        answered_at=_answered_at,
    )


@bp.route("/decisions/<uuid:public_id>", methods=["GET", "POST"])
@guard()
def decision(public_id: uuid.UUID) -> ResponseReturnValue:
    """One decision with its reasons, and a form to appeal while there is time."""
    form = AppealForm()
    if try_form(form, lambda: use.appeal(db_session(), actor(), public_id, form.text.data or "")):
        flash(_("Your appeal is with somebody who did not take the decision."), "success")
        return redirect(url_for("reasons.decision", public_id=public_id), 303)
    statement = queries.statement(db_session(), actor(), public_id)
    return page(
        "reasons/decision.html",
        form=form,
        statement=statement,
        title=title,
        sentence=_sentence,
        now=clock.now(),
        answered_at=_answered_at(statement),
    )


@bp.get("/appeals")
@guard(Role.OPERATOR)
def queue() -> ResponseReturnValue:
    """Appeals that this operator may decide."""
    found = paged(db_session(), queries.waiting(actor()), by=URGENT, size=50, rising=True)
    return page("reasons/queue.html", appeals=found, title=title, sentence=_sentence)


@bp.route("/appeals/<uuid:public_id>", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def appeal(public_id: uuid.UUID) -> ResponseReturnValue:
    """One appeal, and a form to decide it."""
    form = DecideForm()
    if try_form(
        form,
        lambda: use.decide(db_session(), actor(), public_id, form.outcome.data, form.answer.data or ""),
    ):
        flash(_("The appeal is decided, and the person is told."), "success")
        return redirect(url_for("reasons.queue"), 303)
    found = queries.one_appeal(db_session(), actor(), public_id)
    may_decide = use.may_decide(db_session(), actor(), found.statement)
    return page(
        "reasons/appeal.html", form=form, appeal=found, title=title, sentence=_sentence, may_decide=may_decide
    )


@bp.get("/sign-ins/<uuid:sign_in_id>")
@guard(Role.OPERATOR)
def sign_in(sign_in_id: uuid.UUID) -> ResponseReturnValue:
    """A sign-in: suspend it, or, when it is, open it again or enter the person's appeal."""
    return _sign_in_page(sign_in_id, SuspendForm(), WrittenAppealForm())


@bp.post("/sign-ins/<uuid:sign_in_id>/suspension")
@guard(Role.OPERATOR, fresh=True)
def suspend(sign_in_id: uuid.UUID) -> ResponseReturnValue:
    """Let nobody in by it."""
    form = SuspendForm()
    code, why = form.reason_code.data or "", form.explanation.data or ""
    if not try_form(form, lambda: sign_ins.suspend(db_session(), actor(), sign_in_id, code, why)):
        return _sign_in_page(sign_in_id, form, WrittenAppealForm(formdata=None))
    flash(_("The sign-in is suspended, and the person is told by mail."), "success")
    return redirect(url_for("reasons.sign_in", sign_in_id=sign_in_id), 303)


@bp.post("/sign-ins/<uuid:sign_in_id>/opening")
@guard(Role.OPERATOR, fresh=True)
def open_sign_in(sign_in_id: uuid.UUID) -> ResponseReturnValue:
    """Let the person in again."""
    sign_ins.open_again(db_session(), actor(), sign_in_id)
    flash(_("The sign-in is open again. The person is told by mail to set a new password."), "success")
    return redirect(url_for("reasons.sign_in", sign_in_id=sign_in_id), 303)


@bp.post("/sign-ins/<uuid:sign_in_id>/appeal")
@guard(Role.OPERATOR)
def enter_appeal(sign_in_id: uuid.UUID) -> ResponseReturnValue:
    """Enter what the person wrote, because they cannot do it here."""
    form, subject = WrittenAppealForm(), (sign_ins.SUBJECT, sign_in_id)
    if not try_form(form, lambda: use.appeal_for(db_session(), actor(), *subject, form.text.data or "")):
        return _sign_in_page(sign_in_id, SuspendForm(formdata=None), form)
    flash(_("The appeal is entered. Somebody who did not take the decision looks again."), "success")
    return redirect(url_for("reasons.sign_in", sign_in_id=sign_in_id), 303)


def _sign_in_page(
    sign_in_id: uuid.UUID, form: SuspendForm, appeal_form: WrittenAppealForm
) -> ResponseReturnValue:
    found = sign_ins.find(db_session(), actor(), sign_in_id)
    return page(
        "reasons/sign_in.html",
        form=form,
        appeal_form=appeal_form,
        found=found,
        statement=queries.last_about(db_session(), actor(), sign_ins.SUBJECT, sign_in_id),
        sentence=_sentence,
        now=clock.now(),
        is_me=found.person_id == actor().id,
    )


def _answered_at(statement: Statement) -> str | None:
    """The page on which it is answered in place of an appeal."""
    path = elsewhere.get(statement.subject_kind)
    return path(statement.subject_id) if path else None


def _sentence(statement: Statement) -> str:
    return codes.sentence(statement.subject_kind, statement.reason_code)
