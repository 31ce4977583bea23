"""Flask's session, kept in `web_sessions`: the browser holds only a secret whose hash we know.

Also who is signed in, for Flask-Login and for the guards of `marketplace.web`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Flask, Request, Response, current_app, g, redirect, request, session, url_for
from flask.sessions import SessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.datastructures import CallbackDict

from marketplace import clock, crypto, i18n, logs
from marketplace.accounts import factors, sessions
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import SignIn, WebSession
from marketplace.actor import FRESH, SECOND_FACTOR, Actor
from marketplace.settings import Settings
from marketplace.web import actor, db_session, safe_path, unsent
from marketplace.web.site import read_as

KNOWN_FOR_SECONDS = 365 * 24 * 3600
MOST_KNOWN = 5
AWAITING, CHALLENGE = "awaiting_factor", "challenge"
# Files and health checks ask nothing of a session, and are asked for often.
UNKEPT = ("/static/", "/assets/", "/healthz", "/readyz")
# What a person with an open role but no second factor yet may still do.
BEFORE_FACTOR = frozenset(
    {
        "accounts.confirm", "accounts.confirm_passkey", "accounts.new_app", "accounts.new_app_submit",
        "accounts.new_passkey", "accounts.sign_out", "accounts.preferences", "accounts.sign_in",
    }
)  # fmt: skip


class BrowserSession(CallbackDict[str, Any], SessionMixin):
    """What a browser's session holds. `row` is None until there is something to keep."""

    def __init__(self, row: WebSession | None = None, token: str = "") -> None:
        def changed(this: CallbackDict[str, Any]) -> None:
            self.modified = True

        super().__init__(row.data if row else None, changed)
        self.modified = False
        self.new = row is None
        self.token = token
        self.id = row.id if row else None
        self.sign_in_id = row.sign_in_id if row else None
        self.person_id = row.sign_in.person_id if row and row.sign_in else None
        # Held, or the identity map forgets it and the person is asked for again.
        self.sign_in = row.sign_in if row else None
        self.begun_at: datetime | None = row.created_at if row else None
        self.seen_at: datetime | None = row.last_seen_at if row else None
        self.factor_at: datetime | None = row.second_factor_at if row else None
        self.set_cookie = False
        # Why it could not be read.
        self.lost: Exception | None = None


class Sessions(SessionInterface):
    """Reads the session of a request from the database and writes it back."""

    def __init__(self, settings: Settings) -> None:
        self.secure = settings.base_url.startswith("https:")
        # A browser takes a __Host- cookie only from this host, over https (RFC 6265bis 4.1.3.2).
        self.name = "__Host-session" if self.secure else "session"

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        """The session that the cookie names; an empty one when it has ended."""
        token = "" if request.path.startswith(UNKEPT) else request.cookies.get(self.name, "")
        try:
            row = sessions.find(db_session(), token) if token else None
        except (OperationalError, PoolTimeout) as error:
            # Raised again by `_speak`: without any session there would not even be a page that says so.
            lost = BrowserSession()
            lost.lost = error
            return lost
        return BrowserSession(row, token)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write what changed. A visitor who did nothing is given no cookie."""
        if not isinstance(session, BrowserSession) or session.lost:
            # The database did not answer when it was to be opened; that error has its own page.
            return
        if session.id is None and session:
            self._begin(session)
        elif session.id is not None and (session.modified or _stale(session)):
            sessions.keep(db_session(), session.id, dict(session))
        if session.set_cookie:
            response.set_cookie(
                self.name, session.token, secure=self.secure, httponly=True, samesite="Lax", path="/"
            )
            response.vary.add("Cookie")

    def _begin(self, session: BrowserSession) -> None:
        row, session.token = sessions.begin(db_session(), request.user_agent.string, dict(session))
        session.id, session.set_cookie = row.id, True


class SignedIn(UserMixin):  # type: ignore[misc]
    """Flask-Login's idea of a user: a sign-in whose session is live."""

    def __init__(self, person_id: int, sign_in_id: int) -> None:
        self.id = sign_in_id
        self.person_id = person_id


def install(app: Flask, settings: Settings) -> None:
    """Keep the sessions of `app` in the database, and tell Flask-Login who is signed in."""
    app.session_interface = Sessions(settings)
    app.config["SESSION_PROTECTION"] = None
    login = LoginManager(app)

    @login.request_loader  # type: ignore[untyped-decorator]
    def load(_request: Request) -> SignedIn | None:
        here = current()
        if here.person_id is None or here.sign_in_id is None:
            return None
        return SignedIn(here.person_id, here.sign_in_id)

    app.before_request(_speak)
    app.before_request(_require_factor)
    app.after_request(_add_known_cookie)
    app.context_processor(_looks)


def current() -> BrowserSession:
    """The session of this request."""
    here = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(here, BrowserSession)
    return here


def current_actor() -> Actor | None:
    """Who is signed in. Roles that need a second factor count once it was given in this session."""
    here = current()
    if here.person_id is None:
        return None
    who = actor_for(
        db_session(), here.person_id, request_id=logs.request_id(), second_factor_at=here.factor_at
    )
    g.needs_factor = here.factor_at is None and who.has(*SECOND_FACTOR)
    if g.needs_factor:
        open_grants = frozenset(grant for grant in who.grants if grant.role not in SECOND_FACTOR)
        return replace(who, grants=open_grants)
    return who


def needs_factor() -> bool:
    """Does this person hold a role that stays closed until a second factor is given?"""
    return bool(g.get("needs_factor"))


def sign_in_id() -> int:
    """The sign-in of this request. Only for views that a guard keeps for the signed-in."""
    found = current().sign_in_id
    assert found is not None
    return found


def recently_signed_in() -> bool:
    """Was the password given within the last ten minutes?"""
    return clock.now() - signed_in_at() <= FRESH


def signed_in_at() -> datetime:
    """When the present session began."""
    begun = current().begun_at
    assert begun is not None
    return begun


def enter(sign_in: SignIn, *, with_factor: bool) -> None:
    """Sign in: the session begins anew under another secret, so that one planted before is worth nothing."""
    here = current()
    factor_at = clock.now() if with_factor else None
    row, token = sessions.begin(
        db_session(),
        request.user_agent.string,
        unsent.carried(here, sign_in.person_id),
        sign_in_id=sign_in.id,
        second_factor_at=factor_at,
        replaces=here.id,
        request_id=logs.request_id(),
    )
    _become(here, row, token)
    here.sign_in_id, here.person_id = sign_in.id, sign_in.person_id
    here.begun_at, here.factor_at = row.created_at, factor_at
    remember_browser(sign_in)


def await_factor(sign_in: SignIn) -> None:
    """The password was right; remember for ten minutes whose, in a new session, until the factor comes."""
    here = current()
    until = (clock.now() + FRESH).isoformat()
    data = {AWAITING: {"sign_in": sign_in.id, "until": until}, **unsent.carried(here, sign_in.person_id)}
    row, token = sessions.begin(db_session(), request.user_agent.string, data, replaces=here.id)
    _become(here, row, token)


def awaiting() -> SignIn | None:
    """Whose second factor this browser has to give now, if anybody's."""
    noted = current().get(AWAITING)
    if not noted or datetime.fromisoformat(noted["until"]) < clock.now():
        return None
    found = db_session().get(SignIn, noted["sign_in"])
    return found if found is not None and found.disabled_at is None else None


def confirm(who: Actor) -> None:
    """A second factor was given just now."""
    here = current()
    assert here.id is not None
    sessions.confirm_factor(db_session(), who, here.id)
    here.factor_at = clock.now()
    g.pop("actor", None)


def remember_challenge(offer: tuple[str, str] | None) -> str | None:
    """Keep the challenge of a passkey's offer in the session; the offer itself, for the page."""
    if offer is None:
        return None
    current()[CHALLENGE] = offer[1]
    return offer[0]


def take_challenge() -> str | None:
    """The challenge that was remembered. It is good for one answer."""
    found: str | None = current().pop(CHALLENGE, None)
    return found


def leave(who: Actor) -> None:
    """Sign out: the session ends on the server, and the browser's secret with it."""
    here = current()
    if here.id is not None:
        sessions.end(db_session(), who, here.id)
    here.clear()
    here.id = here.sign_in_id = here.person_id = None
    here.modified = False
    g.pop("actor", None)


def remember_browser(sign_in: SignIn) -> None:
    """Note that this browser is one of the person's own; `known_browser` reads it."""
    name = _browser_of(sign_in.email)
    g.known_browser = _signer().dumps([*(each for each in _known() if each != name), name][-MOST_KNOWN:])


def known_browser(email: str | None) -> str:
    """A name for this browser if this address has signed in here before, else the empty text."""
    return "known" if email and _browser_of(email) in _known() else ""


def _add_known_cookie(response: Response) -> Response:
    """Send what `remember_browser` noted."""
    if "known_browser" in g:
        secure = isinstance(current_app.session_interface, Sessions) and current_app.session_interface.secure
        response.set_cookie(
            _known_name(), g.known_browser, max_age=KNOWN_FOR_SECONDS,
            secure=secure, httponly=True, samesite="Lax", path="/",
        )  # fmt: skip
    return response


def _become(here: BrowserSession, row: WebSession, token: str) -> None:
    here.clear()
    here.update(row.data)
    here.id, here.token, here.set_cookie, here.modified = row.id, token, True, False
    g.pop("actor", None)
    # Flask-WTF keeps the token of the session before for the rest of the request.
    g.pop("csrf_token", None)


def _browser_of(email: str) -> str:
    return crypto.fingerprint(email.strip().lower(), "known browser").hex()


def _known() -> list[str]:
    try:
        names = _signer().loads(request.cookies.get(_known_name(), ""))
    except BadSignature:
        return []
    return [str(name) for name in names]


def _known_name() -> str:
    assert isinstance(current_app.session_interface, Sessions)
    return "__Host-known" if current_app.session_interface.secure else "known"


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="known browser")


def _stale(here: BrowserSession) -> bool:
    return here.seen_at is not None and clock.now() - here.seen_at > sessions.SEEN_EVERY


def _speak() -> None:
    """Speak to the person in their language and zone. Raises what kept us from knowing who it is."""
    here = current()
    if here.lost:
        raise here.lost
    if here.person_id is not None and here.sign_in_id is not None:
        person = db_session().get_one(SignIn, here.sign_in_id).person
        g.person = person
        read_as(person.locale, person.time_zone)


def _require_factor() -> ResponseReturnValue | None:
    """Roles that see others' money or papers open nothing at all until a second factor was given."""
    if current().person_id is None or actor().second_factor_at is not None or not needs_factor():
        return None
    if request.endpoint in BEFORE_FACTOR or request.path.startswith(UNKEPT):
        return None
    enrolled = factors.confirmed(db_session(), sign_in_id())
    page = "accounts.confirm" if enrolled else "accounts.new_app"
    return redirect(url_for(page, next=safe_path(request.full_path.rstrip("?"))), 303)


def _looks() -> dict[str, str]:
    """How the reader wants the page to look, and the language it is in."""
    looks = {"locale": i18n.current_locale().replace("_", "-")}
    if "person" in g:
        looks |= {"theme": g.person.theme.value, "preferences_url": url_for("accounts.preferences")}
    return looks
