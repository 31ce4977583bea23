"""Another use of the work: what changes, and the expert's answer."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.contracts.consents import answering, queries
from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.contracts.forms import SignForm
from marketplace.contracts.views import bp
from marketplace.gigs import data_use
from marketplace.gigs.models import ExpertProfile
from marketplace.i18n import gettext as _
from marketplace.matching import names
from marketplace.web import actor, db_session, guard, page, try_form


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "uses_agreed": lambda contract: queries.agreed(db_session(), contract),
        "use_asked": lambda contract: queries.waiting(db_session(), contract),
        "data_use_said": data_use.said,
        "refused_words": names.uses,
    }


@bp.get("/consents/<uuid:consent_id>")
@guard()
def consent(consent_id: uuid.UUID) -> ResponseReturnValue:
    """What the new version of the statement says otherwise; the expert answers here."""
    return _show(queries.consent(db_session(), actor(), consent_id), SignForm())


@bp.post("/consents/<uuid:consent_id>/agreement")
@guard(Role.EXPERT)
def agree_to_use(consent_id: uuid.UUID) -> ResponseReturnValue:
    """Agree by typing one's name."""
    form = SignForm()
    name = form.signed_name
    done = try_form(form, lambda: answering.agree(db_session(), actor(), consent_id, name.data or ""))
    if not done:
        return _show(queries.consent(db_session(), actor(), consent_id), form)
    flash(
        _("You agreed. Work from now on is used by the new version, earlier work by the old one."), "success"
    )
    return _to_contract(done)


@bp.post("/consents/<uuid:consent_id>/end")
@guard(Role.EXPERT)
def stop_for_use(consent_id: uuid.UUID) -> ResponseReturnValue:
    """Stop, and be paid for what was worked."""
    done = answering.stop(db_session(), actor(), consent_id)
    flash(
        _("The contract has ended. Submit the weeks that are open, and what you worked is paid."), "success"
    )
    return _to_contract(done)


def _show(asked: Consent, form: SignForm) -> ResponseReturnValue:
    contract = asked.contract
    before = [
        each for each in queries.agreed(db_session(), contract) if each.statement.id != asked.data_use_id
    ]
    profile = db_session().get(ExpertProfile, contract.person_id)
    mine = contract.person_id == actor().person_id
    return page(
        "contracts/consent.html",
        form=form,
        asked=asked,
        contract=contract,
        mine=mine,
        waits=asked.state is ConsentState.WAITING,
        changed=queries.changed(before[-1].statement if before else None, asked.data_use),
        refused=queries.refused(asked.data_use, profile.refusals) if mine and profile else [],
    )


def _to_contract(asked: Consent) -> ResponseReturnValue:
    return redirect(url_for("contracts.show", contract_id=asked.contract.public_id), 303)
