"""One's own account: password, second factors, recovery codes, sessions and preferences."""

from __future__ import annotations

import uuid

import pyotp
import segno
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from marketplace import settings
from marketplace.accounts import factors, passkeys, queries, sessions, websession
from marketplace.accounts.browsers import browser_name
from marketplace.accounts.forms import ChangePasswordForm, NewAppForm, PasskeyForm, TimeZoneForm, role_name
from marketplace.accounts.models import SecondFactor, SignIn
from marketplace.accounts.signing_in import change_password as set_password
from marketplace.accounts.views import bp
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, safe_path, try_form

BEGUN_APP = "begun_app"


@bp.get("/security")
@guard()
def security() -> ResponseReturnValue:
    """All that keeps the account one's own, on one page."""
    sign_in = _sign_in()
    return page(
        "accounts/security.html",
        sign_in=sign_in,
        roles=[role_name(g.role, g.organization) for g in queries.own_grants(db_session(), actor())],
        factors=factors.confirmed(db_session(), sign_in.id),
        codes_left=factors.recovery_codes_left(db_session(), sign_in.id),
        sessions=sessions.live(db_session(), actor()),
        here=websession.current().id,
        browser_name=browser_name,
        zone_form=TimeZoneForm(time_zone=sign_in.person.time_zone),
    )


@bp.route("/security/password", methods=["GET", "POST"])
@guard()
def change_password() -> ResponseReturnValue:
    """A new password; other sessions end."""
    form = ChangePasswordForm()
    if try_form(form, lambda: _change_password(form)):
        flash(_("The new password is set. Other devices were signed out."), "success")
        return redirect(url_for("accounts.security"), 303)
    return page("accounts/change_password.html", form=form)


@bp.route("/security/app", methods=["GET", "POST"])
@guard()
def new_app() -> ResponseReturnValue:
    """Add an authenticator app: scan, then type the first code."""
    if not _may_add():
        return _sign_in_again()
    form = NewAppForm(next=request.args.get("next"))
    codes = try_form(form, lambda: _confirm_app(form))
    if codes is not None:
        return _added(codes, form.next.data)
    begun = _begin_app()
    return page(
        "accounts/new_app.html", form=form, secret=begun.secret, picture=_picture(begun),
        required=websession.needs_factor(),
    )  # fmt: skip


@bp.route("/security/passkey", methods=["GET", "POST"])
@guard()
def new_passkey() -> ResponseReturnValue:
    """Add a passkey. The browser makes it; without JavaScript the page points to the app instead."""
    if not _may_add():
        return _sign_in_again()
    form = PasskeyForm(next=request.args.get("next"))
    codes = try_form(form, lambda: _add_passkey(form))
    if codes is not None:
        return _added(codes, form.next.data)
    options = websession.remember_challenge(passkeys.offer_to_add(db_session(), _sign_in()))
    return page("accounts/new_passkey.html", form=form, options=options)


@bp.post("/security/factors/<uuid:public_id>/remove")
@guard(fresh=True)
def remove_factor(public_id: uuid.UUID) -> ResponseReturnValue:
    """Stop using a second factor."""
    factors.remove_factor(db_session(), actor(), websession.sign_in_id(), public_id)
    flash(_("The second factor is removed."), "success")
    return redirect(url_for("accounts.security"), 303)


@bp.post("/security/recovery-codes")
@guard(fresh=True)
def new_recovery_codes() -> ResponseReturnValue:
    """Ten new recovery codes, shown this once."""
    codes = factors.renew_recovery_codes(db_session(), actor(), websession.sign_in_id())
    return page("accounts/recovery_codes.html", codes=codes, next=url_for("accounts.security"))


@bp.post("/security/sessions/<uuid:public_id>/end")
@guard()
def end_session(public_id: uuid.UUID) -> ResponseReturnValue:
    """Sign out on another device."""
    sessions.end_own(db_session(), actor(), public_id)
    flash(_("That device is signed out."), "success")
    return redirect(url_for("accounts.security"), 303)


@bp.post("/security/sessions/end-others")
@guard()
def end_other_sessions() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    sessions.end_others(db_session(), actor(), websession.current().id or 0)
    flash(_("All other devices are signed out."), "success")
    return redirect(url_for("accounts.security"), 303)


def _change_password(form: ChangePasswordForm) -> bool:
    set_password(
        db_session(),
        actor(),
        websession.sign_in_id(),
        form.old_password.data,
        form.password.data,
        keep_session=websession.current().id,
    )
    return True


def _begin_app() -> SecondFactor:
    """The app that this browser session began to add, or a new one."""
    begun = factors.enrol_totp(
        db_session(), actor(), websession.sign_in_id(), _begun_app(), signed_in_at=websession.signed_in_at()
    )
    websession.current()[BEGUN_APP] = str(begun.public_id)
    return begun


def _begun_app() -> uuid.UUID | None:
    kept = websession.current().get(BEGUN_APP)
    return uuid.UUID(kept) if kept else None


def _confirm_app(form: NewAppForm) -> list[str]:
    return factors.confirm_totp(
        db_session(),
        actor(),
        websession.sign_in_id(),
        _begun_app(),
        form.code.data,
        form.label.data or "",
        signed_in_at=websession.signed_in_at(),
    )


def _add_passkey(form: PasskeyForm) -> list[str]:
    return passkeys.add_passkey(
        db_session(),
        actor(),
        websession.sign_in_id(),
        form.answer.data or "",
        websession.take_challenge(),
        form.label.data or "",
        signed_in_at=websession.signed_in_at(),
    )


def _added(codes: list[str], next_path: str | None) -> ResponseReturnValue:
    """The factor that was just shown to work counts as given. The first brings recovery codes."""
    websession.confirm(actor())
    onward = safe_path(next_path, url_for("accounts.security"))
    if codes:
        return page("accounts/recovery_codes.html", codes=codes, next=onward)
    flash(_("The second factor is added."), "success")
    return redirect(onward, 303)


def _may_add() -> bool:
    """The first factor needs the password just given; for the next one the use case asks for a factor."""
    first = not factors.confirmed(db_session(), websession.sign_in_id())
    return not first or websession.recently_signed_in()


def _sign_in_again() -> ResponseReturnValue:
    flash(_("Sign in again, then add the second factor."), "info")
    return redirect(url_for("accounts.sign_in", next=request.path), 303)


def _sign_in() -> SignIn:
    return db_session().get_one(SignIn, websession.sign_in_id())


def _picture(begun: SecondFactor) -> Markup:
    """The secret as a QR code, for the app's camera; dark on light in every theme, as scanners expect."""
    named = pyotp.TOTP(begun.secret or "").provisioning_uri(
        name=_sign_in().email, issuer_name=settings.current().operator_name
    )
    code = segno.make(named, error="m").svg_inline(scale=5, border=3, dark="#16202e", light="#ffffff")
    return Markup(code)  # noqa: S704 (drawn by us: squares and numbers)
