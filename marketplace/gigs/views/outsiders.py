"""Asking people who are not here yet, and the page to which the link leads them."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import Role
from marketplace.gigs import outsiders as use
from marketplace.gigs import rates as pay
from marketplace.gigs.states import GigState
from marketplace.gigs.views import bp
from marketplace.gigs.views.access import own_gig
from marketplace.gigs.views.forms_outsiders import OutsiderForm
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, public, try_form


@bp.route("/gigs/<uuid:gig_id>/outsiders", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def outsiders(gig_id: uuid.UUID) -> ResponseReturnValue:
    """Who was asked by mail, and a form to ask another."""
    form = OutsiderForm()
    if try_form(form, lambda: _ask(gig_id, form)):
        flash(_("The invitation is on its way to %(email)s.", email=form.email.data), "success")
        return redirect(url_for("gigs.outsiders", gig_id=gig_id), 303)
    gig = own_gig(gig_id)
    asked = use.asked_by(db_session(), gig)
    open_ = gig.state is GigState.PUBLISHED
    return page("gigs/outsiders.html", form=form, gig=gig, asked=asked, open=open_, now=clock.now())


@bp.get("/invited/<token>")
@public
def invited(token: str) -> ResponseReturnValue:
    """Where the link in the mail leads: the gig, and what to do about it."""
    asked = use.find_asked(db_session(), token)
    return page(
        "gigs/invited.html",
        token=token,
        asked=asked,
        gig=asked.gig,
        rates=pay.rates_of(db_session(), asked.gig),
        open=asked.gig.state is GigState.PUBLISHED,
        is_expert=actor().has(Role.EXPERT),
        signed_in=actor().person_id is not None,
    )


@bp.post("/invited/<token>/take")
@guard(Role.EXPERT)
def take_invitation(token: str) -> ResponseReturnValue:
    """Put the invitation among one's own."""
    gig = use.take(db_session(), actor(), token)
    return redirect(url_for("gigs.show", gig_id=gig.public_id), 303)


@bp.post("/invited/<token>/refusal")
@public
def refuse_mail(token: str) -> ResponseReturnValue:
    """No more mail of this kind, of anybody."""
    use.refuse(db_session(), token)
    return page("gigs/no_more_mail.html")


def _ask(gig_id: uuid.UUID, form: OutsiderForm) -> object:
    return use.ask(db_session(), actor(), gig_id, form.email.data or "", form.message.data or "")
