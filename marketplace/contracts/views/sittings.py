"""Paid tests: the client asks, an expert takes them, somebody who holds as much grades them."""

from __future__ import annotations

import uuid
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock, reasons
from marketplace.accounts.models import Person
from marketplace.actor import CLIENT, Role
from marketplace.contracts import find, queries, spending
from marketplace.contracts.forms import SignForm
from marketplace.contracts.sittings import asking, graders, grading, pay, taking
from marketplace.contracts.sittings import queries as sittings
from marketplace.contracts.sittings.models import Sitting
from marketplace.contracts.states import SittingState
from marketplace.contracts.views import bp
from marketplace.contracts.views.deals import show_offer
from marketplace.contracts.views.forms_sittings import (
    GradersForm,
    answers,
    answers_form,
    grade_form,
    grades,
)
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find as find_gig
from marketplace.gigs.models import label_of
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.i18n import gettext as _
from marketplace.i18n import time_of_day
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, how_many, page, paged, try_form

# The button that keeps what is written, and does not hand it in.
KEEP = "keep"


@bp.post("/applications/<uuid:application_id>/test")
@guard(Role.CLIENT_ADMIN)
def ask(application_id: uuid.UUID) -> ResponseReturnValue:
    """Ask an applicant to take the test of the gig."""
    offer = asking.ask(db_session(), actor(), application_id, fee_bps=current().fee_bps)
    flash(_("The expert is asked to take the test, and has seven days to begin."), "success")
    return redirect(url_for("gigs.received", gig_id=offer.gig.public_id), 303)


@bp.post("/offers/<uuid:offer_id>/test")
@guard(Role.EXPERT)
def begin(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Sign, and begin."""
    form = SignForm()
    begun = try_form(form, lambda: taking.begin(db_session(), actor(), offer_id, form.signed_name.data or ""))
    if begun:
        return redirect(url_for("contracts.sitting", sitting_id=begun.public_id), 303)
    return show_offer(find.offer(db_session(), actor(), offer_id), form)


@bp.route("/sittings/<uuid:sitting_id>", methods=["GET", "POST"])
@guard()
def sitting(sitting_id: uuid.UUID) -> ResponseReturnValue:
    """A test: whoever takes it writes here, and everybody else reads what came of it."""
    found = sittings.sitting(db_session(), actor(), sitting_id)
    form = answers_form(found.test, sittings.answers_of(db_session(), found))
    if KEEP in request.form:
        if try_form(form, lambda: _keep(found, form)):
            flash(_("Kept. The clock goes on until you hand it in."), "success")
            return redirect(url_for("contracts.sitting", sitting_id=sitting_id), 303)
    elif try_form(form, lambda: _hand_in(found, form)):
        flash(_handed_in(found), "success")
        return redirect(url_for("contracts.sitting", sitting_id=sitting_id), 303)
    return _show(found, form)


@bp.post("/sittings/<uuid:sitting_id>/answers")
@guard(Role.EXPERT)
def keep_answers(sitting_id: uuid.UUID) -> ResponseReturnValue:
    """Keep what is being written."""
    found = sittings.sitting(db_session(), actor(), sitting_id)
    form = answers_form(found.test, {})
    try:
        kept = _keep(found, form)
    except (Refused, Invalid) as refusal:
        return {"told": refusal.sentence}, refusal.status
    return {"told": _("Saved %(time)s", time=time_of_day(clock.now())), "version": kept.version}


@bp.get("/grading")
@guard(Role.EXPERT, *CLIENT)
def grading_queue() -> ResponseReturnValue:
    """The tests that wait for one's grade, the longest first."""
    waiting = sittings.to_grade(actor())
    found = paged(db_session(), waiting, by=(Sitting.grade_by, Sitting.id), rising=True)
    return page(
        "contracts/grading.html",
        sittings=found,
        total=how_many(db_session(), waiting),
        gaps={each.id: grading.gap(db_session(), actor(), each) for each in found},
        label=label_of,
    )


@bp.route("/sittings/<uuid:sitting_id>/grade", methods=["GET", "POST"])
@guard(Role.EXPERT, *CLIENT)
def grade(sitting_id: uuid.UUID) -> ResponseReturnValue:
    """Grade a test, line by line."""
    found = sittings.sitting(db_session(), actor(), sitting_id)
    grading.require_chosen(db_session(), actor(), found)
    form = grade_form(found.test)
    if try_form(form, lambda: grading.grade(db_session(), actor(), sitting_id, grades(form, found.test))):
        flash(_("Graded. Whoever took the test knows."), "success")
        return redirect(url_for("contracts.grading_queue"), 303)
    return page(
        "contracts/grade.html",
        form=form,
        sitting=found,
        answers=sittings.answers_of(db_session(), found),
        waits=found.state is SittingState.HANDED_IN,
        gap=grading.gap(db_session(), actor(), found),
        paid_for=pay.contract_for(db_session(), actor(), found),
        unpaid=grading.unpaid(db_session(), actor(), found),
        label=label_of(found.public_id.hex),
    )


@bp.route("/tests/<uuid:test_id>/graders", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def choose_graders(test_id: uuid.UUID) -> ResponseReturnValue:
    """Choose who grades a test."""
    test = find_gig.visible(db_session(), actor(), QualificationTest, test_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=test.organization_id)
    name = request.args.get("name", "").strip()
    found = graders.candidates(db_session(), test, name)
    form = GradersForm(candidates=found)
    if try_form(form, lambda: _choose(test_id, form)) is not None:
        flash(_("Saved. Those who are new were told."), "success")
        return redirect(url_for("gigs.test", test_id=test_id), 303)
    total = graders.how_many(db_session(), test, name)
    return page(
        "contracts/graders.html", form=form, test=test, candidates=found, name=name, more=total - len(found)
    )


@bp.get("/tests/<uuid:test_id>/results")
@guard(*CLIENT)
def results(test_id: uuid.UUID) -> ResponseReturnValue:
    """Everybody who took a test, newest first."""
    test = find_gig.visible(db_session(), actor(), QualificationTest, test_id)
    actor().require(*CLIENT, organization_id=test.organization_id)
    found = paged(db_session(), sittings.sittings_of(test), by=Sitting.id)
    return page(
        "contracts/results.html",
        test=test,
        sittings=found,
        costs=spending.costs(db_session(), found.rows),
        whole=spending.costs_of(db_session(), test),
    )


def _keep(found: Sitting, form: Any) -> Sitting:
    return taking.keep(db_session(), actor(), found.public_id, answers(form, found.test), _seen())


def _hand_in(found: Sitting, form: Any) -> Sitting:
    return taking.hand_in(db_session(), actor(), found.public_id, answers(form, found.test), _seen())


def _handed_in(found: Sitting) -> str:
    pay = queries.paid_by(db_session(), found.contract)
    if pay is None or not pay.amount:
        return _("Handed in. Less than a minute passed, so nothing is owed for it.")
    return _("Handed in. Your time is approved, whatever the grade will be.")


def _seen() -> int:
    """The version of the answers that the page knew."""
    return request.form.get("autosave", -1, type=int)


def _choose(test_id: uuid.UUID, form: GradersForm) -> list[Person]:
    chosen = [uuid.UUID(each) for each in form.people.data or ()]
    return graders.choose_graders(db_session(), actor(), test_id, chosen)


def _show(found: Sitting, form: Any) -> ResponseReturnValue:
    mine = found.person_id == actor().person_id
    ours = actor().has(*CLIENT, organization_id=found.test.organization_id)
    return page(
        "contracts/sitting.html",
        form=form,
        sitting=found,
        mine=mine,
        ours=ours,
        writing=mine and found.state is SittingState.BEGUN,
        name=found.person.full_name if ours else _("Answers %(label)s", label=label_of(found.public_id.hex)),
        answers=sittings.answers_of(db_session(), found)
        if mine or found.state is not SittingState.BEGUN
        else {},
        grades=sittings.grades_of(db_session(), found),
        pay=queries.paid_by(db_session(), found.contract),
        statement=reasons.about(db_session(), "sitting", found.public_id) if mine else None,
        may_grade=found.state is SittingState.HANDED_IN
        and sittings.grades_in_turn(db_session(), actor(), found),
        now=clock.now(),
        autosave={
            "url": url_for("contracts.keep_answers", sitting_id=found.public_id),
            "version": found.version,
        },
    )
