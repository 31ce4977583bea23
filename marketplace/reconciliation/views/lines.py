"""A bank line, and what can be done about it."""

from __future__ import annotations

import uuid

from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]

from marketplace.actor import FINANCE
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger.models import Posting
from marketplace.payments.tax import remitting
from marketplace.reconciliation import (
    booking,
    decisions,
    joining,
    matches,
    queries,
    returning,
    tracing,
    wires,
)
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.forms import BOOK_AS, ApplyForm, BookForm, ReturnForm, UndoForm
from marketplace.reconciliation.models import Decision, StatementLine, StatementMatch
from marketplace.reconciliation.views import bp, to
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/lines/<uuid:public_id>")
@guard(*FINANCE)
def line(public_id: uuid.UUID) -> ResponseReturnValue:
    """A bank line: what it is, or what can be done about it."""
    return line_page(public_id, BookForm())


@bp.post("/lines/<uuid:public_id>/booking")
@guard(*FINANCE)
def book(public_id: uuid.UUID) -> ResponseReturnValue:
    """Book a bank line that is no sweep; that it paid tax is proposed."""
    form = _with_taxes(BookForm())
    booked = try_form(form, lambda: _booked(public_id, form.book_as.data or "", form.reason.data or ""))
    return to("line", public_id=public_id) if booked else line_page(public_id, form)


@bp.post("/lines/<uuid:public_id>/sweeps/<uuid:sweep>")
@guard(*FINANCE)
def match_line(public_id: uuid.UUID, sweep: uuid.UUID) -> ResponseReturnValue:
    """Match a bank line with a sweep, by hand."""
    matches.match_by_hand(db_session(), actor(), public_id, sweep)
    return to("line", public_id=public_id)


@bp.post("/lines/<uuid:public_id>/entries/<uuid:entry>")
@guard(*FINANCE)
def match_entry(public_id: uuid.UUID, entry: uuid.UUID) -> ResponseReturnValue:
    """Match a bank line with what was booked before it came, by hand."""
    matches.match_entry(db_session(), actor(), public_id, entry)
    return to("line", public_id=public_id)


def _booked(public_id: uuid.UUID, chosen: str, reason: str) -> StatementMatch | Decision:
    if chosen.startswith(remitting.PREFIX):
        return decisions.pay_tax(db_session(), actor(), public_id, reason, chosen)
    if chosen == BookAs.TAX:
        return decisions.pay_tax(db_session(), actor(), public_id, reason)
    return booking.book_line(db_session(), actor(), public_id, BookAs(chosen), reason)


def _with_taxes(form: BookForm) -> BookForm:
    """With each payment of withheld tax that waits for its bank line as a choice."""
    waiting = [
        SelectChoice(
            remitting.source(each.public_id),
            _("Withheld tax, %(amount)s (%(reference)s), paid to the tax office; a colleague confirms it",
              amount=each.money, reference=each.reference),
        )
        for each in remitting.prepared(db_session())
    ]  # fmt: skip
    form.book_as.choices = [*BOOK_AS, *waiting]
    return form


def return_form_for(found: StatementLine, **values: object) -> ReturnForm:
    """The form that asks which unapplied money a line gave back."""
    form = ReturnForm(**values)
    form.source.choices = [
        (held.source, f"{held.money}, {day(held.since) if held.since else ''} {held.said}".strip())
        for held in returning.held_for(db_session(), found)
    ]
    return form


def line_page(
    public_id: uuid.UUID,
    form: BookForm,
    apply_form: ApplyForm | None = None,
    return_form: ReturnForm | None = None,
) -> Response:
    """A line with its forms; a form that was refused is shown as it was filled in."""
    found = queries.find_line(db_session(), public_id)
    waits = wires.is_unapplied(db_session(), found)
    request_named = wires.suggested(db_session(), found) if waits else None
    apply_form = apply_form or ApplyForm(
        formdata=None, reference=request_named.reference if request_named else ""
    )
    trace = tracing.sweep_behind(db_session(), found)
    return page(
        "reconciliation/line.html",
        form=_with_taxes(form),
        statement=queries.statement_of(db_session(), found),
        undo_form=UndoForm(formdata=None),
        line=found,
        matches=queries.matches_of(db_session(), found),
        sweeps=queries.sweeps_of(db_session(), found),
        trace=trace,
        waits=waits,
        suggested=request_named,
        apply_form=apply_form,
        return_form=return_form or return_form_for(found, formdata=None),
        decisions=decisions.of_line(db_session(), found),
        needs_two=joining.needs_two(found),
        me=actor().person_id,
        booked_before=joining.booked_before(db_session(), found),
        postings=paged(db_session(), tracing.taken_by(trace), by=Posting.id, size=50) if trace else None,
    )
