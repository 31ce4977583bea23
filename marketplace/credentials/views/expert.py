"""An expert's own credentials."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import reasons
from marketplace.actor import Role
from marketplace.credentials import claims, queries, types
from marketplace.credentials.forms import AgainForm, claim_form, upload_of
from marketplace.credentials.states import MOVES, CredentialState
from marketplace.credentials.views import bp
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.storage import DocumentView
from marketplace.web import actor, db_session, file_response, guard, page, paged, try_form


@bp.get("/")
@guard(Role.EXPERT)
def index() -> ResponseReturnValue:
    """What this expert has, how sure anybody is of it, and what is next."""
    return page("credentials/index.html", shown=queries.own(db_session(), actor()))


@bp.get("/new")
@guard(Role.EXPERT)
def choose() -> ResponseReturnValue:
    """Which kind of credential to add."""
    return page("credentials/choose.html", kinds=[kind for kind in types.ALL if kind.offered])


@bp.route("/new/<code>", methods=["GET", "POST"])
@guard(Role.EXPERT)
def add(code: str) -> ResponseReturnValue:
    """A form that asks only what this kind needs."""
    kind = types.find(code)
    if kind is None:
        raise NotFound(_("There is no such kind of credential."))
    form = claim_form(kind, actor().name)
    made = try_form(
        form,
        lambda: claims.submit_credential(
            db_session(), actor(), kind.code, form.value("jurisdiction"), form.value("identifier"),
            form.value("name_on_register"), form.value("expires_on"), form.upload(),
        ),
    )  # fmt: skip
    if made:
        flash(_("It is in the reviewers' queue. You will hear when it is decided."), "success")
        return redirect(url_for("credentials.show", public_id=made.public_id), 303)
    return page("credentials/add.html", form=form, kind=kind)


@bp.get("/<uuid:public_id>")
@guard(Role.EXPERT, Role.REVIEWER, Role.OPERATOR)
def show(public_id: uuid.UUID) -> ResponseReturnValue:
    """One credential: what was checked, where and when; and what its owner can do."""
    shown = queries.one(db_session(), actor(), public_id)
    mine = shown.credential.person_id == actor().id
    can = MOVES[shown.credential.state] if mine else frozenset()
    return page(
        "credentials/show.html",
        shown=shown,
        mine=mine,
        me=actor().id,
        looks=paged(db_session(), queries.looks(actor(), shown.credential), by=DocumentView.id),
        may_send=CredentialState.NEEDS_REVIEW in can and not shown.credential.over,
        may_withdraw=CredentialState.WITHDRAWN in can,
        statement=reasons.about(db_session(), "credential", public_id) if mine else None,
    )


@bp.get("/held/<code>")
@guard(Role.EXPERT)
def held(code: str) -> ResponseReturnValue:
    """On to where the one of this kind, and of the place that is named, is renewed; else to the list."""
    found = queries.to_renew(db_session(), actor(), code, request.args.get("place"))
    if found is None:
        return redirect(url_for("credentials.index"))
    return redirect(url_for("credentials.again", public_id=found.public_id))


@bp.route("/<uuid:public_id>/again", methods=["GET", "POST"])
@guard(Role.EXPERT)
def again(public_id: uuid.UUID) -> ResponseReturnValue:
    """Answer a question, renew, or ask for a fresh check."""
    shown = queries.one(db_session(), actor(), public_id)
    form = AgainForm.for_credential(shown.credential)
    sent = try_form(
        form,
        lambda: claims.resubmit_credential(
            db_session(), actor(), public_id, expires_on=form.value("expires_on"),
            answer=form.value("answer") or "", document=upload_of(form._fields.get("document")),
        ),
    )  # fmt: skip
    if sent:
        flash(_("It is in the reviewers' queue again."), "success")
        return redirect(url_for("credentials.show", public_id=public_id), 303)
    return page("credentials/again.html", form=form, shown=shown)


@bp.post("/<uuid:public_id>/withdrawal")
@guard(Role.EXPERT)
def withdraw(public_id: uuid.UUID) -> ResponseReturnValue:
    """Take it back."""
    claims.withdraw_credential(db_session(), actor(), public_id)
    flash(_("It is withdrawn and counts for nothing from now on."), "success")
    return redirect(url_for("credentials.index"), 303)


@bp.get("/<uuid:public_id>/document")
@guard(Role.EXPERT, Role.REVIEWER)
def document(public_id: uuid.UUID) -> ResponseReturnValue:
    """The paper: an image may be shown in the page, anything else is a download."""
    kept, data = queries.open_document(db_session(), actor(), public_id)
    return file_response(data, kept.name, kept.media_type, inline="inline" in request.args)
