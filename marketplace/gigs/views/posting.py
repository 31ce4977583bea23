"""What clients do with a gig of their own: write it, publish it, follow how it goes."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import CLIENT, Role
from marketplace.errors import Invalid, Refused
from marketplace.gigs import (
    applications,
    autosaves,
    consequences,
    drafts,
    find,
    moderation,
    projection,
    publishing,
    queries,
)
from marketplace.gigs import funnel as funnels
from marketplace.gigs import rates as pay
from marketplace.gigs.forms import GigForm
from marketplace.gigs.models import Gig
from marketplace.gigs.states import GigState
from marketplace.gigs.views import bp
from marketplace.gigs.views.access import may_write, own_gig
from marketplace.gigs.views.sheet import Sheet
from marketplace.i18n import gettext as _
from marketplace.i18n import time_of_day
from marketplace.matching import skills
from marketplace.web import actor, db_session, guard, page, try_form

# The name of the button that saves nothing; and what is no part of what was typed.
COUNT = "count"
OURS = ("csrf_token", "typed", "unsent", "autosave", COUNT)


@bp.route("/projects/<uuid:project_id>/gigs/new", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def new_gig(project_id: uuid.UUID) -> ResponseReturnValue:
    """Write a gig."""
    sheet = Sheet(find.project(db_session(), actor(), project_id))
    form = sheet.form()
    made = _sent(form, lambda: drafts.draft_gig(db_session(), actor(), project_id, form.draft()))
    if made:
        return redirect(url_for("gigs.preview", gig_id=made.public_id), 303)
    return sheet.page(form)


@bp.route("/gigs/<uuid:gig_id>/edit", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def edit(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Change what a gig says."""
    gig = own_gig(gig_id)
    sheet = Sheet(gig.project, gig)
    form = sheet.form()
    if _sent(form, lambda: _change(gig, form)):
        there = "gigs.preview" if gig.state is GigState.DRAFT else "gigs.change"
        return redirect(url_for(there, gig_id=gig_id), 303)
    return sheet.page(form)


@bp.get("/gigs/<uuid:gig_id>/change")
@guard(Role.CLIENT_ADMIN)
def change(gig_id: uuid.UUID) -> ResponseReturnValue:
    """What a change of a published gig would bring about, before it is made."""
    gig = own_gig(gig_id)
    sheet = Sheet(gig.project, gig)
    draft = sheet.waiting()
    if draft is None:
        return redirect(url_for("gigs.edit", gig_id=gig_id), 303)
    found = consequences.of_change(db_session(), gig, draft)
    return page("gigs/change.html", gig=gig, found=found, kept=sheet.kept())


@bp.post("/gigs/<uuid:gig_id>/change")
@guard(Role.CLIENT_ADMIN)
def publish_change(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Make the change that was looked at."""
    gig = own_gig(gig_id)
    draft = Sheet(gig.project, gig).waiting()
    version, typed = (request.form.get(name, 0, type=int) for name in ("version", "kept"))
    if draft is None:
        flash(_("There is no change to publish: it was published or dropped already."), "info")
        return redirect(url_for("gigs.manage", gig_id=gig_id), 303)
    try:
        consequences.publish_change(db_session(), actor(), gig_id, draft, version, typed)
    except (Refused, Invalid) as refusal:
        flash(refusal.sentence, "error")
        return redirect(url_for("gigs.change", gig_id=gig_id), 303)
    flash(_("The change is published. Those whom it concerns are told."), "success")
    return redirect(url_for("gigs.manage", gig_id=gig_id), 303)


@bp.post("/projects/<uuid:project_id>/reach")
@guard(Role.CLIENT_ADMIN)
def reach(project_id: uuid.UUID) -> ResponseReturnValue:
    """How many experts fit what is typed, for the margin of the form. Nothing is saved."""
    project = find.project(db_session(), actor(), project_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    return page("gigs/_reach.html", reach=Sheet(project).reach())


@bp.post("/projects/<uuid:project_id>/autosave")
@guard(Role.CLIENT_ADMIN)
def autosave(project_id: uuid.UUID) -> ResponseReturnValue:
    """Keep what is typed into the form of a new gig."""
    return _keep(project_id, None)


@bp.post("/gigs/<uuid:gig_id>/autosave")
@guard(Role.CLIENT_ADMIN)
def gig_autosave(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Keep what is typed into the form of a gig."""
    return _keep(own_gig(gig_id).project.public_id, gig_id)


@bp.post("/projects/<uuid:project_id>/autosave/removal")
@guard(Role.CLIENT_ADMIN)
def drop_autosave(project_id: uuid.UUID) -> ResponseReturnValue:
    """Forget what was typed of a new gig."""
    autosaves.drop(db_session(), actor(), project_id, None)
    return redirect(url_for("gigs.new_gig", project_id=project_id), 303)


@bp.post("/gigs/<uuid:gig_id>/autosave/removal")
@guard(Role.CLIENT_ADMIN)
def drop_gig_autosave(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Forget what was typed, and show the gig as it is."""
    autosaves.drop(db_session(), actor(), own_gig(gig_id).project.public_id, gig_id)
    return redirect(url_for("gigs.edit", gig_id=gig_id), 303)


@bp.post("/gigs/<uuid:gig_id>/copies")
@guard(Role.CLIENT_ADMIN)
def duplicate(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Draft another gig that says the same."""
    copied = drafts.duplicate_gig(db_session(), actor(), gig_id)
    flash(_("This is a copy, as a draft. Change what differs, and say when it begins."), "success")
    return redirect(url_for("gigs.edit", gig_id=copied.public_id), 303)


@bp.get("/gigs/<uuid:gig_id>/preview")
@guard(*CLIENT)
def preview(gig_id: uuid.UUID) -> ResponseReturnValue:
    """The gig as experts will see it, and what is still missing."""
    gig = own_gig(gig_id)
    return page(
        "gigs/preview.html",
        gig=gig,
        gaps=publishing.gaps_of(gig),
        rates=pay.rates_of(db_session(), gig),
        heard=skills.heard(db_session(), gig.skills),
        may_publish=gig.state in (GigState.DRAFT, GigState.PAUSED),
        funded=projection.has_funds(db_session(), gig),
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
        funnel=funnels.funnel(db_session(), gig),
        statement=moderation.statement_of(db_session(), gig),
        reader=actor().person_id,
        rates=pay.rates_of(db_session(), gig),
        seats=applications.seats_left(db_session(), gig),
        funded=projection.has_funds(db_session(), gig),
        may_write=may_write(gig),
    )


@bp.post("/gigs/<uuid:gig_id>/publication")
@guard(Role.CLIENT_ADMIN)
def publish(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Show the gig to experts."""
    gig = publishing.publish_gig(db_session(), actor(), gig_id)
    if not projection.has_funds(db_session(), gig):
        flash(_("The gig is published. Nobody finds it until the project has money for it."), "success")
        return redirect(url_for("gigs.manage", gig_id=gig_id), 303)
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


def _change(gig: Gig, form: GigForm) -> Gig:
    """Save a draft; of a gig that is published, show first what the change brings about."""
    said = db_session(), actor(), gig.public_id, form.draft(), form.opened
    try:
        if gig.state is GigState.DRAFT:
            return drafts.edit_gig(*said)
        return consequences.propose_change(*said, _fields(), _autosave())
    except drafts.Outdated:
        # They are told; whoever sends it again means it.
        form.version.data = str(gig.version)
        raise


def _keep(project_id: uuid.UUID, gig_id: uuid.UUID | None) -> ResponseReturnValue:
    try:
        kept = autosaves.keep(db_session(), actor(), project_id, gig_id, _fields(), _autosave())
    except (Refused, Invalid) as refusal:
        return {"told": refusal.sentence}, refusal.status
    return {"told": _("Saved %(time)s", time=time_of_day(kept.saved_at)), "version": kept.version}


def _autosave() -> int:
    """The version of what is kept that the window last knew of."""
    return request.form.get("autosave", 0, type=int)


def _fields() -> list[tuple[str, str]]:
    """What was typed, as it came."""
    return [each for each in request.form.items(multi=True) if each[0] not in OURS]
