"""Bonuses and corrections: made by the client after a look at what they cost; the expert signs less pay."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.contracts import find
from marketplace.contracts import queries as contract_queries
from marketplace.contracts.adjustments import answering, giving, queries, returning, words
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.forms import SignForm
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_adjustments import AdjustmentForm
from marketplace.i18n import gettext as _
from marketplace.ledger import sources
from marketplace.ledger.sources import Link
from marketplace.web import actor, db_session, guard, page, try_form

# As many weeks as can be chosen, the newest first.
WEEKS = 26


@bp.app_context_processor
def _words() -> dict[str, object]:
    # The pages of payments show them too.
    return {
        "adjustments_of": lambda contract: queries.of_contract(db_session(), contract),
        "adjustment_stands": queries.stands,
        "adjustment_title": words.title,
        "adjustment_reason": words.reason,
        "may_adjust": _may_adjust,
    }


@bp.route("/contracts/<uuid:contract_id>/adjustments", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def new_adjustment(contract_id: uuid.UUID) -> ResponseReturnValue:
    """A bonus or a correction: first what it means, then for good."""
    contract = find.contract(db_session(), actor(), contract_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=contract.organization_id)
    newest = contract_queries.sheets_of(contract).order_by(Timesheet.week_start_at.desc()).limit(WEEKS)
    form = AdjustmentForm.of(contract, db_session().scalars(newest).all())
    outlook = try_form(form, lambda: giving.look(db_session(), actor(), contract_id, form.draft()))
    if outlook and form.looked_at.data == form.mark:
        made = try_form(form, lambda: giving.adjust(db_session(), actor(), contract_id, form.draft()))
        if made:
            flash(_made(made), "success")
            return _to_contract(made)
    form.looked_at.data = form.mark if outlook else ""
    return page("contracts/new_adjustment.html", form=form, contract=contract, outlook=outlook)


@bp.get("/adjustments/<uuid:adjustment_id>")
@guard()
def adjustment(adjustment_id: uuid.UUID) -> ResponseReturnValue:
    """What a bonus or a correction is; the expert signs less pay here."""
    return _adjustment(adjustment_id, SignForm())


@bp.post("/adjustments/<uuid:adjustment_id>/acceptance")
@guard(Role.EXPERT)
def accept_adjustment(adjustment_id: uuid.UUID) -> ResponseReturnValue:
    """Agree to less pay by typing one's name."""
    form = SignForm()
    signed = form.signed_name.data or ""
    done = try_form(form, lambda: answering.accept_adjustment(db_session(), actor(), adjustment_id, signed))
    if not done:
        return _adjustment(adjustment_id, form)
    flash(_("You agreed. It is taken off the next pay run."), "success")
    return _to_contract(done)


@bp.post("/adjustments/<uuid:adjustment_id>/refusal")
@guard(Role.EXPERT)
def decline_adjustment(adjustment_id: uuid.UUID) -> ResponseReturnValue:
    """Keep the pay as it is."""
    done = answering.decline_adjustment(db_session(), actor(), adjustment_id)
    flash(_("Your pay stays as it is, and the client knows."), "success")
    return _to_contract(done)


@bp.post("/adjustments/<uuid:adjustment_id>/withdrawal")
@guard(Role.CLIENT_ADMIN)
def withdraw_adjustment(adjustment_id: uuid.UUID) -> ResponseReturnValue:
    """Take back what the expert has not answered."""
    done = giving.withdraw_adjustment(db_session(), actor(), adjustment_id)
    flash(_("The correction is taken back. The pay stays as it is."), "success")
    return _to_contract(done)


def _adjustment(adjustment_id: uuid.UUID, form: SignForm) -> ResponseReturnValue:
    found = queries.adjustment(db_session(), actor(), adjustment_id)
    contract = found.contract
    return page(
        "contracts/adjustment.html",
        form=form,
        adjustment=found,
        contract=contract,
        back=returning.back(db_session(), found) if found.is_less else None,
        mine=contract.person_id == actor().person_id,
        waits=queries.stands(found) is OfferState.MADE,
        may_withdraw=actor().has(Role.CLIENT_ADMIN, organization_id=contract.organization_id),
    )


def _may_adjust(contract: Contract) -> bool:
    mine = contract.person_id == actor().person_id
    asks = actor().has(Role.CLIENT_ADMIN, organization_id=contract.organization_id)
    return asks and not mine and giving.may_be_adjusted(contract)


def _made(made: Adjustment) -> str:
    if made.is_less:
        return _("The correction is with the expert. Nothing changes unless they sign it.")
    return _("%(pay)s goes to the expert with the next pay run, and they know.", pay=made.pay)


def _to_contract(adjustment: Adjustment) -> ResponseReturnValue:
    contract = adjustment.contract.public_id
    return redirect(url_for("contracts.show", contract_id=contract, _anchor="adjustments"), 303)


def _adjustment_link(rest: str) -> Link:
    return Link(_("Bonus or correction"), url_for("contracts.adjustment", adjustment_id=rest))


sources.register("adjustment", _adjustment_link)
