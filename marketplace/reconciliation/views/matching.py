"""Matches with the bank: confirmed, and taken back."""

from __future__ import annotations

import uuid

from flask import flash, request
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE
from marketplace.i18n import gettext as _
from marketplace.reconciliation import decisions, joining, matches, queries
from marketplace.reconciliation.forms import UndoForm
from marketplace.reconciliation.models import Decision, StatementMatch
from marketplace.reconciliation.states import MatchState
from marketplace.reconciliation.views import bp, proposed, to
from marketplace.web import actor, db_session, guard, page, paged


@bp.get("/matches")
@guard(*FINANCE)
def match_list() -> ResponseReturnValue:
    """Matches with the bank: those that wait for a decision, or all."""
    state = MatchState.PROPOSED if request.args.get("state") == "proposed" else None
    found = paged(db_session(), queries.bank_matches(state), by=StatementMatch.id, size=50)
    return page("reconciliation/match_list.html", matches=found, state=state)


@bp.post("/matches/<uuid:public_id>/confirmation")
@guard(*FINANCE)
def confirm(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say that a proposed match is right."""
    match = matches.confirm_match(db_session(), actor(), public_id)
    return to("line", public_id=matches.pair_of(match)[0].public_id)


@bp.post("/matches/<uuid:public_id>/undoing")
@guard(*FINANCE)
def undo(public_id: uuid.UUID) -> ResponseReturnValue:
    """Take a match back."""
    done = decisions.undo(db_session(), actor(), public_id, UndoForm().note.data or "")
    if isinstance(done, Decision):
        flash(proposed(), "success")
        return to("line", public_id=done.line.public_id)
    flash(_("The match is undone, and its entry reversed."), "success")
    return to("line", public_id=joining.line_of(done).public_id)
