"""Who asks, and whether the view is theirs. Every view declares its guard; one without stops the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from marketplace.actor import Actor, Role
from marketplace.errors import FreshFactorNeeded, NotFound
from marketplace.i18n import gettext as _
from marketplace.web import unsent

V = TypeVar("V", bound=Callable[..., Any])
ANONYMOUS = Actor(person_id=None, name="")
GUARD = "__marketplace_guard__"


@dataclass(frozen=True)
class Guard:
    """Who may open a view: everybody (`public`), or who is signed in and holds one of `roles` if any."""

    roles: frozenset[Role] = frozenset()
    public: bool = False
    fresh: bool = False


def guard(*roles: Role, fresh: bool = False) -> Callable[[V], V]:
    """The view is for signed-in people, holding one of `roles` when any are named.

    `fresh` asks for a second factor given within the last minutes. Whoever lacks the role gets a 404.
    """
    return _marked(Guard(frozenset(roles), fresh=fresh))


def public(view: V) -> V:
    """The view is for everybody, signed in or not."""
    return _marked(Guard(public=True))(view)


def db_session() -> Session:
    """The session of this request, on the application's role."""
    if "db_session" not in g:
        g.db_session = current_app.extensions["new_session"]()
    session: Session = g.db_session
    return session


def actor() -> Actor:
    """Who is signed in; somebody without any rights when nobody is."""
    if "actor" not in g:
        g.actor = current_app.extensions["load_actor"]() or ANONYMOUS
    who: Actor = g.actor
    return who


def signed_in() -> bool:
    """Has this request a person behind it?"""
    return actor().person_id is not None


def safe_path(path: str | None, default: str = "/") -> str:
    """`path` when it leads to a page of this site, else `default`; never to another host."""
    if not path or not path.startswith("/") or path.startswith("//") or "\\" in path:
        return default
    parts = urlsplit(path)
    return default if parts.scheme or parts.netloc or any(ord(c) < 32 for c in path) else path


def install(
    app: Flask,
    load_actor: Callable[[], Actor | None],
    new_session: Callable[[], Session],
    end_session: Callable[[Session], None] = Session.close,
) -> None:
    """Guard every view of `app`; a session from `new_session` serves each request until `end_session`."""
    app.extensions.update(load_actor=load_actor, new_session=new_session, end_session=end_session)
    app.jinja_env.globals["form_mark"] = lambda: unsent.mark(actor().person_id)
    app.before_request(_check)
    app.teardown_request(_close)


def refuse_unguarded(app: Flask) -> None:
    """Raise RuntimeError naming each view that declares no guard."""
    missing = [name for name, view in app.view_functions.items() if not hasattr(view, GUARD)]
    if missing:
        raise RuntimeError("views without @guard or @public: " + ", ".join(sorted(missing)))


def ask_for_factor() -> Response:
    """To the page that asks for the second factor, and then back to where the person was."""
    here = request.full_path if request.method == "GET" else referring_path()
    return redirect(url_for("accounts.confirm", next=safe_path(here)), 303)


def _check() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint or "")
    rule: Guard | None = getattr(view, GUARD, None)
    if rule is None or rule.public:
        return None
    if not signed_in():
        return _to_sign_in()
    if rule.roles and not actor().has(*rule.roles):
        raise NotFound(_("There is no such page, or it is not yours to see."))
    return _check_fresh() if rule.fresh else None


def _to_sign_in() -> ResponseReturnValue:
    """To the sign-in, and then back to where the person was, with what they had typed if it can be kept."""
    if request.method != "POST":
        return redirect(url_for("accounts.sign_in", next=safe_path(request.full_path.rstrip("?"))), 303)
    if unsent.keep():
        flash(
            _("You were signed out, so nothing was saved. Sign in, and what you typed is here again."), "info"
        )
        return redirect(url_for("accounts.sign_in", next=url_for("web.unsent_form")), 303)
    if unsent.of_request():
        abort(401)
    flash(_("You were signed out, so nothing was done. Sign in, and do it again."), "info")
    return redirect(url_for("accounts.sign_in", next=referring_path()), 303)


def _check_fresh() -> Response | None:
    try:
        actor().require_fresh_factor()
    except FreshFactorNeeded:
        return ask_for_factor()
    return None


def referring_path() -> str:
    """The path of the page whose button was pressed, when it is one of this site's."""
    try:
        parts = urlsplit(request.referrer or "")
    except ValueError:
        return "/"
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return safe_path(path) if parts.netloc == request.host else "/"


def _close(_error: BaseException | None) -> None:
    session: Session | None = g.pop("db_session", None)
    if session is not None:
        current_app.extensions["end_session"](session)


def _marked(rule: Guard) -> Callable[[V], V]:
    def mark(view: V) -> V:
        setattr(view, GUARD, rule)
        return view

    return mark
