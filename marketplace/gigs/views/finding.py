"""What experts keep of their searching: saved searches, alerts, hidden gigs."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.errors import NotFound
from marketplace.gigs import find
from marketplace.gigs.finding import hiding, saved, telling
from marketplace.gigs.finding.facets import described
from marketplace.gigs.finding.lists import BOOKS
from marketplace.gigs.finding.models import Cadence, HiddenGig, HideReason
from marketplace.gigs.finding.search import Search
from marketplace.gigs.models import ExpertProfile
from marketplace.gigs.views import bp
from marketplace.gigs.views.forms_finding import CadenceForm, HideForm, SearchForm
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, paged, public, try_form
from marketplace.web.security import csrf


@bp.get("/gigs/searches")
@guard(Role.EXPERT)
def searches() -> ResponseReturnValue:
    """One's saved searches, and how soon one hears of gigs."""
    return _searches()


@bp.route("/gigs/searches/new", methods=["GET", "POST"])
@guard(Role.EXPERT)
def save_search() -> ResponseReturnValue:
    """Keep the search whose address one came from."""
    form, search = SearchForm(cadence=Cadence.DAILY.value), Search.read(request.args.to_dict(flat=False))
    if try_form(
        form,
        lambda: saved.save_search(
            db_session(), actor(), form.name.data or "", search, Cadence(form.cadence.data)
        ),
    ):
        flash(_("The search is saved."), "success")
        return redirect(url_for("gigs.searches"), 303)
    return page("gigs/save_search.html", form=form, search=search, said=_said(search))


@bp.route("/gigs/searches/<uuid:search_id>", methods=["GET", "POST"])
@guard(Role.EXPERT)
def change_search(search_id: uuid.UUID) -> ResponseReturnValue:
    """Another name or another cadence."""
    kept = saved.own(db_session(), actor(), search_id)
    form = SearchForm(name=kept.name, cadence=kept.cadence.value)
    if try_form(
        form,
        lambda: saved.change_search(
            db_session(), actor(), search_id, form.name.data or "", Cadence(form.cadence.data)
        ),
    ):
        flash(_("The search is changed."), "success")
        return redirect(url_for("gigs.searches"), 303)
    search = saved.search_of(kept)
    return page("gigs/save_search.html", form=form, search=search, said=_said(search), kept=kept)


@bp.post("/gigs/searches/<uuid:search_id>/deletion")
@guard(Role.EXPERT)
def delete_search(search_id: uuid.UUID) -> ResponseReturnValue:
    """Keep it no longer."""
    saved.delete_search(db_session(), actor(), search_id)
    flash(_("The search is deleted."), "success")
    return redirect(url_for("gigs.searches"), 303)


@bp.post("/gigs/alerts")
@guard(Role.EXPERT)
def set_cadence() -> ResponseReturnValue:
    """How soon one hears of gigs that suit."""
    form = CadenceForm()
    cadence = form.cadence
    if try_form(form, lambda: saved.set_cadence(db_session(), actor(), Cadence(cadence.data)) or True):
        flash(_("We tell you as you chose."), "success")
        return redirect(url_for("gigs.searches"), 303)
    return _searches(form)


@bp.route("/gigs/<uuid:gig_id>/hiding", methods=["GET", "POST"])
@guard(Role.EXPERT)
def hide(gig_id: uuid.UUID) -> ResponseReturnValue:
    """See a gig no more."""
    form, gig = HideForm(), find.gig(db_session(), actor(), gig_id)
    reason = form.reason
    if try_form(
        form,
        lambda: (
            hiding.hide(db_session(), actor(), gig_id, HideReason(reason.data), form.note.data or "") or True
        ),
    ):
        flash(_("You do not see it any more. It stands among your hidden gigs."), "success")
        return redirect(url_for("gigs.browse"), 303)
    return page("gigs/hide.html", form=form, gig=gig)


@bp.get("/gigs/hidden")
@guard(Role.EXPERT)
def hidden() -> ResponseReturnValue:
    """The gigs that one has hidden."""
    found = paged(db_session(), hiding.hidden(actor()), by=HiddenGig.gig_id)
    return page("gigs/hidden.html", hidden=found, reason_word=hiding.reason_word)


@bp.post("/gigs/<uuid:gig_id>/showing")
@guard(Role.EXPERT)
def show_again(gig_id: uuid.UUID) -> ResponseReturnValue:
    """See a gig again."""
    hiding.show_again(db_session(), actor(), gig_id)
    flash(_("You see it again."), "success")
    return redirect(url_for("gigs.hidden"), 303)


@bp.get("/alerts/off/<token>")
@public
def alerts_off(token: str) -> ResponseReturnValue:
    """Where the link in a mail leads: one button, and no sign-in."""
    _person_of(token)
    return page("gigs/alerts_off.html", token=token, off=False)


@bp.post("/alerts/off/<token>")
@public
def turn_alerts_off(token: str) -> ResponseReturnValue:
    """By the button, or by the mail program itself (RFC 8058), which knows no form's token."""
    saved.turn_off(db_session(), _person_of(token))
    return page("gigs/alerts_off.html", token=token, off=True)


csrf.exempt(turn_alerts_off)


def _searches(form: CadenceForm | None = None) -> ResponseReturnValue:
    return page(
        "gigs/searches.html",
        form=form or CadenceForm(cadence=saved.cadence_of(db_session(), actor().id).value),
        searches=[
            (each, _said(saved.search_of(each))) for each in saved.saved_searches(db_session(), actor())
        ],
        cadence_word=saved.cadence_word,
    )


def _said(search: Search) -> list[str]:
    profile = db_session().get(ExpertProfile, actor().id)
    return described(search, profile.currency if profile else BOOKS)


def _person_of(token: str) -> uuid.UUID:
    person = telling.person_of(token)
    if person is None:
        raise NotFound(_("This link is not whole. Copy all of it from the mail."))
    return person
