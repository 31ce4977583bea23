"""Being away: a colleague decides about weeks meanwhile."""

from __future__ import annotations

import uuid
from typing import Any

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField
from wtforms.validators import InputRequired

from marketplace.accounts.delegations import stood_in_for
from marketplace.accounts.models import Delegation
from marketplace.actor import CLIENT
from marketplace.contracts.approving import away as use
from marketplace.contracts.models import Contract
from marketplace.contracts.views import bp
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.web import Form, actor, day_field, db_session, guard, page, try_form


class AwayForm(Form):
    """Who decides meanwhile, and from when to when. A colleague's value names the organization too."""

    colleague = SelectField(lazy("Who decides for you"), [InputRequired(lazy("Choose a colleague."))])
    first_day = day_field(lazy("First day away"))
    last_day = day_field(lazy("Last day away"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = use.colleagues(db_session(), actor())
        several = len({organization.id for organization, _person in found}) > 1
        self.colleague.choices = [("", _("Choose a colleague"))] + [
            (
                f"{organization.public_id} {person.public_id}",
                f"{person.full_name}, {organization.name}" if several else person.full_name,
            )
            for organization, person in found
        ]


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "stands_in_at": _stands_in_at,
        "stands_in": lambda: stood_in_for(db_session(), actor()),
    }


@bp.route("/away", methods=["GET", "POST"])
@guard(*CLIENT)
def away() -> ResponseReturnValue:
    """Name a colleague, and see who stands in for whom."""
    form = AwayForm()
    if try_form(form, lambda: _delegate(form)):
        flash(_("Your colleague is told, and gets your notices of weeks too."), "success")
        return redirect(url_for("contracts.away"), 303)
    return page(
        "contracts/away.html",
        form=form,
        to_come=use.to_come(db_session(), actor()),
        me=actor().person_id,
        most_days=use.MOST_DAYS,
    )


@bp.post("/away/<uuid:delegation_id>/end")
@guard(*CLIENT)
def back(delegation_id: uuid.UUID) -> ResponseReturnValue:
    """End it before its last day."""
    use.take_back_delegation(db_session(), actor(), delegation_id)
    flash(_("It has ended."), "success")
    return redirect(url_for("contracts.away"), 303)


def _delegate(form: AwayForm) -> Delegation:
    if form.first_day.data is None or form.last_day.data is None:
        raise Invalid(_("Give both days."), field="first_day")
    organization, _space, colleague = form.colleague.data.partition(" ")
    return use.delegate(
        db_session(),
        actor(),
        uuid.UUID(organization),
        uuid.UUID(colleague),
        form.first_day.data,
        form.last_day.data,
    )


def _stands_in_at(contract: Contract) -> list[Delegation]:
    found = stood_in_for(db_session(), actor(), contract.organization_id)
    return [each for each in found if each.person_id != contract.person_id]
