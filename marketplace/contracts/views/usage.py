"""What a labelling tool counted: brought as a file, looked at, taken in, and shown beside the entries."""

from __future__ import annotations

import uuid
from datetime import date

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField, FileRequired

from marketplace.actor import CLIENT, Role
from marketplace.contracts.models import Contract
from marketplace.contracts.usage import comparing, importing
from marketplace.contracts.usage.models import UsageImport
from marketplace.contracts.views import bp
from marketplace.contracts.weeks import week_on
from marketplace.gigs.find import visible
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.web import Form, actor, db_session, guard, page, paged, try_form

MAY_BRING = (*CLIENT, Role.OPERATOR)
# So many rows of each kind are shown; the counts say how many there are.
SHOWN = 50


class UsageForm(Form):
    """A tool's file."""

    file = FileField(lazy("CSV file"), validators=[FileRequired(lazy("Choose a file first."))])


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "usage_of": _of_week,
        "usage_before": _before,
        "usage_tolerance": {"minutes": comparing.MINUTES_APART, "percent": comparing.PERCENT_APART},
        "may_bring_usage": lambda: actor().has(*MAY_BRING),
    }


@bp.route("/usage", methods=["GET", "POST"])
@guard(*MAY_BRING)
def usage() -> ResponseReturnValue:
    """Bring a file, and see those brought before."""
    form = UsageForm()
    made = try_form(
        form,
        lambda: importing.bring_usage(
            db_session(), actor(), form.file.data.filename or "", form.file.data.read()
        ),
    )
    if made:
        return redirect(url_for("contracts.usage_import", import_id=made.public_id), 303)
    mine = UsageImport.visible_to(actor())
    taken = importing.taken(mine)
    return page("contracts/usage.html", form=form, imports=paged(db_session(), taken, by=UsageImport.id))


@bp.get("/usage/<uuid:import_id>")
@guard(*MAY_BRING)
def usage_import(import_id: uuid.UUID) -> ResponseReturnValue:
    """What a file would change, or what it changed."""
    found = visible(db_session(), actor(), UsageImport, import_id)
    preview = importing.look(db_session(), actor(), found)
    return page("contracts/usage_import.html", found=found, preview=preview, most=SHOWN)


@bp.post("/usage/<uuid:import_id>/taking")
@guard(*MAY_BRING)
def take_usage(import_id: uuid.UUID) -> ResponseReturnValue:
    """Take a file in."""
    importing.take_usage(db_session(), actor(), import_id)
    flash(_("The usage is taken in, and stands beside the entries for you and the experts."), "success")
    return redirect(url_for("contracts.usage_import", import_id=import_id), 303)


def _of_week(contract: Contract, monday: date) -> comparing.Compared | None:
    return comparing.of_week(db_session(), contract, week_on(monday, contract.time_zone))


def _before(contract: Contract, monday: date) -> object:
    return comparing.earlier(db_session(), contract, week_on(monday, contract.time_zone))
