"""Registering, confirming the address, and accepting an invitation."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts import claiming, invitations, registering, websession
from marketplace.accounts.forms import JoinForm, NewPasswordForm, RegisterForm, VerifyForm, role_name
from marketplace.accounts.models import SignIn
from marketplace.accounts.views import bp
from marketplace.accounts.views.signing_in import enter_or_ask, network
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, public, try_form


@bp.route("/register", methods=["GET", "POST"])
@public
def register() -> ResponseReturnValue:
    """A new expert, or a client. The answer is the same for an address that is in use."""
    form = RegisterForm(wants=request.args.get("as"))
    if try_form(form, lambda: _register(form)):
        return page("accounts/registered.html", email=form.email.data)
    return page("accounts/register.html", form=form)


@bp.route("/verify/<token>", methods=["GET", "POST"])
@public
def verify(token: str) -> ResponseReturnValue:
    """The link from the mail: the password confirms it, and signs in as the form for it does."""
    email = registering.find_unverified(db_session(), token).email
    form = VerifyForm()
    found = try_form(form, lambda: registering.verify_email(db_session(), token, form.password.data))
    if found is None:
        return page("accounts/verify.html", form=form, token=token, email=email)
    entered = enter_or_ask(found, "/")
    flash(_("Your address is confirmed. Welcome."), "success")
    return entered


@bp.route("/claim/<token>", methods=["GET", "POST"])
@public
def claim(token: str) -> ResponseReturnValue:
    """Somebody who was brought in sets a password, and is in."""
    form, person = NewPasswordForm(), claiming.find_claim(db_session(), token)
    found = try_form(form, lambda: claiming.claim(db_session(), token, form.password.data))
    if found is None:
        return page("accounts/claim.html", form=form, token=token, person=person)
    websession.enter(found, with_factor=False)
    flash(_("It is yours now. Look whether all of it is right."), "success")
    return redirect("/", 303)


@bp.route("/invitation/<token>", methods=["GET", "POST"])
@public
def invitation(token: str) -> ResponseReturnValue:
    """Join an organization: with a new account, or with the one that is signed in."""
    if actor().person_id is not None or invitations.is_for_known(db_session(), token):
        link = invitations.find(db_session(), token)
        return page("accounts/invitation_known.html", token=token, link=link, role=role_name(link.role))
    form = JoinForm()
    found = try_form(form, lambda: _join(form, token))
    if found is None:
        link = invitations.find(db_session(), token)
        return page("accounts/invitation.html", form=form, token=token, link=link, role=role_name(link.role))
    websession.enter(found, with_factor=False)
    flash(_("You have joined. Welcome."), "success")
    return redirect("/", 303)


@bp.post("/invitation/<token>/accept")
@guard()
def accept_invitation(token: str) -> ResponseReturnValue:
    """Join with the account that is signed in."""
    invitations.accept(db_session(), actor(), token)
    flash(_("You have joined. Welcome."), "success")
    return redirect(url_for("accounts.security"), 303)


def _register(form: RegisterForm) -> bool:
    registering.register(
        db_session(),
        form.full_name.data,
        form.email.data,
        form.password.data,
        wants=form.wants.data,
        country=form.country.data,
        time_zone=form.time_zone.data,
        organization_name=form.organization_name.data,
        network=network(),
    )
    return True


def _join(form: JoinForm, token: str) -> SignIn:
    return invitations.accept_as_new(
        db_session(),
        token,
        form.full_name.data,
        form.country.data,
        form.time_zone.data,
        form.password.data,
    )
