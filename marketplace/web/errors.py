"""A refusal becomes a page with a sentence, what to do next, and the request's id. Never a trace."""

from __future__ import annotations

import logging
from contextlib import suppress
from itertools import accumulate
from urllib.parse import urlsplit

from flask import Flask, current_app, flash, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

from marketplace.actor import Actor
from marketplace.errors import DomainError, FreshFactorNeeded, Refused
from marketplace.i18n import gettext as _
from marketplace.logs import request_id
from marketplace.web import unsent
from marketplace.web.access import ask_for_factor, db_session, referring_path

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Answer every error of `app` in words."""
    app.register_error_handler(DomainError, _refusal)
    app.register_error_handler(CSRFError, _forged)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DataError, _unusable)
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(PoolTimeout, _busy)
    app.register_error_handler(Exception, _broken)


def _refusal(error: DomainError) -> ResponseReturnValue:
    if isinstance(error, FreshFactorNeeded):
        return ask_for_factor()
    if isinstance(error, Refused) and request.method == "POST" and request.referrer:
        # A button that is no longer allowed: back to the page, which shows how things stand now.
        flash(error.sentence, "error")
        return redirect(referring_path(), 303)
    return _page(error.status, error.sentence)


def _forged(_error: CSRFError) -> Response:
    return _page(
        400, _("This page was open for too long, so nothing was saved. Reload it, and send it again.")
    )


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error
    if isinstance(error, MethodNotAllowed) and (where := _page_of_form()):
        flash(_("A form was sent to that address once. Nothing was sent now: this is its page."), "info")
        return redirect(where, 303)
    answer = _page(status)
    answer.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
    return answer


def _page_of_form() -> str | None:
    """For a browser at an address that only takes forms, as when a phone brings back the page of a refused
    one: the page from which it came, else the nearest above the address. None when there is none."""
    if request.method not in ("GET", "HEAD") or "text/html" not in request.headers.get("Accept", ""):
        return None
    from_page, above = referring_path(), accumulate(request.path.split("/"), "{}/{}".format)
    nearest_first = [from_page, *reversed(list(above))]
    return next(
        (each for each in nearest_first if urlsplit(each).path not in ("", "/") and _opens(each)), None
    )


def _opens(path: str) -> bool:
    adapter = current_app.create_url_adapter(request)
    return adapter is not None and adapter.test(urlsplit(path).path, method="GET")


def _unusable(error: DataError) -> Response:
    log.info("Unusable input", extra={"kind": type(error.orig).__name__})
    _let_go()
    return _page(404)


def _busy(error: OperationalError | PoolTimeout) -> Response:
    log.error("The database did not answer", exc_info=error)
    _let_go()
    answer = _page(503)
    answer.headers["Retry-After"] = "5"
    return answer


def _broken(error: Exception) -> Response:
    log.exception("An error nobody expected", exc_info=error)
    _let_go()
    return _page(500)


def _let_go() -> None:
    """End what the request had begun: in a transaction that broke, the page could not ask for anything."""
    with suppress(SQLAlchemyError):
        db_session().rollback()


def _page(status: int, sentence: str | None = None) -> Response:
    """The error page in its standing words, or with `sentence`; a bare one when even that fails."""
    context = {"status": status, "sentence": sentence, "request_id": request_id(), "unsent": _typed()}
    try:
        text = render_template("errors/error.html", **context)
    except Exception:
        log.exception("The error page could not be rendered")
        # Not by Flask, which would ask again for what could not be had.
        text = current_app.jinja_env.get_template("errors/bare.html").render(context)
    answer = make_response(text)
    answer.status_code = status
    return answer


def _typed() -> unsent.Unsent | None:
    """What was typed into the form that is refused; not the words that a stranger put into it."""
    found = unsent.of_request()
    who: Actor | None = g.get("actor")
    if found is None or who is None or who.person_id not in (None, found.person_id):
        return None
    return found
