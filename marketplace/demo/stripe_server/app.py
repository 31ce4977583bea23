"""The server's web side: Stripe's API, the hosted pages, the bank and the health check, on one port."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from marketplace.demo.stripe_server import delivery, schedule
from marketplace.demo.stripe_server.api import Api, Asked
from marketplace.demo.stripe_server.bank_pages import bank_pages
from marketplace.demo.stripe_server.hosted_pages import hosted_pages
from marketplace.demo.stripe_server.practice_pages import practice_pages
from marketplace.demo.stripe_server.store import Store, written
from marketplace.i18n import gettext, ngettext

ROOT = Path(__file__).parents[3]
LARGEST_BODY = 1_000_000  # bytes
HANGS_FOR = 60  # seconds of real time


def create_app(store: Store, keys: frozenset[str]) -> Flask:
    """The WSGI application over a store. `keys` are the API keys that are let in."""
    app = Flask(__name__, template_folder=str(ROOT / "templates" / "stripe"), static_folder=None)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    api = Api(store, keys)

    @app.route("/v1/<path:_>", methods=["GET", "POST", "DELETE"])
    @app.route("/v2/<path:_>", methods=["GET", "POST", "DELETE"])
    def stripe_api(_: str) -> Response:
        answered = api.answer(_asked())
        if answered.trouble in ON_THE_WAY:
            return ON_THE_WAY[answered.trouble]()
        return Response(
            written(answered.body),
            answered.status,
            answered.headers,
            mimetype="application/json",
        )

    @app.get("/healthz")
    def healthz() -> dict[str, object]:
        with store.reading() as transaction:
            return {
                "ok": True,
                "due": schedule.waiting(transaction),
                "undelivered": delivery.waiting(transaction),
            }

    @app.get("/assets/stripe.css")
    def stylesheet() -> Response:
        return send_from_directory(ROOT / "static", "stripe.css", max_age=300)

    @app.get("/favicon.ico")
    def no_icon() -> tuple[str, int]:
        return "", 204

    app.register_blueprint(hosted_pages(store))
    app.register_blueprint(bank_pages(store))
    app.register_blueprint(practice_pages(store))
    return app


def _hang_up() -> Response:
    """End the connection without an answer."""
    door: socket.socket = request.environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        door.shutdown(socket.SHUT_RDWR)
    return Response(status=500)


def _hang() -> Response:
    """Let the caller wait, longer than it has patience."""
    time.sleep(HANGS_FOR)
    return _hang_up()


def _garbage() -> Response:
    """What a broken proxy would say."""
    said = "<!doctype html><title>Welcome</title><h1>It works!</h1>"
    return Response(said, mimetype="text/html")


# What happens to an answer on its way, by the kind of the fault.
ON_THE_WAY: dict[str, Callable[[], Response]] = {
    "drop_before": _hang_up,
    "drop_after": _hang_up,
    "hang_before": _hang,
    "hang_after": _hang,
    "garbage": _garbage,
}


def _asked() -> Asked:
    return Asked(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("latin-1"),
        body=request.get_data(),
        headers={name.lower(): value for name, value in request.headers.items()},
        origin=request.host_url.rstrip("/"),
    )
