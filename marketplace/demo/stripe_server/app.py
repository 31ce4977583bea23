"""The server's web side: Stripe's API, the hosted pages, the bank and the health check, on one port."""

from __future__ import annotations

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


def _asked() -> Asked:
    return Asked(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("latin-1"),
        body=request.get_data(),
        headers={name.lower(): value for name, value in request.headers.items()},
        origin=request.host_url.rstrip("/"),
    )
