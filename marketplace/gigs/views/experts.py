"""What clients do with the experts who fit: look through them, keep them in mind, invite them."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import CLIENT, Role
from marketplace.errors import Invalid
from marketplace.gigs import applications, candidates, invitations, marks, projection, watching
from marketplace.gigs.candidates import MATCH, SORTS, Misfit
from marketplace.gigs.finding.models import Cadence
from marketplace.gigs.finding.saved import cadence_word
from marketplace.gigs.invitations import Sent
from marketplace.gigs.models import Gig, label_of
from marketplace.gigs.narrowing import INVITED, Wanted
from marketplace.gigs.states import GigState, Mark
from marketplace.gigs.views import bp
from marketplace.gigs.views.access import may_write, own_gig
from marketplace.gigs.views.forms_experts import InviteForm, InviteManyForm, MarkForm, WatchForm
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.web import actor, db_session, further, guard, page, try_form


@bp.get("/gigs/<uuid:gig_id>/experts")
@guard(*CLIENT)
def experts(gig_id: uuid.UUID) -> ResponseReturnValue:
    """The experts who fit, ranked, with reasons and without anything personal."""
    return _experts(own_gig(gig_id))


@bp.post("/gigs/<uuid:gig_id>/experts/watch")
@guard(*CLIENT)
def watch(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Hear of experts who newly fit, narrowed down as the list is."""
    form = WatchForm()
    cadence = form.cadence
    if try_form(
        form, lambda: watching.watch(db_session(), actor(), gig_id, _wanted(), Cadence(cadence.data))
    ):
        flash(_("You hear of whoever comes to fit from now on."), "success")
        return redirect(_back(gig_id), 303)
    return _experts(own_gig(gig_id), watch_form=form)


@bp.post("/gigs/<uuid:gig_id>/experts/unwatch")
@guard(*CLIENT)
def unwatch(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Hear of nobody any more."""
    watching.unwatch(db_session(), actor(), gig_id)
    flash(_("You hear of nobody new for this gig."), "success")
    return redirect(_back(gig_id), 303)


@bp.post("/gigs/<uuid:gig_id>/experts/<uuid:profile>/invitation")
@guard(Role.CLIENT_ADMIN)
def invite(gig_id: uuid.UUID, profile: uuid.UUID) -> ResponseReturnValue:
    """Ask an expert to apply."""
    form = InviteForm()
    said = form.message.data or ""
    if try_form(form, lambda: invitations.invite(db_session(), actor(), gig_id, profile, said)):
        flash(_("%(who)s is invited.", who=_label(profile)), "success")
        return redirect(_back(gig_id), 303)
    return _experts(own_gig(gig_id), form, profile)


@bp.post("/gigs/<uuid:gig_id>/invitations")
@guard(Role.CLIENT_ADMIN)
def invite_many(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Ask several experts to apply: those ticked, or the best of those on the list."""
    form, gig = InviteManyForm(), own_gig(gig_id)
    sent = try_form(
        form,
        lambda: invitations.invite_many(
            db_session(), actor(), gig_id, _chosen(gig, form), form.message.data or ""
        ),
    )
    if sent:
        flash(_told(sent), "success" if sent.invited else "info")
        return redirect(_back(gig_id), 303)
    return _experts(own_gig(gig_id), many=form)


@bp.post("/gigs/<uuid:gig_id>/experts/<uuid:profile>/mark/<any(kept, aside):mark>")
@guard(Role.CLIENT_ADMIN)
def mark(gig_id: uuid.UUID, profile: uuid.UUID, mark: str) -> ResponseReturnValue:
    """Keep an expert in mind for this gig, or set them aside."""
    form = MarkForm()
    marks.mark(db_session(), actor(), gig_id, profile, Mark(mark), form.note.data or "")
    said = _("%(who)s is kept in mind.") if mark == Mark.KEPT else _("%(who)s is set aside for this gig.")
    flash(said % {"who": _label(profile)}, "success")
    return redirect(_back(gig_id), 303)


@bp.post("/gigs/<uuid:gig_id>/experts/<uuid:profile>/unmarking")
@guard(Role.CLIENT_ADMIN)
def unmark(gig_id: uuid.UUID, profile: uuid.UUID) -> ResponseReturnValue:
    """Forget what was thought of an expert."""
    marks.unmark(db_session(), actor(), gig_id, profile)
    return redirect(_back(gig_id), 303)


def _chosen(gig: Gig, form: InviteManyForm) -> list[uuid.UUID]:
    if form.which.data != "best":
        return form.who.data or []
    if not form.best.data:
        raise Invalid(_("Say how many of the best you want to invite."), field="best")
    return candidates.best(db_session(), gig, _wanted(), form.best.data)


def _told(sent: Sent) -> str:
    """How many were invited, and what became of the others."""
    parts = [ngettext("%(n)s expert is invited.", "%(n)s experts are invited.", sent.invited)]
    if sent.before:
        parts.append(ngettext("%(n)s was invited before.", "%(n)s were invited before.", sent.before))
    if sent.applied:
        parts.append(ngettext("%(n)s had applied already.", "%(n)s had applied already.", sent.applied))
    if sent.unfit:
        parts.append(ngettext("%(n)s does not fit any more.", "%(n)s do not fit any more.", sent.unfit))
    return " ".join(parts)


def _experts(
    gig: Gig,
    form: InviteForm | None = None,
    refused: uuid.UUID | None = None,
    many: InviteManyForm | None = None,
    watch_form: WatchForm | None = None,
) -> ResponseReturnValue:
    sort = request.args.get("sort", "")
    found = candidates.look_through(
        db_session(), gig, _wanted(), sort if sort in SORTS else MATCH, request.args.get("after")
    )
    return page(
        "gigs/experts.html",
        form=form or many or InviteForm(formdata=None),
        untouched=InviteForm(formdata=None),
        many=many or InviteManyForm(formdata=None),
        marking=MarkForm(formdata=None),
        refused_profile=refused,
        watched=watching.watch_of(db_session(), actor(), gig),
        watch_form=watch_form or WatchForm(formdata=None, cadence=Cadence.DAILY.value),
        cadence_word=cadence_word,
        gig=gig,
        found=found,
        misfits=_misfits(gig),
        wanted=_wanted(),
        sort=sort if sort in SORTS else MATCH,
        here=request.query_string.decode(),
        next_url=further("after", found.after) if found.after else None,
        seats=applications.seats_left(db_session(), gig),
        funded=projection.has_funds(db_session(), gig),
        may_write=may_write(gig) and gig.state is GigState.PUBLISHED,
    )


def _misfits(gig: Gig) -> list[Misfit]:
    """On the first page of the whole list, or of those who were invited."""
    wanted = _wanted()
    whole = not wanted or INVITED in wanted.stage
    return candidates.misfits(db_session(), gig) if whole and not request.args.get("after") else []


def _wanted() -> Wanted:
    return Wanted.read(request.args.to_dict(flat=False))


def _back(gig_id: uuid.UUID) -> str:
    """The list as it was looked through."""
    asked = request.query_string.decode()
    return url_for("gigs.experts", gig_id=gig_id) + (f"?{asked}" if asked else "")


def _label(profile: uuid.UUID) -> str:
    return _("Expert %(label)s", label=label_of(profile.hex))
