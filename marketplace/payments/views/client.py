"""A client funds a project and sees what became of each payment."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import CLIENT, FINANCE, Role
from marketplace.contracts.budgets import standing
from marketplace.contracts.credit import cover
from marketplace.contracts.queries import burn_down
from marketplace.contracts.spending import spending
from marketplace.gigs import find
from marketplace.i18n import gettext as _
from marketplace.payments import fees, fundings, queries, wires
from marketplace.payments.debts.queries import owed_by
from marketplace.payments.forms import FundForm
from marketplace.payments.models import Funding
from marketplace.payments.states import FundingState, Rail
from marketplace.payments.tasks import gateway
from marketplace.payments.views import address, bp
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.route("/projects/<uuid:project_id>/funding", methods=["GET", "POST"])
@guard(*CLIENT, *FINANCE, Role.OPERATOR)
def fund(project_id: uuid.UUID) -> ResponseReturnValue:
    """How much, and by which way; below it what was paid before."""
    project, today = find.project(db_session(), actor(), project_id), clock.now().date()
    form = FundForm.of(project.currency)
    if request.method == "POST":
        lot = try_form(
            form,
            lambda: fundings.prepare_funding(
                db_session(), actor(), project_id, form.amount.data.amount, Rail(form.rail.data)
            ),
        )
        if lot is not None:
            return redirect(url_for("payments.lot", funding_id=lot.public_id), 303)
    project = find.project(db_session(), actor(), project_id)
    lots = paged(db_session(), queries.fundings_of(actor(), project.id), by=Funding.id)
    may_fund = actor().has(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    burn = burn_down(db_session(), project)
    owed = owed_by(db_session(), project)
    missing = owed or standing.to_add(db_session(), project, burn.free)
    if missing is not None and request.method == "GET":
        form.amount.data = fees.at_least(missing)
    return page(
        "payments/fund.html",
        form=form,
        missing=missing,
        owed=owed,
        credit=cover.standing_of(db_session(), project),
        project=project,
        lots=lots,
        burn=burn,
        on_tests=spending(db_session(), project, burn.spent).tests,
        costs=fees.costs(project.currency, today),
        may_fund=may_fund,
    )


@bp.get("/fundings/<uuid:funding_id>")
@guard(*CLIENT, *FINANCE, Role.OPERATOR)
def lot(funding_id: uuid.UUID) -> ResponseReturnValue:
    """One payment: what it is for, what it costs, and where it stands."""
    found = queries.funding(db_session(), actor(), funding_id)
    may_pay = actor().has(Role.CLIENT_ADMIN, organization_id=found.organization_id)
    unpaid = found.state in (FundingState.PREPARED, FundingState.OPEN)
    mine = actor().has(*CLIENT, organization_id=found.project.organization_id)
    wire = found.rail is Rail.WIRE
    return page(
        "payments/lot.html",
        lot=found,
        may_pay=may_pay and unpaid and not wire,
        mine=mine,
        bank=wires.account_for(found.currency) if wire else None,
        difference=wires.difference(found) if wire else "",
        reference=wires.written(found.reference) if found.reference else "",
    )


@bp.post("/fundings/<uuid:funding_id>/checkout")
@guard(Role.CLIENT_ADMIN)
def checkout(funding_id: uuid.UUID) -> ResponseReturnValue:
    """On to Stripe's page, unless there is nothing to pay any more."""
    here = url_for("payments.lot", funding_id=funding_id)
    url = fundings.open_checkout(
        db_session(),
        gateway(),
        actor(),
        funding_id,
        return_url=address("payments.came_back", funding_id=funding_id),
        cancel_url=address("payments.lot", funding_id=funding_id),
    )
    if url is None:
        flash(_("This payment needs nothing more from you."), "info")
    return redirect(url or here, 303)


@bp.get("/fundings/<uuid:funding_id>/return")
@guard(*CLIENT)
def came_back(funding_id: uuid.UUID) -> ResponseReturnValue:
    """Stripe sends the browser here; what really happened, Stripe is asked."""
    found = queries.funding(db_session(), actor(), funding_id)
    if found.session_id is not None:
        fundings.settle_funding(db_session(), gateway(), found.session_id)
    return redirect(url_for("payments.lot", funding_id=funding_id), 303)
