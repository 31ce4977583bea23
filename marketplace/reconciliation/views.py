"""Reconciliation for finance: the three columns, statements, matches, open items, and tracing an amount."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from marketplace.actor import FINANCE
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.ledger import sources
from marketplace.ledger.sources import Link
from marketplace.payments.models import ConnectedPayout
from marketplace.reconciliation import (
    booking,
    matches,
    open_items,
    overview,
    queries,
    tasks,
    tracing,
    words,
)
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.differences import explained
from marketplace.reconciliation.forms import BookForm, ImportForm, UndoForm
from marketplace.reconciliation.models import BankStatement, OpenItem, StatementLine, StatementMatch
from marketplace.reconciliation.passes import RunResult
from marketplace.reconciliation.statements import Imported
from marketplace.reconciliation.states import Kind, MatchState
from marketplace.web import actor, db_session, guard, page, paged, try_form

bp = Blueprint("reconciliation", __name__, url_prefix="/reconciliation")


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "link_for": sources.link_for,
        "kind_name": open_items.kind_name,
        "what_to_do": open_items.what_to_do,
        "reason": words.reason,
        "pass_name": words.pass_name,
        "explained": explained,
    }


def _line_link(rest: str) -> Link:
    return Link(_("Bank line"), url_for("reconciliation.line", public_id=rest))


def _statement_link(rest: str) -> Link:
    return Link(_("Bank statement"), url_for("reconciliation.statement", public_id=rest))


def _account_link(_rest: str) -> Link:
    return Link(_("Bank account"), url_for("reconciliation.statement_list"))


def _deposit_link(rest: str) -> Link:
    return Link(_("Payout to an expert's bank"), url_for("reconciliation.deposit", stripe_id=rest))


sources.register("statement_line", _line_link)
sources.register("bank_statement", _statement_link)
sources.register("bank_account", _account_link)
sources.register("connected_payout", _deposit_link)


@bp.get("/")
@guard(*FINANCE)
def index() -> ResponseReturnValue:
    """Ledger, Stripe and bank side by side, and one sentence on top."""
    found = overview.look(db_session())
    sentence, advice = overview.headline(found)
    return page("reconciliation/index.html", overview=found, sentence=sentence, advice=advice)


@bp.post("/fetching")
@guard(*FINANCE)
def fetch() -> ResponseReturnValue:
    """Ask the worker to fetch from Stripe and match."""
    tasks.ask_to_fetch(db_session(), actor())
    flash(_("Fetching from Stripe. Look again in a moment."), "success")
    return _to("index")


@bp.post("/matching")
@guard(*FINANCE)
def match_again() -> ResponseReturnValue:
    """Match what is here, now."""
    result = tasks.match_now(db_session(), actor())
    n = sum(result.confirmed.values())
    flash(ngettext("One more match.", "%(n)s more matches.", n), "success")
    return _to("index")


@bp.route("/import", methods=["GET", "POST"])
@guard(*FINANCE)
def import_file() -> ResponseReturnValue:
    """Take in a statement file."""
    form = ImportForm()
    result = try_form(form, lambda: _import(form))
    if result is None:
        return page("reconciliation/import_file.html", form=form)
    flash(_said(*result), "success")
    return redirect(url_for("reconciliation.file", public_id=result[0].file.public_id), 303)


@bp.get("/files/<uuid:public_id>")
@guard(*FINANCE)
def file(public_id: uuid.UUID) -> ResponseReturnValue:
    """What a file brought."""
    return page("reconciliation/file.html", file=queries.find_file(db_session(), public_id))


@bp.get("/statements")
@guard(*FINANCE)
def statement_list() -> ResponseReturnValue:
    """Statements, newest first."""
    found = paged(db_session(), queries.statements(), by=BankStatement.id, size=50)
    return page("reconciliation/statement_list.html", statements=found)


@bp.get("/statements/<uuid:public_id>")
@guard(*FINANCE)
def statement(public_id: uuid.UUID) -> ResponseReturnValue:
    """A statement with its lines."""
    found = queries.find_statement(db_session(), public_id)
    lines = paged(db_session(), queries.lines_of(found), by=StatementLine.id, size=100)
    return page("reconciliation/statement.html", statement=found, lines=lines)


@bp.get("/lines/<uuid:public_id>")
@guard(*FINANCE)
def line(public_id: uuid.UUID) -> ResponseReturnValue:
    """A bank line: what it is, or what can be done about it."""
    return _line_page(public_id, BookForm())


@bp.post("/lines/<uuid:public_id>/booking")
@guard(*FINANCE)
def book(public_id: uuid.UUID) -> ResponseReturnValue:
    """Book a bank line that is no sweep."""
    form = BookForm()
    booked = try_form(
        form,
        lambda: booking.book_line(
            db_session(), actor(), public_id, BookAs(form.book_as.data), form.reason.data or ""
        ),
    )
    return _to("line", public_id=public_id) if booked else _line_page(public_id, form)


@bp.post("/lines/<uuid:public_id>/sweeps/<uuid:sweep>")
@guard(*FINANCE)
def match_line(public_id: uuid.UUID, sweep: uuid.UUID) -> ResponseReturnValue:
    """Match a bank line with a sweep, by hand."""
    matches.match_by_hand(db_session(), actor(), public_id, sweep)
    return _to("line", public_id=public_id)


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
    return _to("line", public_id=matches.pair_of(match)[0].public_id)


@bp.post("/matches/<uuid:public_id>/undoing")
@guard(*FINANCE)
def undo(public_id: uuid.UUID) -> ResponseReturnValue:
    """Take a match back."""
    match = matches.undo_match(db_session(), actor(), public_id, UndoForm().note.data or "")
    flash(_("The match is undone, and its entry reversed."), "success")
    return _to("line", public_id=next(m.statement_line.public_id for m in match.lines if m.statement_line))


@bp.get("/items")
@guard(*FINANCE)
def items() -> ResponseReturnValue:
    """Open items, of one kind or of all."""
    kind = next((kind for kind in Kind if kind == request.args.get("kind")), None)
    found = paged(db_session(), queries.open_items(kind), by=OpenItem.id, size=100)
    return page("reconciliation/items.html", items=found, kind=kind, kinds=list(Kind), me=actor().person_id)


@bp.post("/items/<uuid:public_id>/owner")
@guard(*FINANCE)
def take(public_id: uuid.UUID) -> ResponseReturnValue:
    """Make an item one's own to clear."""
    open_items.take_item(db_session(), actor(), public_id)
    return _to("items")


@bp.post("/bank-accounts/<uuid:public_id>/opening")
@guard(*FINANCE)
def book_opening(public_id: uuid.UUID) -> ResponseReturnValue:
    """Book what a bank account held before its first statement."""
    booking.book_opening(db_session(), actor(), public_id)
    flash(_("The opening balance is booked as the operator's own money."), "success")
    return _to("index")


@bp.get("/deposits")
@guard(*FINANCE)
def deposits() -> ResponseReturnValue:
    """Payouts to experts' banks, newest first."""
    found = paged(db_session(), queries.deposits(), by=ConnectedPayout.id, size=50)
    return page("reconciliation/deposits.html", deposits=found)


@bp.get("/deposits/<stripe_id>")
@guard(*FINANCE)
def deposit(stripe_id: str) -> ResponseReturnValue:
    """An expert's deposit, down to the hours."""
    return page("reconciliation/deposit.html", deposit=tracing.deposit(db_session(), stripe_id))


def _line_page(public_id: uuid.UUID, form: BookForm) -> Response:
    found = queries.find_line(db_session(), public_id)
    return page(
        "reconciliation/line.html",
        form=form,
        undo_form=UndoForm(formdata=None),
        line=found,
        matches=queries.matches_of(db_session(), found),
        sweeps=queries.sweeps_of(db_session(), found),
        trace=tracing.sweep_behind(db_session(), found),
    )


def _import(form: ImportForm) -> tuple[Imported, RunResult]:
    upload = form.file.data
    return tasks.import_and_match(
        db_session(), actor(), upload.filename or "", upload.read(), new_account=form.new_account.data
    )


def _said(imported: Imported, run: RunResult) -> str:
    if imported.again:
        return _("This very file was imported before. Nothing changed.")
    matched = ngettext(
        "One line was matched by itself.", "%(n)s lines were matched by themselves.", run.with_bank
    )
    came = _("%(new)d new, %(known)d already here.", new=imported.new, known=imported.known)
    return f"{came} {matched}" if run.with_bank else came


def _to(name: str, **values: object) -> Response:
    return redirect(url_for(f"reconciliation.{name}", **values), 303)  # type: ignore[arg-type]
