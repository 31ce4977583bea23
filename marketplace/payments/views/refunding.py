"""A client ends a project and sees its money come back; finance releases it, or pays it by hand."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import ledger
from marketplace.actor import CLIENT, FINANCE, Role
from marketplace.contracts.budgets import ending
from marketplace.contracts.budgets.models import ProjectEnding
from marketplace.contracts.forms import ReasonForm
from marketplace.errors import Refused
from marketplace.gigs import find
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.payments.forms import ReferenceForm, WayOutForm
from marketplace.payments.refunds import addressing, planning, queries, refusals
from marketplace.payments.refunds import releasing as use
from marketplace.payments.refunds import words as refund_words
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import RefundState, WayOut
from marketplace.payments.views import bp
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.route("/projects/<uuid:project_id>/end", methods=["GET", "POST"])
@guard(*CLIENT, *FINANCE)
def end_project(project_id: uuid.UUID) -> ResponseReturnValue:
    """What follows when the project ends; once it has ended, where its money is."""
    project = find.project(db_session(), actor(), project_id)
    if ended := ending.ended(db_session(), project):
        return _ended(project, ended)
    outlook = ending.outlook(db_session(), project)
    form = ReasonForm(about="contract")
    if not outlook.contracts:
        del form.reason_code, form.explanation
    done = try_form(form, lambda: _end(project_id, form))
    if done is not None:
        flash(_("The project has ended. What is left of its money goes back to you."), "success")
        return redirect(url_for("payments.end_project", project_id=project_id), 303)
    project = find.project(db_session(), actor(), project_id)
    back = outlook.free + outlook.freed
    return page(
        "payments/end_project.html",
        form=form,
        project=project,
        outlook=outlook,
        back=back,
        parts=planning.plan(db_session(), project, back),
        may_end=actor().has(Role.CLIENT_ADMIN, organization_id=project.organization_id),
    )


@bp.get("/refunds")
@guard(*FINANCE)
def refunds() -> ResponseReturnValue:
    """What waits to be released or paid by hand, and what has gone back."""
    return page(
        "payments/refunds.html",
        waiting=paged(
            db_session(), queries.refunds_for(actor(), waiting=True), by=Refund.id, name="waiting_after"
        ),
        others=paged(db_session(), queries.refunds_for(actor(), waiting=False), by=Refund.id),
        refund_word=refund_words.state,
    )


@bp.get("/refunds/<uuid:refund_id>")
@guard(*FINANCE)
def refund(refund_id: uuid.UUID) -> ResponseReturnValue:
    """One refund: who asked, who released it, and where it is."""
    return _refund(refund_id, ReferenceForm(), WayOutForm())


@bp.post("/refunds/<uuid:refund_id>/release")
@guard(Role.FINANCE_RELEASER, fresh=True)
def release_refund(refund_id: uuid.UUID) -> ResponseReturnValue:
    """Let it go, or wait for a second person."""
    found = use.release_refund(db_session(), actor(), refund_id)
    if found.state is RefundState.PREPARED:
        flash(_("Released by you. So much needs a second person, who has to release it too."), "info")
    else:
        flash(_("Released."), "success")
    return redirect(url_for("payments.refund", refund_id=refund_id), 303)


@bp.post("/refunds/<uuid:refund_id>/reference")
@guard(*FINANCE)
def note_refund(refund_id: uuid.UUID) -> ResponseReturnValue:
    """It was paid by hand, under this reference of the bank."""
    form = ReferenceForm()
    noted = try_form(
        form, lambda: use.note_by_hand(db_session(), actor(), refund_id, form.reference.data or "")
    )
    if noted is None:
        return _refund(refund_id, form, WayOutForm(formdata=None))
    flash(_("Noted. Now a second person looks at the bank and confirms it."), "info")
    return redirect(url_for("payments.refund", refund_id=refund_id), 303)


@bp.post("/refunds/<uuid:refund_id>/confirm")
@guard(Role.FINANCE_RELEASER, fresh=True)
def confirm_refund(refund_id: uuid.UUID) -> ResponseReturnValue:
    """A second person saw it at the bank."""
    use.confirm_by_hand(db_session(), actor(), refund_id)
    flash(_("Confirmed. It is booked as paid back."), "success")
    return redirect(url_for("payments.refund", refund_id=refund_id), 303)


@bp.post("/refunds/<uuid:refund_id>/way-out")
@guard(*FINANCE)
def choose_way_out(refund_id: uuid.UUID) -> ResponseReturnValue:
    """What becomes of the money of a refund that Stripe refused."""
    form = WayOutForm()
    chosen = try_form(form, lambda: _choose(refund_id, form))
    if chosen is None:
        return _refund(refund_id, ReferenceForm(formdata=None), form)
    flash(_("Noted. Now a second person looks at Stripe and confirms it."), "info")
    return redirect(url_for("payments.refund", refund_id=refund_id), 303)


@bp.post("/refunds/<uuid:refund_id>/way-out/confirm")
@guard(Role.FINANCE_RELEASER, fresh=True)
def confirm_way_out(refund_id: uuid.UUID) -> ResponseReturnValue:
    """A second person saw the same at Stripe. The address says which way was on the page that was seen."""
    way = next((each for each in WayOut if each == request.args.get("way")), None)
    refusals.confirm_way_out(db_session(), actor(), refund_id, way)
    flash(_("Confirmed."), "success")
    return redirect(url_for("payments.refund", refund_id=refund_id), 303)


def _choose(refund_id: uuid.UUID, form: WayOutForm) -> Refund:
    way = WayOut(form.way.data)
    return refusals.choose_way_out(db_session(), actor(), refund_id, way, form.reason.data or "")


def _end(project_id: uuid.UUID, form: ReasonForm) -> ProjectEnding:
    code = form.reason_code.data if "reason_code" in form else ""
    explanation = form.explanation.data if "explanation" in form else ""
    return ending.end_project(db_session(), actor(), project_id, code or "", explanation or "")


def _ended(project: Project, ended: ProjectEnding) -> ResponseReturnValue:
    outlook = ending.outlook(db_session(), project)
    return page(
        "payments/ended_project.html",
        project=project,
        ended=ended,
        outlook=outlook,
        waiting=planning.unprepared(db_session(), project),
        refunds=queries.of_project(db_session(), project),
        refund_word=refund_words.state,
        mine=actor().has(*CLIENT, organization_id=project.organization_id),
    )


def _refund(refund_id: uuid.UUID, form: ReferenceForm, way_form: WayOutForm) -> ResponseReturnValue:
    found = queries.refund(db_session(), actor(), refund_id)
    me = actor().id
    releaser = actor().has(Role.FINANCE_RELEASER)
    owed, refused = found.state is RefundState.OWED, found.state is RefundState.REFUSED
    return page(
        "payments/refund.html",
        refund=found,
        form=form,
        way_form=way_form,
        refund_word=refund_words.state,
        failure_word=refund_words.failure,
        way_word=refund_words.way_out,
        asks=_asks(found),
        entries=ledger.entries_of(db_session(), [f"refund:{refund_id}"]),
        needs_two=use.needs_two(db_session(), found),
        may_release=found.state is RefundState.PREPARED and releaser and me != found.released_by,
        may_choose=refused,
        may_confirm_way=refused and releaser and found.way_out_by not in (None, me),
        may_note=owed,
        may_confirm=owed and releaser and found.noted_by not in (None, me),
    )


def _asks(refund: Refund) -> str | None:
    """Whom Stripe asks, or would ask, for the account of a bank transfer."""
    if refund.state is not RefundState.PREPARED:
        return refund.instructions_email
    try:
        return addressing.email_for(db_session(), refund)
    except Refused as error:
        return error.sentence
