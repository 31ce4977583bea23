"""Offers, signatures, contracts, and where a project's money is."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import pdf, reasons
from marketplace.actor import CLIENT, FINANCE, Role
from marketplace.contracts import agreement as agreements
from marketplace.contracts import ending, find, guidelines, limits, offers, queries, rolling, signing
from marketplace.contracts.adjustments import queries as adjustments
from marketplace.contracts.budgets import alerts, standing
from marketplace.contracts.consents import queries as consents
from marketplace.contracts.fees import offering
from marketplace.contracts.forms import OfferForm, ReasonForm, SignForm
from marketplace.contracts.models import Contract, Offer, Timesheet
from marketplace.contracts.rates import queries as rates
from marketplace.contracts.sittings import queries as sittings
from marketplace.contracts.spending import spending
from marketplace.contracts.states import ContractState, OfferState
from marketplace.contracts.views import bp
from marketplace.gigs import find as find_gig
from marketplace.gigs.guidelines import newest as newest_guidelines
from marketplace.gigs.models import Application
from marketplace.gigs.queries import profiles_of
from marketplace.i18n import gettext as _
from marketplace.settings import current
from marketplace.web import actor, db_session, file_response, guard, page, paged, try_form


@bp.get("/offers", endpoint="offers")
@guard(Role.EXPERT)
def own_offers() -> ResponseReturnValue:
    """The offers to this expert."""
    waiting, over = (queries.offers_for(actor(), waiting=waits) for waits in (True, False))
    return page(
        "contracts/offers.html",
        waiting=paged(db_session(), waiting, by=Offer.id, name="waiting"),
        over=paged(db_session(), over, by=Offer.id),
    )


@bp.get("/offers/<uuid:offer_id>")
@guard()
def offer(offer_id: uuid.UUID) -> ResponseReturnValue:
    """One offer, with the whole text; its expert signs it here."""
    return show_offer(find.offer(db_session(), actor(), offer_id), SignForm())


@bp.post("/offers/<uuid:offer_id>/signature")
@guard(Role.EXPERT)
def sign(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Sign by typing one's name."""
    form = SignForm()
    contract = try_form(
        form, lambda: signing.accept_offer(db_session(), actor(), offer_id, form.signed_name.data or "")
    )
    if contract:
        flash(_("You have a contract, and money stands behind its first two weeks."), "success")
        return redirect(url_for("contracts.show", contract_id=contract.public_id), 303)
    return show_offer(find.offer(db_session(), actor(), offer_id), form)


@bp.post("/offers/<uuid:offer_id>/refusal")
@guard(Role.EXPERT)
def decline(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Say no to an offer."""
    offers.decline_offer(db_session(), actor(), offer_id)
    flash(_("The offer is declined, and the client knows."), "success")
    return redirect(url_for("contracts.offers"), 303)


@bp.post("/offers/<uuid:offer_id>/withdrawal")
@guard(Role.CLIENT_ADMIN)
def withdraw(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Take an offer back."""
    taken = offers.withdraw_offer(db_session(), actor(), offer_id)
    flash(_("The offer is taken back. The application waits as before."), "success")
    return redirect(url_for("gigs.received", gig_id=taken.gig.public_id), 303)


@bp.route("/applications/<uuid:application_id>/offer", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def new_offer(application_id: uuid.UUID) -> ResponseReturnValue:
    """Offer an applicant a contract."""
    application = find_gig.application(db_session(), actor(), application_id)
    profile = profiles_of(db_session(), [application.person_id])[application.person_id]
    fee_bps = current().fee_bps
    form = OfferForm.of(application, profile.asked)
    made = try_form(
        form,
        lambda: offers.make_offer(db_session(), actor(), application_id, form.draft(), fee_bps=fee_bps),
    )
    if made:
        flash(_("The offer is with the expert, who has seven days to sign."), "success")
        return redirect(url_for("contracts.offer", offer_id=made.public_id), 303)
    return page(
        "contracts/new_offer.html",
        form=form,
        application=application,
        profile=profile,
        who=_called(application, profile.label),
        fee=offering.said_of_project(db_session(), application.gig.project, fee_bps),
    )


def _called(application: Application, label: str) -> str:
    """Whoever has taken a paid test of the client is known by name, as on the list of applications."""
    person = application.person_id
    standing = sittings.standings(db_session(), application.gig, [person]).get(person)
    known = standing is not None and standing.sitting is not None
    return application.person.full_name if known else _("Expert %(label)s", label=label)


@bp.get("/gigs/<uuid:gig_id>/offers")
@guard(*CLIENT)
def made(gig_id: uuid.UUID) -> ResponseReturnValue:
    """The offers made for a gig, newest first."""
    gig = find_gig.gig(db_session(), actor(), gig_id)
    found = paged(db_session(), queries.offers_of(actor(), gig), by=Offer.id)
    labels = profiles_of(db_session(), [each.person_id for each in found])
    return page("contracts/made.html", gig=gig, offers=found, profiles=labels)


@bp.get("/contracts")
@guard()
def index() -> ResponseReturnValue:
    """The contracts that one has to do with, newest first."""
    found = paged(db_session(), queries.contracts_for(actor()), by=Contract.id)
    return page(
        "contracts/index.html",
        contracts=found,
        gaps=limits.credential_gaps(db_session(), found),
        asked=consents.waiting_on(db_session(), [each.id for each in found]),
        lower=rates.waiting_on(db_session(), [each.id for each in found]),
        less=adjustments.waiting_on(db_session(), [each.id for each in found]),
        me=actor().person_id,
        works=actor().has(Role.EXPERT),
    )


@bp.get("/contracts/<uuid:contract_id>")
@guard()
def show(contract_id: uuid.UUID) -> ResponseReturnValue:
    """One contract: its rate, its weeks, its text."""
    return _show(contract_id, ReasonForm(about="contract"))


@bp.post("/contracts/<uuid:contract_id>/end")
@guard()
def end(contract_id: uuid.UUID) -> ResponseReturnValue:
    """End a contract: the expert at once, the client with a reason."""
    form = ReasonForm(about="contract")
    contract = find.contract(db_session(), actor(), contract_id)
    if contract.person_id == actor().id:
        ending.end_contract(db_session(), actor(), contract_id)
    elif not try_form(form, lambda: _end(form, contract_id)):
        return _show(contract_id, form)
    flash(
        _(
            "The contract has ended. What was worked is still submitted and paid, and can be entered for two "
            "days more."
        ),
        "success",
    )
    return redirect(url_for("contracts.show", contract_id=contract_id), 303)


@bp.get("/projects/<uuid:project_id>/funds")
@guard(*CLIENT, *FINANCE, Role.OPERATOR)
def funds(project_id: uuid.UUID) -> ResponseReturnValue:
    """Where a project's money is: spent, reserved, free."""
    project = find_gig.project(db_session(), actor(), project_id)
    burn = queries.burn_down(db_session(), project)
    return page(
        "contracts/funds.html",
        project=project,
        burn=burn,
        alerts=alerts.of_project(db_session(), project),
        lasts=alerts.lasts(burn.free, standing.a_week(db_session(), project)),
        spending=spending(db_session(), project, burn.spent),
        mine=actor().has(*CLIENT, organization_id=project.organization_id),
        may_fund=actor().has(Role.CLIENT_ADMIN, organization_id=project.organization_id),
    )


@bp.get("/contracts/<uuid:contract_id>/agreement.pdf")
@guard()
def agreement(contract_id: uuid.UUID) -> ResponseReturnValue:
    """The signed agreement, and what was agreed since, to keep."""
    contract = find.contract(db_session(), actor(), contract_id)
    file = pdf.render(agreements.document(db_session(), contract))
    return file_response(file, agreements.file_name(contract), "application/pdf")


def _end(form: ReasonForm, contract_id: uuid.UUID) -> Contract:
    return ending.end_contract(
        db_session(), actor(), contract_id, form.reason_code.data, form.explanation.data or ""
    )


def show_offer(found: Offer, form: SignForm) -> ResponseReturnValue:
    """The page of an offer, or of a paid test that is offered."""
    mine = found.person_id == actor().person_id
    return page(
        "contracts/test_offer.html" if found.test else "contracts/offer.html",
        form=form,
        offer=found,
        fee=offering.said_of(db_session(), found),
        mine=mine,
        waits=offers.stands(found) is OfferState.MADE,
        otherwise=consents.changed_since_applying(db_session(), found),
        contract=queries.contract_of(db_session(), found),
        sitting=sittings.of_offer(db_session(), found),
        label=profiles_of(db_session(), [found.person_id])[found.person_id].label,
        may_withdraw=actor().has(Role.CLIENT_ADMIN, organization_id=found.organization_id),
    )


def _show(contract_id: uuid.UUID, form: ReasonForm) -> ResponseReturnValue:
    contract = find.contract(db_session(), actor(), contract_id)
    mine = contract.person_id == actor().person_id
    return page(
        "contracts/show.html",
        form=form,
        contract=contract,
        mine=mine,
        sheets=paged(db_session(), queries.sheets_of(contract), by=Timesheet.week_start_at),
        held=queries.held_weeks(db_session(), contract),
        active=contract.state is ContractState.ACTIVE,
        late_until=rolling.late_until(contract) if mine else None,
        gap=limits.credential_gap(db_session(), contract),
        guidelines=newest_guidelines(db_session(), contract.gig_id),
        unread=bool(guidelines.unread(db_session(), [contract])),
        may_end=contract.test is None
        and (mine or actor().has(Role.CLIENT_ADMIN, organization_id=contract.organization_id)),
        statement=reasons.about(db_session(), "contract", contract.public_id) if mine else None,
        sitting=sittings.of_contract(db_session(), contract)
        if mine or actor().has(*CLIENT, organization_id=contract.organization_id)
        else None,
    )
