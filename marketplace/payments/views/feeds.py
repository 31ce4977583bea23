"""The calendar of an expert: the page of its secret address, and the file behind it."""

from __future__ import annotations

import hashlib

from flask import flash, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from marketplace.actor import Role
from marketplace.i18n import gettext as _
from marketplace.payments.feeds import addresses, events
from marketplace.payments.views import address, bp
from marketplace.web import actor, db_session, guard, page, public

# Seconds for which a program need not ask again.
FRESH = 900


@bp.get("/pay/calendar", endpoint="calendar")
@guard(Role.EXPERT)
def about_calendar() -> ResponseReturnValue:
    """Is there an address, and since when?"""
    return page("payments/calendar.html", feed=addresses.live_feed(db_session(), actor().id), address=None)


@bp.post("/pay/calendar")
@guard(Role.EXPERT)
def new_calendar() -> ResponseReturnValue:
    """A new address, which is shown this once."""
    token = addresses.new_address(db_session(), actor())
    feed = addresses.live_feed(db_session(), actor().id)
    here = address("payments.calendar_file", token=token)
    return page("payments/calendar.html", feed=feed, address=here)


@bp.post("/pay/calendar/end")
@guard(Role.EXPERT)
def end_calendar() -> ResponseReturnValue:
    """The address works no more."""
    if addresses.end_address(db_session(), actor()):
        flash(_("The address is ended. Programs that knew it get nothing any more."), "success")
    return redirect(url_for("payments.calendar"), 303)


@bp.get("/calendar/<token>.ics")
@public
def calendar_file(token: str) -> Response:
    """The calendar, for whoever has the address."""
    person = addresses.reader_of(db_session(), token, request.remote_addr)
    file = events.calendar(db_session(), person)
    answer = make_response(file)
    answer.headers["Content-Type"] = "text/calendar; charset=utf-8"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Cache-Control"] = f"private, max-age={FRESH}"
    answer.set_etag(hashlib.sha256(file).hexdigest())
    return answer.make_conditional(request)
