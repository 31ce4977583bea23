"""The first page: for a stranger what this is, for everybody else what waits for them."""

from __future__ import annotations

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from marketplace.home.desk import desks
from marketplace.web import actor, db_session, page, public
from marketplace.web.access import signed_in

bp = Blueprint("home", __name__)


@bp.get("/")
@public
def index() -> ResponseReturnValue:
    """The desk of whoever is signed in."""
    if not signed_in():
        return page("home/welcome.html")
    currency = current_app.config["SETTINGS"].books_currency
    return page("home/index.html", desks=desks(db_session(), actor(), currency))


import marketplace.home.views.finance  # noqa: E402, F401
