"""The composition root of the site: settings, slices, guards and error pages put together."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from flask import Blueprint, Flask, request
from sqlalchemy.orm import Session
from werkzeug.middleware.proxy_fix import ProxyFix

from marketplace import design, embedded, i18n, proofs, tasks
from marketplace.accounts import websession
from marketplace.db import new_session as session_on
from marketplace.home import navigation
from marketplace.icons import icon
from marketplace.matching import rules
from marketplace.money import Money
from marketplace.settings import Settings
from marketplace.web import access, errors, files, security, site

ROOT = Path(__file__).parent.parent
SLICES = (
    "accounts",
    "reasons",
    "notifications",
    "messages",
    "ledger",
    "credentials",
    "gigs",
    "contracts",
    "payments",
    "reconciliation",
    "home",
)


def create_app(
    settings: Settings,
    *,
    new_session: Callable[[], Session] | None = None,
    end_session: Callable[[Session], None] = Session.close,
) -> Flask:
    """The site. Without `new_session` it uses the database that the settings name."""
    app = Flask("marketplace", root_path=str(ROOT), static_folder=None, template_folder="templates")
    app.config.update(SECRET_KEY=settings.secret_key, SETTINGS=settings)
    tasks.register()
    # Each slice adds to what must hold before a month closes when its proofs are read.
    proofs.every()
    site.install(app)
    files.install(app, ROOT / "static")
    websession.install(app, settings)
    access.install(app, websession.current_actor, new_session or _sessions(settings), end_session)
    security.install(app, settings)
    errors.install(app)
    _speak(app)
    for blueprint in _blueprints(settings):
        app.register_blueprint(blueprint)
    navigation.install(app)
    access.refuse_unguarded(app)
    app.before_request(_match_by_the_newest_rules)
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    return app


def _sessions(settings: Settings) -> Callable[[], Session]:
    url = embedded.ensure(settings).app_url
    return lambda: session_on(url)


def _match_by_the_newest_rules() -> None:
    if request.endpoint and request.endpoint not in site.QUIET:
        rules.use(access.db_session())


def _blueprints(settings: Settings) -> list[Blueprint]:
    found = [import_module(f"marketplace.{name}.views").bp for name in SLICES]
    found += [design.bp, import_module("marketplace.payments.webhooks").bp]
    if settings.environment == "demo":
        found.append(import_module("marketplace.demo.views").bp)
    return found


def _speak(app: Flask) -> None:
    """Give the templates the words, dates, amounts and icons that every page uses."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals.update(icon=icon, Money=Money, zone_name=i18n.zone_name)
    app.jinja_env.filters.update(day=i18n.day, moment=i18n.moment, number=i18n.number, zoned=i18n.zoned)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
