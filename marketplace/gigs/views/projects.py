"""What a client's administrator settles for a whole project."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.gigs import billing as use
from marketplace.gigs import find, queries
from marketplace.gigs.views import bp
from marketplace.gigs.views.forms_projects import BillingForm
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.route("/projects/<uuid:project_id>/billing", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def billing(project_id: uuid.UUID) -> ResponseReturnValue:
    """The purchase order, and where each gig is booked."""
    project = find.project(db_session(), actor(), project_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    gigs = queries.gigs_of(db_session(), project)
    form = BillingForm.of(project, gigs)
    changed = try_form(
        form,
        lambda: use.change_billing(
            db_session(),
            actor(),
            project_id,
            form.purchase_order.data,
            form.cost_centre.data,
            form.of_gigs(gigs),
        ),
    )
    if changed:
        flash(_("Saved. The next invoice carries it, and the costs are shown under it."), "success")
        return redirect(url_for("gigs.project", project_id=project_id), 303)
    return page(
        "gigs/billing.html",
        form=form,
        project=project,
        gigs=gigs,
        changes=use.changes(db_session(), project, gigs),
    )
