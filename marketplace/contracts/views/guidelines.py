"""The guidelines of a contract: what is new in them, and the time that reading takes."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.contracts import find, guidelines, timer
from marketplace.contracts.states import ContractState
from marketplace.contracts.views import bp
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page


@bp.get("/contracts/<uuid:contract_id>/guidelines", endpoint="guidelines")
@guard()
def show(contract_id: uuid.UUID) -> ResponseReturnValue:
    """The version in force, beside the one that the expert read before."""
    contract = find.contract(db_session(), actor(), contract_id)
    running = timer.running(db_session(), contract.person_id)
    return page(
        "contracts/guidelines.html",
        contract=contract,
        reading=guidelines.of_contract(db_session(), contract),
        timed=running is not None and running.contract_id == contract.id,
        may_read=contract.person_id == actor().person_id and contract.state is ContractState.ACTIVE,
    )


@bp.post("/contracts/<uuid:contract_id>/guidelines/reading")
@guard(Role.EXPERT)
def begin_reading(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Start to read, on the clock."""
    guidelines.begin_reading(db_session(), actor(), contract_id)
    return redirect(url_for("contracts.guidelines", contract_id=contract_id), 303)


@bp.post("/contracts/<uuid:contract_id>/guidelines/read")
@guard(Role.EXPERT)
def finish_reading(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Say that they are read."""
    version = request.form.get("version", 0, type=int)
    guidelines.finish_reading(db_session(), actor(), contract_id, version)
    flash(_("Noted. The time that it took is in your week."), "success")
    return redirect(url_for("contracts.week", contract_id=contract_id), 303)
