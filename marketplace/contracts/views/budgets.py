"""What a client settles about a project's money: how much a week may take."""

from __future__ import annotations

import uuid
from datetime import timedelta

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import Role
from marketplace.contracts.budgets import caps
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_budgets import CapForm
from marketplace.contracts.weeks import WEEK, week_of
from marketplace.gigs import find as find_gig
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.route("/projects/<uuid:project_id>/cap", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def cap(project_id: uuid.UUID) -> ResponseReturnValue:
    """The cap of a week, from the next one on."""
    project = find_gig.project(db_session(), actor(), project_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    monday = caps.next_monday()
    form = CapForm.of(project.currency, caps.in_force(db_session(), project.id, monday))
    done = try_form(
        form, lambda: caps.set_cap(db_session(), actor(), project_id, form.cents(), form.hours.data)
    )
    if done:
        flash(_("Saved. It holds from the next week on; what is reserved already stays."), "success")
        return redirect(url_for("contracts.cap", project_id=project_id), 303)
    this = week_of(clock.now(), "UTC").monday
    weeks = [this + WEEK * n for n in range(3) if this + WEEK * n <= monday + timedelta(days=7)]
    return page(
        "contracts/cap.html",
        form=form,
        project=project,
        from_on=monday,
        weeks=[
            (each, caps.taken(db_session(), project.id, each), caps.in_force(db_session(), project.id, each))
            for each in weeks
        ],
    )
