"""New rates: proposed by the client after a look at what they mean, answered by the expert."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.contracts import find
from marketplace.contracts.forms import SignForm
from marketplace.contracts.models import Contract
from marketplace.contracts.rates import answering, proposing, queries
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.states import OfferState
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_rates import RateForm
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "rate_history": lambda contract: queries.history(db_session(), contract),
        "rate_stands": queries.stands,
        "rate_difference": queries.difference,
        "may_change_rate": _may_change,
    }


@bp.route("/contracts/<uuid:contract_id>/rate", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def new_rate(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Propose a rate: first what it means, then for good."""
    contract = find.contract(db_session(), actor(), contract_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=contract.organization_id)
    form = RateForm.of(contract)
    outlook = try_form(form, lambda: proposing.look(db_session(), actor(), contract_id, form.draft()))
    if outlook and form.looked_at.data == form.mark:
        made = try_form(
            form, lambda: proposing.propose_rate(db_session(), actor(), contract_id, form.draft())
        )
        if made:
            flash(_made(made), "success")
            return redirect(url_for("contracts.show", contract_id=contract_id), 303)
    form.looked_at.data = form.mark if outlook else ""
    return page(
        "contracts/new_rate.html",
        form=form,
        contract=contract,
        outlook=outlook,
        first=proposing.earliest(contract),
    )


@bp.get("/rates/<uuid:proposal_id>")
@guard()
def rate(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """What a new rate means; the expert signs a lower one here."""
    return _rate(proposal_id, SignForm())


@bp.post("/rates/<uuid:proposal_id>/acceptance")
@guard(Role.EXPERT)
def accept_rate(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Accept a lower rate by typing one's name."""
    form = SignForm()
    done = try_form(
        form, lambda: answering.accept_rate(db_session(), actor(), proposal_id, form.signed_name.data or "")
    )
    if not done:
        return _rate(proposal_id, form)
    flash(_("The new rate is agreed. Hours before its first day keep theirs."), "success")
    return _to_contract(done)


@bp.post("/rates/<uuid:proposal_id>/refusal")
@guard(Role.EXPERT)
def decline_rate(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Keep the present rate."""
    done = answering.decline_rate(db_session(), actor(), proposal_id)
    flash(_("Your rate stays as it is, and the client knows."), "success")
    return _to_contract(done)


@bp.post("/rates/<uuid:proposal_id>/withdrawal")
@guard(Role.CLIENT_ADMIN)
def withdraw_rate(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Take a proposal back."""
    done = proposing.withdraw_rate(db_session(), actor(), proposal_id)
    flash(_("The proposal is taken back. The rate stays as it is."), "success")
    return _to_contract(done)


def _rate(proposal_id: uuid.UUID, form: SignForm) -> ResponseReturnValue:
    proposal = queries.proposal(db_session(), actor(), proposal_id)
    contract = proposal.contract
    return page(
        "contracts/rate.html",
        form=form,
        proposal=proposal,
        contract=contract,
        mine=contract.person_id == actor().person_id,
        waits=queries.stands(proposal) is OfferState.MADE,
        least=queries.below_least(db_session(), contract, proposal.rate),
        may_withdraw=_may_change(contract),
    )


def _may_change(contract: Contract) -> bool:
    return actor().has(Role.CLIENT_ADMIN, organization_id=contract.organization_id)


def _made(made: RateProposal) -> str:
    if made.is_raise:
        return _("The higher rate is agreed, and the expert knows. Hours before its first day keep theirs.")
    return _("The lower rate is with the expert. Nothing changes unless they sign it.")


def _to_contract(proposal: RateProposal) -> ResponseReturnValue:
    return redirect(url_for("contracts.show", contract_id=proposal.contract.public_id), 303)
