"""What operators do about gigs: look at what is published, and take down what must not be."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.gigs import find, queries
from marketplace.gigs import moderation as use
from marketplace.gigs import rates as pay
from marketplace.gigs.models import Gig
from marketplace.gigs.states import GIG_MOVES, GigState
from marketplace.gigs.views import bp
from marketplace.gigs.views.forms_moderation import ModerationForm, TakeDownForm
from marketplace.i18n import gettext as _
from marketplace.reasons import queries as reasons
from marketplace.reasons.codes import sentence
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/moderation")
@guard(Role.OPERATOR)
def moderation() -> ResponseReturnValue:
    """The published gigs, the newest first, or those that are paused or taken down."""
    form = ModerationForm(request.args)
    words, state = form.asked()
    found = paged(db_session(), use.gigs(actor(), words, state), by=Gig.id)
    return page("gigs/moderation.html", filter=form, found=found, filtered=bool(words))


@bp.route("/moderation/gigs/<uuid:gig_id>", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def moderate(gig_id: uuid.UUID) -> ResponseReturnValue:
    """One gig as an operator judges it, and the form that takes it down."""
    form = TakeDownForm()
    if try_form(form, lambda: use.take_down(db_session(), actor(), gig_id, form.reasons())):
        flash(_("The gig is taken down. Its client has the statement of reasons and can appeal."), "success")
        return redirect(url_for("gigs.moderate", gig_id=gig_id), 303)
    gig = find.gig(db_session(), actor(), gig_id)
    return page(
        "gigs/moderate.html",
        form=form,
        gig=gig,
        counts=queries.counts(db_session(), [gig.id])[gig.id],
        rates=pay.rates_of(db_session(), gig),
        may_remove=GigState.REMOVED in GIG_MOVES[gig.state],
        statement=reasons.last_about(db_session(), actor(), use.SUBJECT, gig.public_id),
        sentence=sentence,
    )
