"""Headers on every answer, protection against forged requests, and limits on what may be sent."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, request
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response

from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.settings import Settings

LARGEST_REQUEST = 11 * 1024 * 1024
STRIPE_PAGES = ("https://checkout.stripe.com", "https://connect.stripe.com")

csrf = CSRFProtect()


def install(app: Flask, settings: Settings) -> None:
    """Protect every view of `app`."""
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
        MAX_FORM_PARTS=500,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https:"),
    )
    app.before_request(_refuse_odd_input)
    csrf.init_app(app)
    headers = _headers(settings)

    @app.after_request
    def add_headers(answer: Response) -> Response:
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        if request.endpoint not in ("static", "web.asset"):
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _headers(settings: Settings) -> dict[str, str]:
    headers = {
        "Content-Security-Policy": _policy(settings),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
    if settings.base_url.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers


def _policy(settings: Settings) -> str:
    """Nothing but our own files. A form may end on Stripe's pages, since the policy follows redirects."""
    pages = [_origin(settings.stripe_api_base)] if settings.stripe_api_base else STRIPE_PAGES
    own = "script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'"
    return (
        f"default-src 'none'; {own}; form-action 'self' {' '.join(pages)}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refuse_odd_input() -> None:
    """Tokens that are not ASCII make the comparison raise; NUL is refused by the database."""
    token = request.form.get("csrf_token", "") + request.headers.get("X-CSRFToken", "")
    if not token.isascii() or any("\0" in v for v in [*request.form.values(), *request.args.values()]):
        raise Invalid(_("The form held characters that cannot be kept. Go back and type them again."))
