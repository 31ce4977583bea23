"""Binding a passkey to one's checked identity."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from webauthn.helpers import bytes_to_base64url

from marketplace.accounts import passkeys, websession
from marketplace.accounts.forms import PasskeyForm
from marketplace.actor import Role
from marketplace.credentials import identity as use
from marketplace.credentials.models import Credential
from marketplace.credentials.states import MOVES, CredentialState
from marketplace.credentials.views import bp
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, safe_path, try_form


@bp.route("/identity", methods=["GET", "POST"])
@guard(Role.EXPERT)
def identity() -> ResponseReturnValue:
    """Which passkey is bound, and what to do for the next."""
    form = PasskeyForm(next=request.args.get("next"))
    if try_form(form, lambda: _bind(form)):
        flash(
            _("This passkey is bound to your identity. Weeks of such gigs are submitted with it."), "success"
        )
        return redirect(safe_path(form.next.data, url_for("credentials.identity")), 303)
    stand = use.stand(db_session(), actor().id)
    ready = stand.attestation is not None and passkeys.of_person(db_session(), actor().id)
    return page(
        "credentials/identity.html",
        form=form,
        stand=stand,
        check_url=check_url(),
        options=_options() if ready else None,
    )


def check_url() -> str:
    """Where this person asks for a check of their identity, or for a fresh one."""
    query = (
        sa.select(Credential).filter_by(person_id=actor().id, type=use.TYPE).order_by(Credential.id.desc())
    )
    for each in db_session().scalars(query):
        if CredentialState.NEEDS_REVIEW in MOVES[each.state]:
            return url_for("credentials.again", public_id=each.public_id)
    return url_for("credentials.add", code=use.TYPE)


def _options() -> str | None:
    nonce = bytes_to_base64url(secrets.token_bytes(32))
    return websession.remember_challenge((use.offer_to_bind(db_session(), actor(), nonce), nonce))


def _bind(form: PasskeyForm) -> object:
    return use.bind_passkey(db_session(), actor(), form.answer.data or "", websession.take_challenge())
