"""Signing in, the second factor, signing out, and a forgotten password."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts import factors, limits, passkeys, people, websession
from marketplace.accounts.forms import AddressForm, CodeForm, NewPasswordForm, PasskeyForm, SignInForm
from marketplace.accounts.models import SignIn
from marketplace.accounts.signing_in import check_password, find_reset, request_reset, reset_password
from marketplace.accounts.views import bp
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, public, safe_path, try_form


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    """An address and a password; then the second factor, for who has one."""
    form = SignInForm(next=request.args.get("next"))
    found = try_form(
        form,
        lambda: check_password(
            db_session(), form.email.data, form.password.data,
            network=network(), browser=websession.known_browser(form.email.data),
        ),
    )  # fmt: skip
    if found is None:
        return page("accounts/sign_in.html", form=form)
    return enter_or_ask(found, safe_path(form.next.data))


@bp.route("/second-factor", methods=["GET", "POST"])
@public
def second_factor() -> ResponseReturnValue:
    """The code, after the password."""
    waiting = websession.awaiting()
    if waiting is None:
        return redirect(url_for("accounts.sign_in"), 303)
    form = CodeForm(next=request.args.get("next"))
    if try_form(form, _done(lambda: factors.check_second_factor(db_session(), waiting.id, form.code.data))):
        websession.enter(waiting, with_factor=True)
        return redirect(safe_path(form.next.data), 303)
    return _ask("accounts/second_factor.html", form, waiting.id)


@bp.post("/second-factor/passkey")
@public
def second_factor_passkey() -> ResponseReturnValue:
    """A passkey, after the password."""
    waiting = websession.awaiting()
    if waiting is None:
        return redirect(url_for("accounts.sign_in"), 303)
    form = PasskeyForm()
    if try_form(form, _done(lambda: _check_passkey(form, waiting.id))):
        websession.enter(waiting, with_factor=True)
        return redirect(safe_path(form.next.data), 303)
    flash(*_why(form))
    return redirect(url_for("accounts.second_factor", next=safe_path(form.next.data)), 303)


@bp.route("/confirm", methods=["GET", "POST"])
@guard()
def confirm() -> ResponseReturnValue:
    """The second factor once more, before something that matters; then back to it."""
    sign_in_id = websession.sign_in_id()
    form = CodeForm(next=request.args.get("next"))
    if not factors.confirmed(db_session(), sign_in_id):
        return page("accounts/confirm_missing.html", next=safe_path(form.next.data))
    if try_form(form, _done(lambda: factors.check_second_factor(db_session(), sign_in_id, form.code.data))):
        websession.confirm(actor())
        return redirect(safe_path(form.next.data), 303)
    return _ask("accounts/confirm.html", form, sign_in_id)


@bp.post("/confirm/passkey")
@guard()
def confirm_passkey() -> ResponseReturnValue:
    """The same, by passkey."""
    form = PasskeyForm()
    if try_form(form, _done(lambda: _check_passkey(form, websession.sign_in_id()))):
        websession.confirm(actor())
        return redirect(safe_path(form.next.data), 303)
    flash(*_why(form))
    return redirect(url_for("accounts.confirm", next=safe_path(form.next.data)), 303)


@bp.post("/sign-out")
@guard()
def sign_out() -> ResponseReturnValue:
    """End this session, here and on the server."""
    websession.leave(actor())
    flash(_("You are signed out."), "info")
    return redirect(url_for("accounts.sign_in"), 303)


@bp.route("/forgotten", methods=["GET", "POST"])
@public
def forgotten() -> ResponseReturnValue:
    """Ask for a link to set a new password. The answer is the same for every address."""
    form = AddressForm()
    if try_form(form, _done(lambda: request_reset(db_session(), form.email.data, network=network()))):
        return page("accounts/forgotten_sent.html", email=form.email.data)
    return page("accounts/forgotten.html", form=form)


@bp.route("/reset/<token>", methods=["GET", "POST"])
@public
def reset(token: str) -> ResponseReturnValue:
    """Set a new password by the link from the mail."""
    form = NewPasswordForm()
    find_reset(db_session(), token)
    found = try_form(form, lambda: reset_password(db_session(), token, form.password.data))
    if found is None:
        return page("accounts/reset.html", form=form, token=token)
    websession.remember_browser(found)
    flash(_("The new password is set. Sign in with it."), "info")
    return redirect(url_for("accounts.sign_in"), 303)


@bp.post("/preferences")
@guard()
def preferences() -> ResponseReturnValue:
    """How pages look, and in which zone times are shown."""
    theme, zone = request.form.get("theme"), request.form.get("time_zone")
    people.save_preferences(db_session(), actor(), theme=theme, time_zone=zone)
    return redirect(safe_path(request.form.get("next")), 303)


def network() -> str:
    """What tries are counted for, besides the address."""
    return limits.network(request.remote_addr)


def enter_or_ask(found: SignIn, onward: str) -> ResponseReturnValue:
    """The password was right: on to the second factor for who has one, else signed in."""
    if factors.confirmed(db_session(), found.id):
        websession.await_factor(found)
        return redirect(url_for("accounts.second_factor", next=onward), 303)
    websession.enter(found, with_factor=False)
    return redirect(onward, 303)


def _ask(template: str, form: CodeForm, sign_in_id: int) -> ResponseReturnValue:
    offer = passkeys.offer_to_use(db_session(), sign_in_id)
    options = websession.remember_challenge(offer)
    passkey_form = PasskeyForm(formdata=None, next=form.next.data)
    return page(template, form=form, passkey_form=passkey_form, options=options)


def _check_passkey(form: PasskeyForm, sign_in_id: int) -> None:
    passkeys.check_passkey(db_session(), sign_in_id, form.answer.data or "", websession.take_challenge())


def _done(work: Callable[[], None]) -> Callable[[], bool]:
    """For `try_form`, to which None means refused: True once `work` is done."""

    def run() -> bool:
        work()
        return True

    return run


def _why(form: PasskeyForm) -> tuple[str, str]:
    said = [message for each in form for message in each.errors] + list(form.form_errors)
    return (said[0] if said else _("The passkey was not recognised. Try once more, or use a code.")), "error"
