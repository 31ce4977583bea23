"""A site of the design page alone, without a database, under the real security headers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from marketplace import design, i18n, settings
from marketplace.icons import icon
from marketplace.web import security, site

ROOT = Path(__file__).parents[2]
NAV = [
    {"label": "Home", "url": "/", "current": False, "icon": "house"},
    {"label": "Gigs", "url": "/design", "current": True, "icon": "search"},
]


@pytest.fixture(scope="session")
def design_app() -> Flask:
    app = Flask("marketplace", root_path=str(ROOT))
    app.config["SECRET_KEY"] = "only for tests"
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals.update(icon=icon)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    security.install(app, settings.current())
    app.register_blueprint(site.bp)
    app.register_blueprint(design.bp)
    app.context_processor(_around)
    return app


@pytest.fixture(scope="session")
def design_url(design_app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, design_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/design"
    server.shutdown()
    thread.join()
    server.server_close()


def _around() -> dict[str, Any]:
    return {"nav": NAV, "person": {"name": "Ana Okafor"}, "sign_out_url": "/out", "preferences_url": "/look"}
