"""The fees: one person of finance proposes, another accepts, and each contract says which applies."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from marketplace import clock
from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.actor import FINANCE, Role
from marketplace.contracts.fees import queries, setting
from marketplace.contracts.fees.schedule import applies
from marketplace.contracts.models import Contract
from marketplace.contracts.states import OfferState
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_fees import ALL, FeeForm
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import gettext as _
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, try_form


@bp.context_processor
def _words() -> dict[str, object]:
    return {"fee_said": _said, "percent": queries.percent}


@bp.get("/fees")
@guard(*FINANCE)
def fees() -> ResponseReturnValue:
    """Every fee that was, is and will be in force, and what waits for a second person."""
    every = queries.every(db_session())
    today = clock.today("UTC")
    accepted = [each for each in every if each.state is OfferState.ACCEPTED]
    of_all = applies([each for each in accepted if each.breadth == 2], today)
    return page(
        "contracts/fees.html",
        waiting=[each for each in every if each.state is OfferState.MADE],
        accepted=accepted,
        without_effect=[each for each in every if each.state in (OfferState.DECLINED, OfferState.WITHDRAWN)],
        of_all=of_all,
        at_first=current().fee_bps,
        today=today,
        may_accept=actor().has(Role.FINANCE_RELEASER),
    )


@bp.route("/fees/new", methods=["GET", "POST"])
@guard(*FINANCE)
def new_fee() -> ResponseReturnValue:
    """Propose a fee."""
    form = FeeForm.of(_clients(), _projects(), request.args.get("whose", ALL))
    made = try_form(form, lambda: setting.propose_fee(db_session(), actor(), form.draft()))
    if made:
        flash(_("The fee waits for a colleague. Nothing changes until it is accepted."), "success")
        return redirect(url_for("contracts.fees"), 303)
    return page("contracts/new_fee.html", form=form, first=setting.first_day(db_session()))


@bp.post("/fees/<uuid:fee_id>/acceptance")
@guard(Role.FINANCE_RELEASER, fresh=True)
def accept_fee(fee_id: uuid.UUID) -> ResponseReturnValue:
    """Let it count, as the second person."""
    setting.accept_fee(db_session(), actor(), fee_id)
    flash(_("The fee is accepted, and the clients are told."), "success")
    return redirect(url_for("contracts.fees"), 303)


@bp.post("/fees/<uuid:fee_id>/refusal")
@guard(*FINANCE)
def decline_fee(fee_id: uuid.UUID) -> ResponseReturnValue:
    """Refuse it, or take one's own back."""
    setting.decline_fee(db_session(), actor(), fee_id)
    flash(_("Nothing changes. The fee stays as it is."), "success")
    return redirect(url_for("contracts.fees"), 303)


def _said(contract: Contract) -> str:
    return queries.said(contract, clock.today(contract.time_zone))


def _clients() -> list[Organization]:
    query = sa.select(Organization).filter_by(kind=OrganizationKind.CLIENT).order_by(Organization.name)
    return list(db_session().scalars(query))


def _projects() -> list[Project]:
    query = sa.select(Project).join(Project.organization).where(Project.state != ProjectState.CLOSED)
    query = query.options(joinedload(Project.organization)).order_by(Organization.name, Project.name)
    return list(db_session().scalars(query))
