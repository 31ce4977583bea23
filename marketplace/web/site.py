"""What belongs to no slice: library files served from their wheels, health, language and request ids."""

from __future__ import annotations

import logging
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from flask import Blueprint, Flask, abort, g, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from marketplace import i18n, logs
from marketplace.web import unsent
from marketplace.web.access import actor, db_session, guard, public
from marketplace.web.pages import page

bp = Blueprint("web", __name__)
log = logging.getLogger(__name__)
QUIET = frozenset({"static", "web.asset", "web.healthz", "web.readyz"})
# Read from the wheels that carry them, so that no third-party code is kept in the project.
ASSETS = {"htmx.js": ("js_lib_htmx", "static/htmx/htmx.min.js")}


def install(app: Flask) -> None:
    """Serve the shared addresses and give each request its id."""
    app.register_blueprint(bp)
    app.before_request(_begin)
    app.after_request(_name)
    app.teardown_request(_end)


@bp.get("/assets/<name>")
@public
def asset(name: str) -> ResponseReturnValue:
    """A library's file."""
    path = _asset(name)
    if path is None:
        abort(404)
    return send_file(path, max_age=86_400, conditional=True)


@bp.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """The process answers."""
    return {"status": "ok"}


@bp.get("/readyz")
@public
def readyz() -> ResponseReturnValue:
    """The process can reach its database."""
    db_session().execute(sa.text("SELECT 1"))
    return {"status": "ready"}


@bp.get("/unsent")
@guard()
def unsent_form() -> ResponseReturnValue:
    """What was typed into a form before the person had to sign in again, and the way back to it."""
    found = unsent.kept(actor().person_id)
    return page("web/unsent_form.html", unsent=found) if found else redirect(url_for("home.index"), 303)


@cache
def _asset(name: str) -> Path | None:
    package, inside = ASSETS.get(name, ("", ""))
    spec = find_spec(package) if package else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / inside


def _begin() -> None:
    g.began = time.monotonic()
    g.about = logs.about()
    g.about.__enter__()


def _name(answer: Response) -> Response:
    """Say which request this was: in the answer, for whoever writes to us about it, and in the log."""
    answer.headers["X-Request-Id"] = logs.request_id()
    if request.endpoint not in QUIET:
        took = round((time.monotonic() - g.began) * 1000)
        log.info(
            "Answered",
            extra={
                "method": request.method,
                "endpoint": request.endpoint,
                "status": answer.status_code,
                "ms": took,
            },
        )
    return answer


def _end(error: BaseException | None) -> None:
    about = g.pop("about", None)
    if about is not None:
        about.__exit__(None, None, None)
    reading = g.pop("reading", None)
    if reading is not None:
        reading.__exit__(None, None, None)


def read_as(locale: str, zone: str) -> None:
    """Speak to the reader of this request in their language and zone."""
    g.reading = i18n.reading(locale, zone)
    g.reading.__enter__()
