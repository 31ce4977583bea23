"""What operators see: people and their roles, and the companies that wait to be verified."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts import claiming, factors, grants, invitations, queries
from marketplace.accounts.forms import FirstAdminForm, GrantForm, role_name
from marketplace.accounts.models import Organization, Person
from marketplace.accounts.people import country_name
from marketplace.accounts.views import bp
from marketplace.actor import Role
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/people")
@guard(Role.OPERATOR)
def people() -> ResponseReturnValue:
    """Everybody, newest first, to be searched by name or address."""
    search = request.args.get("q", "").strip()
    found = paged(db_session(), queries.people(actor(), search), by=Person.id)
    return page("accounts/people.html", people=found, search=search, country_name=country_name)


@bp.route("/people/<uuid:public_id>", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def person(public_id: uuid.UUID) -> ResponseReturnValue:
    """One person with their roles, and a form to give one of the site's own."""
    form = GrantForm()
    if try_form(form, lambda: grants.grant_role(db_session(), actor(), public_id, Role(form.role.data))):
        flash(_("The role is given."), "success")
        return redirect(url_for("accounts.person", public_id=public_id), 303)
    member = queries.member(db_session(), actor(), public_id)
    return page(
        "accounts/person.html", form=form, member=member, role_name=role_name, country_name=country_name,
        is_me=member.person.id == actor().id,
        sign_ins=queries.sign_ins(db_session(), actor(), member.person),
    )  # fmt: skip


@bp.post("/people/<uuid:public_id>/claim")
@guard(Role.OPERATOR)
def mail_claim(public_id: uuid.UUID) -> ResponseReturnValue:
    """Mail somebody who was brought in the link by which they take over."""
    found = claiming.mail_claim(db_session(), actor(), public_id)
    flash(_("The link is on its way to %(email)s.", email=found.email), "success")
    return redirect(url_for("accounts.person", public_id=public_id), 303)


@bp.post("/people/<uuid:public_id>/roles/<uuid:grant_id>/end")
@guard(Role.OPERATOR, fresh=True)
def end_role(public_id: uuid.UUID, grant_id: uuid.UUID) -> ResponseReturnValue:
    """End a role of the site's own."""
    grants.end_role(db_session(), actor(), grant_id)
    flash(_("The role is ended."), "success")
    return redirect(url_for("accounts.person", public_id=public_id), 303)


@bp.post("/people/<uuid:public_id>/factors/reset")
@guard(Role.OPERATOR, fresh=True)
def reset_factors(public_id: uuid.UUID) -> ResponseReturnValue:
    """Help somebody who has lost their second factor and their recovery codes."""
    factors.reset_factors(db_session(), actor(), public_id)
    flash(_("Their second factors are removed. They sign in with the password and add a new one."), "success")
    return redirect(url_for("accounts.person", public_id=public_id), 303)


@bp.get("/companies")
@guard(Role.OPERATOR)
def organizations() -> ResponseReturnValue:
    """Clients: those that wait to be verified first, the longest wait on top."""
    asked, known = (queries.client_organizations(actor(), verified=each) for each in (False, True))
    by, session = Organization.id, db_session()
    waiting = paged(session, asked, by=by, size=50, rising=True)
    verified = paged(session, known, by=by, size=50, rising=True, name="verified_after")
    return page(
        "accounts/organizations.html",
        waiting=waiting,
        verified=verified,
        without_admin=queries.without_admin(session, [*waiting, *verified]),
        country_name=country_name,
    )


@bp.route("/companies/<uuid:public_id>/administrator", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def first_admin(public_id: uuid.UUID) -> ResponseReturnValue:
    """Invite somebody to administer a company that nobody administers, as after an import."""
    form, found = FirstAdminForm(), queries.unadministered(db_session(), actor(), public_id)
    if try_form(
        form, lambda: invitations.invite_first_admin(db_session(), actor(), public_id, form.email.data)
    ):
        flash(_("The invitation is on its way to %(email)s.", email=form.email.data), "success")
        return redirect(url_for("accounts.organizations"), 303)
    return page("accounts/first_admin.html", form=form, organization=found)


@bp.post("/companies/<uuid:public_id>/verify")
@guard(Role.OPERATOR)
def verify_organization(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say that a company is who it says it is."""
    found = grants.verify_organization(db_session(), actor(), public_id)
    flash(_("%(name)s is verified.", name=found.name), "success")
    return redirect(url_for("accounts.organizations"), 303)
