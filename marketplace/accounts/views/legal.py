"""The page on which a client's admin says who the company is by law."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts import legal, queries
from marketplace.accounts.views import bp
from marketplace.accounts.views.forms_legal import LegalForm
from marketplace.actor import Role
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.route("/team/<uuid:organization_id>/legal", methods=["GET", "POST"], endpoint="legal")
@guard(Role.CLIENT_ADMIN)
def by_law(organization_id: uuid.UUID) -> ResponseReturnValue:
    """Legal name, address and tax number."""
    mine = queries.administered(db_session(), actor())
    organization = next((each for each in mine if each.public_id == organization_id), None)
    if organization is None:
        raise NotFound(_("There is no such organization."))
    form = LegalForm(obj=organization if request.method == "GET" else None)
    if try_form(
        form,
        lambda: legal.change_legal(
            db_session(),
            actor(),
            organization_id,
            form.legal_name.data or "",
            form.legal_address.data or "",
            form.tax_number.data or "",
        ),
    ):
        flash(_("From the next invoice on it says so."), "success")
        return redirect(url_for("accounts.legal", organization_id=organization_id), 303)
    return page("accounts/legal.html", form=form, organization=organization)
