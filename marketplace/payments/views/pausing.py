"""Finance stops sending, and lets it go on."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.payments.forms import PauseForm
from marketplace.payments.runs import pausing as use
from marketplace.payments.views import bp
from marketplace.payments.views.finance import batch_page, cut_off_form, home_page
from marketplace.web import actor, db_session, guard, try_form


@bp.post("/payouts/pause")
@guard(*FINANCE)
def pause_all() -> ResponseReturnValue:
    """Nothing more is sent to any expert for now."""
    form = PauseForm()
    if try_form(form, lambda: use.pause(db_session(), actor(), None, form.reason.data or "")) is None:
        return home_page(cut_off_form(formdata=None), form)
    flash(
        _("Paused. What Stripe is being asked at this moment is finished, and nothing more begins."), "info"
    )
    return redirect(url_for("payments.batches"), 303)


@bp.post("/payouts/<uuid:batch_id>/pause")
@guard(*FINANCE)
def pause_batch(batch_id: uuid.UUID) -> ResponseReturnValue:
    """Nothing more of this batch is sent for now."""
    form = PauseForm()
    if try_form(form, lambda: use.pause(db_session(), actor(), batch_id, form.reason.data or "")) is None:
        return batch_page(batch_id, form)
    flash(
        _("Paused. What Stripe is being asked at this moment is finished, and nothing more begins."), "info"
    )
    return redirect(url_for("payments.batch", batch_id=batch_id), 303)


@bp.post("/payouts/pauses/<uuid:pause_id>/resume")
@guard(Role.FINANCE_RELEASER, fresh=True)
def resume(pause_id: uuid.UUID) -> ResponseReturnValue:
    """Let it go on."""
    found = use.resume(db_session(), actor(), pause_id)
    flash(_("Sending goes on."), "success")
    if found.batch is None:
        return redirect(url_for("payments.batches"), 303)
    return redirect(url_for("payments.batch", batch_id=found.batch.public_id), 303)
