"""Clients' money that no request names: kept, applied or given back, by two people above the limit."""

from __future__ import annotations

import uuid

from flask import flash
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments import wires as client_wires
from marketplace.payments.models import Funding
from marketplace.reconciliation import decisions, queries, returning, wires
from marketplace.reconciliation.forms import ApplyForm, BookForm
from marketplace.reconciliation.models import Decision
from marketplace.reconciliation.views import bp, proposed, to
from marketplace.reconciliation.views.lines import line_page, return_form_for
from marketplace.web import actor, db_session, guard, page, try_form


@bp.get("/unapplied")
@guard(*FINANCE)
def unapplied() -> ResponseReturnValue:
    """Clients' money that no request names."""
    return page(
        "reconciliation/unapplied.html",
        lines=wires.unapplied(db_session()),
        openings=returning.openings(db_session()),
        waiting=decisions.waiting(db_session()),
        me=actor().person_id,
    )


@bp.post("/lines/<uuid:public_id>/unapplied")
@guard(*FINANCE)
def keep(public_id: uuid.UUID) -> ResponseReturnValue:
    """Keep what came in as unapplied after all."""
    wires.keep(db_session(), actor(), public_id)
    return to("line", public_id=public_id)


@bp.post("/lines/<uuid:public_id>/application")
@guard(*FINANCE)
def apply(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say for which request unapplied money came."""
    form = ApplyForm()
    reference, reason = form.reference.data or "", form.reason.data or ""
    done = try_form(form, lambda: decisions.apply(db_session(), actor(), public_id, reference, reason))
    if done is None:
        return line_page(public_id, BookForm(formdata=None), form)
    flash(proposed() if isinstance(done, Decision) else _credited(done), "success")
    return to("line", public_id=public_id)


@bp.post("/lines/<uuid:public_id>/returning")
@guard(*FINANCE)
def give_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say which unapplied money a line gave back."""
    form = return_form_for(queries.find_line(db_session(), public_id))
    source, reason = form.source.data or "", form.reason.data or ""
    done = try_form(form, lambda: decisions.give_back(db_session(), actor(), public_id, source, reason))
    if done is None:
        return line_page(public_id, BookForm(formdata=None), return_form=form)
    if isinstance(done, Decision):
        flash(proposed(), "success")
    return to("line", public_id=public_id)


@bp.post("/decisions/<uuid:public_id>/confirmation")
@guard(*FINANCE)
def confirm_decision(public_id: uuid.UUID) -> ResponseReturnValue:
    """Do what somebody else proposed about clients' money."""
    decision = decisions.confirm(db_session(), actor(), public_id)
    flash(_("Confirmed, and done."), "success")
    return to("line", public_id=decision.line.public_id)


@bp.post("/decisions/<uuid:public_id>/dropping")
@guard(*FINANCE)
def drop_decision(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a proposal about clients' money go."""
    decision = decisions.drop(db_session(), actor(), public_id)
    flash(_("Dropped. Nothing was moved."), "success")
    return to("line", public_id=decision.line.public_id)


def _credited(lot: Funding) -> str:
    return _("%(amount)s credited to %(project)s. %(difference)s",
             amount=Money(lot.net or 0, lot.currency), project=lot.project.name,
             difference=client_wires.difference(lot)).strip()  # fmt: skip
