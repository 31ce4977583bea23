"""Clients' money from our bank to Stripe."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.payments import queries
from marketplace.payments import topups as use
from marketplace.payments.forms import TopUpForm
from marketplace.payments.models import TopUp
from marketplace.payments.states import TopUpState
from marketplace.payments.views import bp
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.route("/top-ups", methods=["GET", "POST"])
@guard(*FINANCE)
def top_ups() -> ResponseReturnValue:
    """All top-ups, what the bank holds, and the form for another."""
    currency = current().books_currency
    form = TopUpForm.of(currency)
    if request.method == "POST":
        made = try_form(
            form, lambda: use.prepare_top_up(db_session(), actor(), form.amount.data.amount, currency)
        )
        if made is not None:
            return redirect(url_for("payments.top_up", top_up_id=made.public_id), 303)
    elif "amount" in request.args:
        form.amount.typed = request.args["amount"]
    found = paged(db_session(), queries.top_ups_for(actor()), by=TopUp.id)
    return page(
        "payments/top_ups.html",
        form=form,
        top_ups=found,
        held=use.at_bank(db_session(), currency),
        may_prepare=actor().has(Role.FINANCE_PREPARER),
    )


@bp.get("/top-ups/<uuid:top_up_id>")
@guard(*FINANCE)
def top_up(top_up_id: uuid.UUID) -> ResponseReturnValue:
    """One top-up: who decided it, and where it is."""
    found = queries.top_up(db_session(), actor(), top_up_id)
    prepared = found.state is TopUpState.PREPARED
    return page(
        "payments/top_up.html",
        top_up=found,
        may_release=prepared and actor().has(Role.FINANCE_RELEASER) and found.prepared_by != actor().id,
        may_cancel=prepared,
    )


@bp.post("/top-ups/<uuid:top_up_id>/release")
@guard(Role.FINANCE_RELEASER, fresh=True)
def release_top_up(top_up_id: uuid.UUID) -> ResponseReturnValue:
    """Let it go."""
    use.release_top_up(db_session(), actor(), top_up_id)
    flash(_("Released. Stripe is asked to take it from our bank."), "success")
    return redirect(url_for("payments.top_up", top_up_id=top_up_id), 303)


@bp.post("/top-ups/<uuid:top_up_id>/cancel")
@guard(*FINANCE)
def cancel_top_up(top_up_id: uuid.UUID) -> ResponseReturnValue:
    """Drop it."""
    use.cancel_top_up(db_session(), actor(), top_up_id)
    flash(_("Cancelled. The money stays at the bank."), "info")
    return redirect(url_for("payments.top_ups"), 303)
