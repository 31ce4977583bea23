"""Decisions as the person sees them, and appeals as operators do."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import Role
from marketplace.i18n import gettext as _
from marketplace.reasons import appeals as use
from marketplace.reasons import codes, queries
from marketplace.reasons.forms import AppealForm, DecideForm
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
    return page("reasons/index.html", statements=found, title=title, sentence=_sentence, now=clock.now())


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
    may_decide = actor().id not in (found.statement.decided_by, found.statement.person_id)
    return page(
        "reasons/appeal.html", form=form, appeal=found, title=title, sentence=_sentence, may_decide=may_decide
    )


def _sentence(statement: Statement) -> str:
    return codes.sentence(statement.subject_kind, statement.reason_code)
