"""A client's team: its admins invite colleagues, and give and end roles."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts import grants, invitations, queries
from marketplace.accounts.forms import InviteForm, MemberRoleForm, role_name
from marketplace.accounts.models import Organization
from marketplace.accounts.views import bp
from marketplace.actor import CLIENT, Role
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.get("/team")
@guard(Role.CLIENT_ADMIN)
def my_team() -> ResponseReturnValue:
    """The team of the organization that one administers; the first, for who administers several."""
    first = queries.administered(db_session(), actor())[0]
    return redirect(url_for("accounts.team", organization_id=first.public_id), 303)


@bp.route("/team/<uuid:organization_id>", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def team(organization_id: uuid.UUID) -> ResponseReturnValue:
    """Who is in the organization, who is invited, and a form to invite one more."""
    organization = _mine(organization_id)
    form = InviteForm()
    if try_form(form, lambda: _invite(form, organization_id)):
        flash(_("The invitation is on its way to %(email)s.", email=form.email.data), "success")
        return redirect(url_for("accounts.team", organization_id=organization_id), 303)
    return page(
        "accounts/team.html",
        form=form,
        organization=organization,
        others=[each for each in queries.administered(db_session(), actor()) if each is not organization],
        members=queries.members(db_session(), organization),
        pending=invitations.pending(db_session(), actor(), organization),
        role_name=role_name,
        me=actor().id,
        client_roles=sorted(CLIENT),
    )


@bp.post("/team/<uuid:organization_id>/<uuid:person_id>/roles")
@guard(Role.CLIENT_ADMIN)
def give_member_role(organization_id: uuid.UUID, person_id: uuid.UUID) -> ResponseReturnValue:
    """Give one more role to somebody in the team."""
    _mine(organization_id)
    form = MemberRoleForm()
    if try_form(
        form,
        lambda: grants.grant_role(db_session(), actor(), person_id, Role(form.role.data), organization_id),
    ):
        flash(_("The role is given."), "success")
    return redirect(url_for("accounts.team", organization_id=organization_id), 303)


@bp.post("/team/<uuid:organization_id>/roles/<uuid:grant_id>/end")
@guard(Role.CLIENT_ADMIN)
def end_member_role(organization_id: uuid.UUID, grant_id: uuid.UUID) -> ResponseReturnValue:
    """End a role in the team."""
    grants.end_role(db_session(), actor(), grant_id)
    flash(_("The role is ended."), "success")
    return redirect(url_for("accounts.team", organization_id=organization_id), 303)


@bp.post("/team/<uuid:organization_id>/invitations/<uuid:link_id>/withdraw")
@guard(Role.CLIENT_ADMIN)
def withdraw_invitation(organization_id: uuid.UUID, link_id: uuid.UUID) -> ResponseReturnValue:
    """Take an invitation back."""
    invitations.withdraw_invitation(db_session(), actor(), link_id)
    flash(_("The invitation is withdrawn."), "success")
    return redirect(url_for("accounts.team", organization_id=organization_id), 303)


def _mine(organization_id: uuid.UUID) -> Organization:
    for each in queries.administered(db_session(), actor()):
        if each.public_id == organization_id:
            return each
    raise NotFound(_("There is no such organization."))


def _invite(form: InviteForm, organization_id: uuid.UUID) -> object:
    return invitations.invite_member(
        db_session(), actor(), organization_id, form.email.data, Role(form.role.data)
    )
