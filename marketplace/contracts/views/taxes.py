"""Tax on our fees: its rates, what clients say about themselves, and the listing that ties to 2300."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.accounts.models import Organization
from marketplace.accounts.queries import administered
from marketplace.actor import FINANCE, Role
from marketplace.contracts.fees import setting as fee_setting
from marketplace.contracts.models import Contract
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes import profiles, queries, setting, words, writing
from marketplace.contracts.taxes.models import TaxProfile
from marketplace.contracts.views import bp
from marketplace.contracts.views.forms_taxes import CONFIRM, AnswerForm, BillingForm, RateForm
from marketplace.errors import NotFound
from marketplace.gigs.find import visible
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, try_form


@bp.context_processor
def _words() -> dict[str, object]:
    return {"tax_said": _said, "tax_words": words}


@bp.get("/tax-rates")
@guard(*FINANCE)
def tax_rates() -> ResponseReturnValue:
    """Every rate that was, is and will be in force, and what waits: rates, and what clients say."""
    every = queries.every_rate(db_session())
    return page(
        "contracts/tax_rates.html",
        ours=writing.seller(),
        waiting=[each for each in every if each.state is OfferState.MADE],
        accepted=[each for each in every if each.state is OfferState.ACCEPTED],
        profiles=queries.waiting_profiles(db_session()),
        today=clock.today("UTC"),
        may_accept=actor().has(Role.FINANCE_RELEASER),
    )


@bp.route("/tax-rates/new", methods=["GET", "POST"])
@guard(*FINANCE)
def new_tax_rate() -> ResponseReturnValue:
    """Propose a rate."""
    form, ours = RateForm.new(), writing.seller()
    made = try_form(form, lambda: setting.propose_tax_rate(db_session(), actor(), form.draft(ours.country)))
    if made:
        flash(_("The rate waits for a colleague. Nothing changes until it is accepted."), "success")
        return redirect(url_for("contracts.tax_rates"), 303)
    first = fee_setting.first_day(db_session())
    return page("contracts/new_tax_rate.html", form=form, ours=ours, first=first)


@bp.post("/tax-rates/<uuid:rate_id>/acceptance")
@guard(Role.FINANCE_RELEASER, fresh=True)
def accept_tax_rate(rate_id: uuid.UUID) -> ResponseReturnValue:
    """Let it count, as the second person."""
    setting.accept_tax_rate(db_session(), actor(), rate_id)
    flash(_("The rate is accepted, and clients whom it concerns are told."), "success")
    return redirect(url_for("contracts.tax_rates"), 303)


@bp.post("/tax-rates/<uuid:rate_id>/refusal")
@guard(*FINANCE)
def decline_tax_rate(rate_id: uuid.UUID) -> ResponseReturnValue:
    """Refuse it, or take one's own back."""
    setting.decline_tax_rate(db_session(), actor(), rate_id)
    flash(_("Nothing changes. The rate stays as it is."), "success")
    return redirect(url_for("contracts.tax_rates"), 303)


@bp.route("/tax-rates/clients/<uuid:profile_id>", methods=["GET", "POST"])
@guard(*FINANCE)
def tax_profile(profile_id: uuid.UUID) -> ResponseReturnValue:
    """What a client says about itself, to be confirmed or refused."""
    found = visible(db_session(), actor(), TaxProfile, profile_id)
    form = AnswerForm.new()
    if try_form(form, lambda: _answer(form, profile_id)):
        flash(_("The client is told."), "success")
        return redirect(url_for("contracts.tax_rates"), 303)
    first = profiles.first_day(db_session(), found.organization_id)
    return page("contracts/tax_profile.html", form=form, profile=found, first=first, ours=writing.seller())


@bp.route("/billing/<uuid:organization_id>", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def billing(organization_id: uuid.UUID) -> ResponseReturnValue:
    """Where a client is for tax: its admin says it, and finance confirms it."""
    organization = _administered(organization_id)
    said = queries.profiles_of(db_session(), organization.id)
    form = BillingForm.of(said[0] if said else None)
    if try_form(form, lambda: profiles.say_where(db_session(), actor(), organization_id, form.draft())):
        flash(_("Our finance team looks at it. Until then what counted before counts on."), "success")
        return redirect(url_for("contracts.billing", organization_id=organization_id), 303)
    decided = queries.decided(db_session(), organization.id)
    return page(
        "contracts/billing.html",
        form=form,
        organization=organization,
        said=said,
        applies=words.said(decided, clock.today("UTC")),
    )


def _answer(form: AnswerForm, profile_id: uuid.UUID) -> TaxProfile:
    act = profiles.confirm_profile if form.act.data == CONFIRM else profiles.refuse_profile
    return act(db_session(), actor(), profile_id, form.note.data or "")


def _administered(organization_id: uuid.UUID) -> Organization:
    mine = administered(db_session(), actor())
    organization = next((each for each in mine if each.public_id == organization_id), None)
    if organization is None:
        raise NotFound(_("There is no such company."))
    return organization


def _said(contract: Contract) -> str:
    return words.said(contract.taxes, clock.today(contract.time_zone))
