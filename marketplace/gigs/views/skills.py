"""What operators say about skills: which are one and the same."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.gigs import skill_aliases
from marketplace.gigs.views import bp
from marketplace.gigs.views.forms_skills import AliasForm
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.route("/skills", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def skills() -> ResponseReturnValue:
    """All second names, and a form that adds one or changes what it stands for."""
    form = AliasForm()
    if try_form(
        form,
        lambda: skill_aliases.set_alias(
            db_session(), actor(), form.name.data or "", form.stands_for.data or ""
        ),
    ):
        flash(_("Both count as one skill. Experts and gigs are matched anew within minutes."), "success")
        return redirect(url_for("gigs.skills"), 303)
    return page("gigs/skills.html", form=form, found=skill_aliases.all_aliases(db_session(), actor()))


@bp.post("/skills/<uuid:alias_id>/removal")
@guard(Role.OPERATOR)
def drop_alias(alias_id: uuid.UUID) -> ResponseReturnValue:
    """Let the two be different skills again."""
    skill_aliases.drop_alias(db_session(), actor(), alias_id)
    flash(_("They are different skills again."), "success")
    return redirect(url_for("gigs.skills"), 303)
