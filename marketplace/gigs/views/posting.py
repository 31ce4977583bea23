"""What clients do with a gig of their own: write it, publish it, follow how it goes."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import CLIENT, Role
from marketplace.gigs import applications, drafts, eligible, find, projection, publishing, queries, words
from marketplace.gigs.forms import GigForm
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.states import GigState
from marketplace.gigs.views import bp
from marketplace.gigs.views.access import may_write, own_gig
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form

# The name of the button that saves nothing.
COUNT = "count"


@bp.route("/projects/<uuid:project_id>/gigs/new", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def new_gig(project_id: uuid.UUID) -> ResponseReturnValue:
    """Write a gig."""
    project = find.project(db_session(), actor(), project_id)
    form = GigForm(currency=project.currency, languages=["en"])
    made = _sent(form, lambda: drafts.draft_gig(db_session(), actor(), project_id, form.draft()))
    if made:
        return redirect(url_for("gigs.preview", gig_id=made.public_id), 303)
    return _form(form, project, None)


@bp.route("/gigs/<uuid:gig_id>/edit", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def edit(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Change what a gig says."""
    gig = own_gig(gig_id)
    form = GigForm.of(gig)
    if _sent(form, lambda: drafts.edit_gig(db_session(), actor(), gig_id, form.draft())):
        return redirect(url_for("gigs.preview", gig_id=gig_id), 303)
    return _form(form, gig.project, gig)


@bp.post("/projects/<uuid:project_id>/reach")
@guard(Role.CLIENT_ADMIN)
def reach(project_id: uuid.UUID) -> ResponseReturnValue:
    """How many experts fit what is typed, for the margin of the form. Nothing is saved."""
    project = find.project(db_session(), actor(), project_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    return page("gigs/_reach.html", reach=_reach(project))


@bp.get("/gigs/<uuid:gig_id>/preview")
@guard(*CLIENT)
def preview(gig_id: uuid.UUID) -> ResponseReturnValue:
    """The gig as experts will see it, and what is still missing."""
    gig = own_gig(gig_id)
    return page(
        "gigs/preview.html",
        gig=gig,
        gaps=publishing.gaps_of(gig),
        may_publish=gig.state in (GigState.DRAFT, GigState.PAUSED),
    )


@bp.get("/gigs/<uuid:gig_id>/overview")
@guard(*CLIENT)
def manage(gig_id: uuid.UUID) -> ResponseReturnValue:
    """How a gig goes: invited, applied, offered, started."""
    gig = own_gig(gig_id)
    return page(
        "gigs/manage.html",
        gig=gig,
        counts=queries.counts(db_session(), [gig.id])[gig.id],
        seats=applications.seats_left(db_session(), gig),
        funded=projection.has_funds(db_session(), gig),
        may_write=may_write(gig),
    )


@bp.post("/gigs/<uuid:gig_id>/publication")
@guard(Role.CLIENT_ADMIN)
def publish(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Show the gig to experts."""
    publishing.publish_gig(db_session(), actor(), gig_id)
    flash(_("The gig is published. These experts fit it best today."), "success")
    return redirect(url_for("gigs.experts", gig_id=gig_id), 303)


@bp.post("/gigs/<uuid:gig_id>/pause")
@guard(Role.CLIENT_ADMIN)
def pause(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Take no more applications for now."""
    publishing.pause_gig(db_session(), actor(), gig_id)
    flash(_("The gig is paused. Contracts go on; nobody new can apply."), "success")
    return redirect(url_for("gigs.manage", gig_id=gig_id), 303)


@bp.post("/gigs/<uuid:gig_id>/closing")
@guard(Role.CLIENT_ADMIN)
def close(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Take no more applications ever."""
    publishing.close_gig(db_session(), actor(), gig_id)
    flash(_("The gig is closed. Contracts go on until one side ends them."), "success")
    return redirect(url_for("gigs.manage", gig_id=gig_id), 303)


def _sent(form: GigForm, save: Callable[[], Gig]) -> Gig | None:
    """Save it, unless the button was the one that only counts who fits."""
    return None if COUNT in request.form else try_form(form, save)


def _form(form: GigForm, project: Project, gig: Gig | None) -> ResponseReturnValue:
    return page(
        "gigs/edit.html",
        form=form,
        project=project,
        gig=gig,
        countries=words.country_groups(),
        reach=_reach(project, gig),
    )


def _reach(project: Project, gig: Gig | None = None) -> eligible.Reach:
    """Of what was sent, or else of the gig as it is kept."""
    form = GigForm.of(gig) if gig else GigForm(currency=project.currency)
    return eligible.reach(db_session(), project, form.readable() if form.is_submitted() else form.draft())
