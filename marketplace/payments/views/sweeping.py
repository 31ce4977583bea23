"""Our own fees out to our own bank."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments import queries
from marketplace.payments import sweeps as use
from marketplace.payments.models import Sweep
from marketplace.payments.states import SweepState
from marketplace.payments.views import bp
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged


@bp.get("/sweeps")
@guard(*FINANCE)
def sweeps() -> ResponseReturnValue:
    """All sweeps, and what the next one would take."""
    currency = current().books_currency
    found = paged(db_session(), queries.sweeps_for(actor()), by=Sweep.id)
    return page(
        "payments/sweeps.html",
        sweeps=found,
        sweepable=Money(use.sweepable(db_session(), currency), currency),
        may_prepare=actor().has(Role.FINANCE_PREPARER),
    )


@bp.post("/sweeps")
@guard(Role.FINANCE_PREPARER)
def prepare_sweep() -> ResponseReturnValue:
    """Name the postings that the next sweep takes."""
    sweep = use.prepare_sweep(db_session(), actor(), current().books_currency)
    return redirect(url_for("payments.sweep", sweep_id=sweep.public_id), 303)


@bp.get("/sweeps/<uuid:sweep_id>")
@guard(*FINANCE)
def sweep(sweep_id: uuid.UUID) -> ResponseReturnValue:
    """One sweep: what it takes, from which accounts, and where it is."""
    found = queries.sweep(db_session(), actor(), sweep_id)
    prepared = found.state == SweepState.PREPARED
    return page(
        "payments/sweep.html",
        sweep=found,
        taken=use.taken(db_session(), found),
        may_release=prepared and actor().has(Role.FINANCE_RELEASER) and found.prepared_by != actor().id,
        may_cancel=prepared,
    )


@bp.post("/sweeps/<uuid:sweep_id>/release")
@guard(Role.FINANCE_RELEASER, fresh=True)
def release_sweep(sweep_id: uuid.UUID) -> ResponseReturnValue:
    """Let it go."""
    use.release_sweep(db_session(), actor(), sweep_id)
    flash(_("Released. The fees are being sent to our bank."), "success")
    return redirect(url_for("payments.sweep", sweep_id=sweep_id), 303)


@bp.post("/sweeps/<uuid:sweep_id>/cancel")
@guard(*FINANCE)
def cancel_sweep(sweep_id: uuid.UUID) -> ResponseReturnValue:
    """Drop it; its fees can be swept again."""
    use.cancel_sweep(db_session(), actor(), sweep_id)
    flash(_("Cancelled. The fees can be swept again."), "info")
    return redirect(url_for("payments.sweeps"), 303)
