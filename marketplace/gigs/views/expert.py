"""What experts do: say who they are, find gigs, see why, apply."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import reasons
from marketplace.actor import Role
from marketplace.gigs import applications, find, invitations, opening, profiles, queries, rates
from marketplace.gigs.finding import hiding, lists
from marketplace.gigs.finding.search import MATCH, SORTS, Search
from marketplace.gigs.forms import ApplyForm, ProfileForm
from marketplace.gigs.models import Application, ExpertProfile, Gig
from marketplace.gigs.states import OVER, GigState
from marketplace.gigs.views import bp
from marketplace.i18n import gettext as _
from marketplace.matching import skills
from marketplace.web import actor, db_session, further, guard, page, paged, try_form


@bp.route("/profile", methods=["GET", "POST"])
@guard(Role.EXPERT)
def profile() -> ResponseReturnValue:
    """One's own profile, where each field says what it decides."""
    kept = db_session().get(ExpertProfile, actor().id)
    form = ProfileForm.of(kept)
    if try_form(form, lambda: _save(form)):
        flash(_("Your profile is saved, and gigs are matched by it from now on."), "success")
        if any(each.alike for each in skills.heard(db_session(), form.draft().skills)):
            flash(_("One of your skills may be a slip of the pen: gigs write it differently."), "info")
            return redirect(url_for("gigs.profile", _anchor="skills"), 303)
        return redirect(url_for("gigs.browse"), 303)
    heard = skills.heard(db_session(), form.draft().skills)
    return page("gigs/profile.html", form=form, kept=kept, groups=form.domain_groups, heard=heard)


@bp.get("/gigs")
@guard(Role.EXPERT)
def browse() -> ResponseReturnValue:
    """Gigs, the best match first or the newest."""
    search, sort = Search.read(request.args.to_dict(flat=False)), request.args.get("sort")
    found = lists.find(
        db_session(), actor().id, search, sort if sort in SORTS else MATCH, request.args.get("after")
    )
    return page(
        "gigs/browse.html",
        search=search,
        found=found,
        next_url=further("after", found.after) if found.after else None,
        has_profile=db_session().get(ExpertProfile, actor().id) is not None,
        invitations=queries.invitations(db_session(), actor()),
        hidden=0 if found.rows else len(hiding.hidden_ids(db_session(), actor().id)),
    )


@bp.get("/gigs/opening", endpoint="opening")
@guard(Role.EXPERT)
def what_opens() -> ResponseReturnValue:
    """Which single changes would open the most gigs."""
    return page("gigs/opening.html", opening=opening.opening(db_session(), actor().id))


@bp.get("/gigs/<uuid:gig_id>")
@guard()
def show(gig_id: uuid.UUID) -> ResponseReturnValue:
    """One gig: to its client's people how it goes, to experts what it is and how it suits them."""
    gig = find.gig(db_session(), actor(), gig_id)
    if actor().has(Role.CLIENT_ADMIN, Role.CLIENT_APPROVER, organization_id=gig.project.organization_id):
        return redirect(url_for("gigs.manage", gig_id=gig_id), 303)
    return _show(gig, ApplyForm().ask(gig.questions))


@bp.post("/gigs/<uuid:gig_id>/applications")
@guard(Role.EXPERT)
def apply(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Apply with a note and answers."""
    form = ApplyForm()
    if try_form(form, lambda: _apply(gig_id, form)):
        flash(_("Your application is with the client. You hear from us as soon as they answer."), "success")
        return redirect(url_for("gigs.show", gig_id=gig_id), 303)
    gig = find.gig(db_session(), actor(), gig_id)
    return _show(gig, form.ask(gig.questions))


@bp.post("/gigs/<uuid:gig_id>/invitation/refusal")
@guard(Role.EXPERT)
def decline_invitation(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Say no to an invitation."""
    invitations.decline_invitation(db_session(), actor(), gig_id)
    flash(_("The invitation is declined. You can still apply if you change your mind."), "success")
    return redirect(url_for("gigs.browse"), 303)


@bp.get("/applications")
@guard(Role.EXPERT)
def own_applications() -> ResponseReturnValue:
    """One's own applications, newest first."""
    found = paged(db_session(), queries.own_applications(db_session(), actor()), by=Application.id)
    return page("gigs/own_applications.html", applications=found)


@bp.post("/applications/<uuid:application_id>/withdrawal")
@guard(Role.EXPERT)
def withdraw(application_id: uuid.UUID) -> ResponseReturnValue:
    """Take one's own application back."""
    application = applications.withdraw_application(db_session(), actor(), application_id)
    flash(_("Your application is withdrawn."), "success")
    if application.gig.state is GigState.REMOVED:
        return redirect(url_for("gigs.own_applications"), 303)
    return redirect(url_for("gigs.show", gig_id=application.gig.public_id), 303)


def _save(form: ProfileForm) -> ExpertProfile:
    try:
        return profiles.save_profile(db_session(), actor(), form.draft(), form.version.data or None)
    except profiles.Outdated as refusal:
        # They are told; whoever sends it again means it.
        form.outdated(refusal.fields, refusal.elsewhere, db_session().get_one(ExpertProfile, actor().id))
        raise


def _apply(gig_id: uuid.UUID, form: ApplyForm) -> Application:
    note, answers = form.note.data or "", form.typed()
    return applications.apply(db_session(), actor(), gig_id, note, answers)


def _show(gig: Gig, form: ApplyForm) -> ResponseReturnValue:
    is_expert = actor().has(Role.EXPERT)
    own = queries.own_application(db_session(), gig, actor().id) if is_expert else None
    application = None if own is None or own.state in OVER else own
    return page(
        "gigs/show.html",
        form=form,
        gig=gig,
        is_expert=is_expert,
        is_open=gig.state is GigState.PUBLISHED,
        rates=rates.rates_of(db_session(), gig),
        application=application,
        statement=reasons.about(db_session(), "application", application.public_id) if application else None,
        invitation=find.invitation(db_session(), gig.id, actor().id),
        explained=queries.explained_for(db_session(), gig, actor().id) if is_expert else None,
        is_hidden=is_expert and gig.id in hiding.hidden_ids(db_session(), actor().id),
        alike=lists.alike(db_session(), actor().id, gig) if is_expert else [],
    )
