"""The weeks that wait for a client: what differs from the tool first, and the rest in one go."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import sqlalchemy as sa
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts.queries import administered
from marketplace.actor import CLIENT
from marketplace.contracts import queries
from marketplace.contracts.approving.same_person import unconfirmed
from marketplace.contracts.approving.standing import standing_of
from marketplace.contracts.models import Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.usage import approving, comparing
from marketplace.contracts.views import bp
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.web import Page, actor, db_session, guard, page, paged

# Together they are looked at in one table, and approved by one form.
AT_ONCE = 100


@bp.get("/timesheets/waiting")
@guard(*CLIENT)
def waiting() -> ResponseReturnValue:
    """The weeks that wait for this client: those that differ, those that agree, those without usage."""
    found = approving.waiting(db_session(), actor())
    every = queries.waiting_for_approval(actor())
    submitted = queries.timesheets_for(actor(), TimesheetState.SUBMITTED)
    differing = _listed(every.where(Timesheet.id.in_(found.differing)), "differing")
    agreeing = _listed(every.where(Timesheet.id.in_(found.agreeing)), "agreeing", size=AT_ONCE)
    return page(
        "contracts/waiting.html",
        differing=differing,
        agreeing=agreeing,
        without=_listed(found.without, "after"),
        seconds=_listed(queries.waiting_for_second(actor()), "seconds"),
        firsts=standing_of(db_session(), submitted),
        unconfirmed=unconfirmed(db_session(), submitted),
        me=actor().person_id,
        administered=administered(db_session(), actor()),
        compared=comparing.of_sheets(db_session(), [*differing, *agreeing]),
    )


@bp.post("/timesheets/approvals")
@guard(*CLIENT)
def approve_agreeing() -> ResponseReturnValue:
    """Approve the weeks that agree, as they were seen."""
    outcome = approving.approve_agreeing(db_session(), actor(), list(_seen(request.form.getlist("week"))))
    if outcome.approved:
        done = ngettext(
            "%(n)s week is approved, and its expert is owed for it.",
            "%(n)s weeks are approved, and their experts are owed for them.",
            outcome.approved,
        )
        flash(done, "success")
    if outcome.first:
        flash(_first(outcome.first), "info")
    for sentence in outcome.left:
        flash(sentence, "warning")
    if not (outcome.approved or outcome.first or outcome.left):
        flash(_("There was no week to approve."), "info")
    return redirect(url_for("contracts.waiting"), 303)


def _first(n: int) -> str:
    return ngettext(
        "%(n)s week needs two people and has your approval as the first. Your colleagues are asked for the "
        "second; nothing is paid before that.",
        "%(n)s weeks need two people and have your approval as the first. Your colleagues are asked for the "
        "second; nothing is paid before that.",
        n,
    )


def _listed(query: sa.Select[Timesheet], name: str, **size: int) -> Page[Timesheet]:
    by_deadline = (Timesheet.approve_by, Timesheet.id)
    return paged(db_session(), query, by=by_deadline, rising=True, name=name, **size)


def _seen(texts: list[str]) -> Iterator[tuple[uuid.UUID, int]]:
    """The weeks and versions of the form, each `<id> <version>`; what no page of ours says is left out."""
    for text in texts[:AT_ONCE]:
        public_id, _space, version = text.partition(" ")
        try:
            yield uuid.UUID(public_id), int(version)
        except ValueError:
            continue
