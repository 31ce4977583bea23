"""What clients do: start projects, see who fits, invite, answer applications."""

from __future__ import annotations

import uuid

from flask import current_app, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import CLIENT, Role
from marketplace.gigs import (
    applications,
    find,
    fit,
    queries,
)
from marketplace.gigs import projects as use
from marketplace.gigs.forms import DeclineForm, ProjectForm
from marketplace.gigs.masking import written
from marketplace.gigs.models import Application, Gig, Project
from marketplace.gigs.views import bp
from marketplace.gigs.views.access import chosen_company, may_write, own_gig
from marketplace.i18n import gettext as _
from marketplace.matching.words import Voice
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/projects")
@guard(*CLIENT)
def projects() -> ResponseReturnValue:
    """The projects of one's organizations, with the money that each has."""
    found = paged(db_session(), queries.projects(actor()), by=Project.id)
    return page(
        "gigs/projects.html",
        projects=found,
        funds={each.id: queries.funds(db_session(), each) for each in found},
        may_start=actor().has(Role.CLIENT_ADMIN),
    )


@bp.route("/projects/new", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def new_project() -> ResponseReturnValue:
    """Start a project."""
    form = ProjectForm()
    mine, chosen = chosen_company()
    currency = current_app.config["SETTINGS"].books_currency
    made = try_form(
        form,
        lambda: use.create_project(db_session(), actor(), chosen, form.draft(currency)),
    )
    if made:
        return redirect(url_for("gigs.project", project_id=made.public_id), 303)
    return page("gigs/new_project.html", form=form, organizations=mine, chosen=str(chosen))


@bp.get("/projects/<uuid:project_id>")
@guard(*CLIENT)
def project(project_id: uuid.UUID) -> ResponseReturnValue:
    """One project: its money and its gigs."""
    found = find.project(db_session(), actor(), project_id)
    gigs = queries.gigs_of(db_session(), found)
    return page(
        "gigs/project.html",
        project=found,
        gigs=gigs,
        counts=queries.counts(db_session(), [gig.id for gig in gigs]),
        funds=queries.funds(db_session(), found),
        may_write=actor().has(Role.CLIENT_ADMIN, organization_id=found.organization_id),
    )


@bp.get("/gigs/<uuid:gig_id>/applications")
@guard(*CLIENT)
def received(gig_id: uuid.UUID) -> ResponseReturnValue:
    """The applications for a gig, the best match first."""
    return _received(own_gig(gig_id))


@bp.post("/applications/<uuid:application_id>/shortlist")
@guard(Role.CLIENT_ADMIN)
def shortlist(application_id: uuid.UUID) -> ResponseReturnValue:
    """Keep an application in mind."""
    application = applications.shortlist(db_session(), actor(), application_id)
    return redirect(url_for("gigs.received", gig_id=application.gig.public_id), 303)


@bp.route("/applications/<uuid:application_id>/refusal", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def decline(application_id: uuid.UUID) -> ResponseReturnValue:
    """Say no, with reasons."""
    application = find.application(db_session(), actor(), application_id)
    form = DeclineForm()
    done = try_form(
        form,
        lambda: applications.decline_application(
            db_session(), actor(), application_id, form.reason_code.data, form.explanation.data or ""
        ),
    )
    if done:
        flash(_("The application is declined, and the expert knows why."), "success")
        return redirect(url_for("gigs.received", gig_id=application.gig.public_id), 303)
    return page("gigs/decline.html", form=form, application=application, label=_label(application))


def _received(gig: Gig) -> ResponseReturnValue:
    best_first = (Application.score, Application.id)
    asking, answered = (queries.applications_for(gig, waiting=waits) for waits in (True, False))
    waiting = paged(db_session(), asking, by=best_first, name="waiting")
    over = paged(db_session(), answered, by=best_first)
    found = [*waiting, *over]
    ids = [each.person_id for each in found]
    return page(
        "gigs/received.html",
        gig=gig,
        waiting=waiting,
        over=over,
        profiles=queries.profiles_of(db_session(), ids),
        held=queries.credentials_of(db_session(), ids),
        explained={each.id: fit.explained(each.explanation, Voice.CLIENT) for each in found},
        written=written,
        may_write=may_write(gig),
    )


def _label(application: Application) -> str:
    profile = queries.profiles_of(db_session(), [application.person_id])[application.person_id]
    return _("Expert %(label)s", label=profile.label)
