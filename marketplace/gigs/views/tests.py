"""A client's paid tests: write them, copy them, put them away."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import CLIENT, Role
from marketplace.gigs import find
from marketplace.gigs.qualification import queries, writing
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.views import bp
from marketplace.gigs.views.access import chosen_company
from marketplace.gigs.views.forms_tests import QualificationForm
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/tests")
@guard(*CLIENT)
def tests() -> ResponseReturnValue:
    """The tests of one's companies, newest first."""
    found = paged(db_session(), queries.tests_of(actor()), by=QualificationTest.id)
    return page("gigs/tests.html", tests=found, may_write=actor().has(Role.CLIENT_ADMIN))


@bp.route("/tests/new", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def new_test() -> ResponseReturnValue:
    """Write a test."""
    mine, chosen = chosen_company()
    form = QualificationForm()
    made = try_form(form, lambda: writing.write_test(db_session(), actor(), chosen, form.draft()))
    if made:
        flash(_("The test is written. Choose who grades it, then let a gig ask for it."), "success")
        return redirect(url_for("gigs.test", test_id=made.public_id), 303)
    return page("gigs/edit_test.html", form=form, test=None, organizations=mine, chosen=str(chosen))


@bp.get("/tests/<uuid:test_id>")
@guard(*CLIENT, Role.OPERATOR)
def test(test_id: uuid.UUID) -> ResponseReturnValue:
    """One test: what it asks, how it is graded, and which gigs ask for it."""
    found = find.visible(db_session(), actor(), QualificationTest, test_id)
    return page(
        "gigs/test.html",
        test=found,
        gigs=writing.open_gigs(db_session(), found),
        mine=actor().has(*CLIENT, organization_id=found.organization_id),
        may_write=actor().has(Role.CLIENT_ADMIN, organization_id=found.organization_id),
    )


@bp.route("/tests/<uuid:test_id>/edit", methods=["GET", "POST"])
@guard(Role.CLIENT_ADMIN)
def edit_test(test_id: uuid.UUID) -> ResponseReturnValue:
    """Change what a test says, until the first is asked to take it."""
    found = find.visible(db_session(), actor(), QualificationTest, test_id)
    actor().require(Role.CLIENT_ADMIN, organization_id=found.organization_id)
    form = QualificationForm.of(found)
    if try_form(form, lambda: writing.change_test(db_session(), actor(), test_id, form.draft())):
        flash(_("The test is saved."), "success")
        return redirect(url_for("gigs.test", test_id=test_id), 303)
    return page("gigs/edit_test.html", form=form, test=found, organizations=[], chosen="")


@bp.post("/tests/<uuid:test_id>/copies")
@guard(Role.CLIENT_ADMIN)
def copy_test(test_id: uuid.UUID) -> ResponseReturnValue:
    """Write another test that says the same."""
    copied = writing.copy_test(db_session(), actor(), test_id)
    flash(_("This is a copy. Change what differs."), "success")
    return redirect(url_for("gigs.edit_test", test_id=copied.public_id), 303)


@bp.post("/tests/<uuid:test_id>/retirement")
@guard(Role.CLIENT_ADMIN)
def retire_test(test_id: uuid.UUID) -> ResponseReturnValue:
    """Put a test away."""
    writing.retire_test(db_session(), actor(), test_id)
    flash(_("The test is put away. Who passed it has passed it."), "success")
    return redirect(url_for("gigs.test", test_id=test_id), 303)
