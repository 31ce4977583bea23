"""A refusal becomes a page with a sentence, what to do next, and the request's id. Never a trace."""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, flash, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from marketplace.errors import DomainError, FreshFactorNeeded, Refused
from marketplace.i18n import gettext as _
from marketplace.logs import request_id
from marketplace.web.access import _referring_path, ask_for_factor

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
        return redirect(_referring_path(), 303)
    return _page(error.status, error.sentence)


def _forged(_error: CSRFError) -> Response:
    return _page(400, _("This page was open for too long. Go back, reload it, and send it again."))


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error
    answer = _page(status, _SENTENCES.get(status, lambda: _("The request could not be understood."))())
    for name, value in error.get_headers():
        if name.lower() == "allow":
            answer.headers[name] = value
    return answer


def _unusable(error: DataError) -> Response:
    log.info("Unusable input", extra={"kind": type(error.orig).__name__})
    return _page(404, _SENTENCES[404]())


def _busy(error: DBAPIError | PoolTimeout) -> Response:
    log.error("The database did not answer", exc_info=error)
    answer = _page(503, _SENTENCES[503]())
    answer.headers["Retry-After"] = "5"
    return answer


def _broken(error: Exception) -> Response:
    log.exception("An error nobody expected", exc_info=error)
    return _page(500, _SENTENCES[500]())


def _page(status: int, sentence: str) -> Response:
    """The error page; when even that fails (no database for the header), a bare one."""
    context = {"status": status, "title": _title(status), "sentence": sentence, "request_id": request_id()}
    try:
        text = render_template("errors/error.html", **context)
    except Exception:
        log.exception("The error page could not be rendered")
        g.bare = True
        text = render_template("errors/bare.html", **context)
    answer = make_response(text)
    answer.status_code = status
    return answer


def _title(status: int) -> str:
    named = {
        403: _("Not yours to do"),
        404: _("Not found"),
        409: _("Not possible now"),
        413: _("Too large"),
        422: _("Please check what you sent"),
        429: _("Too many tries"),
        503: _("Back in a moment"),
    }
    return named.get(status) or (
        _("Something went wrong") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _("Not understood")
    )


_SENTENCES = {
    400: lambda: _("The request could not be understood. Go back and try again."),
    404: lambda: _("There is no such page, or it is not yours to see."),
    405: lambda: _("This address does not do that. Go back and use the page's own buttons."),
    413: lambda: _("What you sent is too large. Send at most 10 MB."),
    500: lambda: _("This is our mistake, and it has been noted. Nothing was changed. Please try again."),
    503: lambda: _("The site is catching its breath. Nothing was lost; try again in a few seconds."),
}
