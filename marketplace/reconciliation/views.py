"""Reconciliation for finance: the three columns, statements, matches, open items, and tracing an amount."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from marketplace.actor import FINANCE, Actor
from marketplace.contracts.limits import spell
from marketplace.i18n import day, ngettext
from marketplace.i18n import gettext as _
from marketplace.ledger import sources
from marketplace.ledger.models import Posting
from marketplace.ledger.sources import Link
from marketplace.money import Money
from marketplace.payments import wires as client_wires
from marketplace.payments.models import ConnectedPayout, Funding
from marketplace.reconciliation import (
    bank_accounts,
    booking,
    decisions,
    differences,
    matches,
    open_items,
    overview,
    queries,
    returning,
    setting_aside,
    subjects,
    tasks,
    tracing,
    wires,
    words,
)
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.differences import explained
from marketplace.reconciliation.forms import ApplyForm, BookForm, ImportForm, ReasonForm, ReturnForm, UndoForm
from marketplace.reconciliation.models import (
    BankStatement,
    Decision,
    OpenItem,
    StatementLine,
    StatementMatch,
    StripeBalance,
)
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
        "what": decisions.what,
        "credits_a_client": matches.credits_a_client,
        "explained": explained,
        "spell": spell,
    }


def _line_link(rest: str) -> Link:
    line, _colon, _account = rest.partition(":")
    return Link(_("Bank line"), url_for("reconciliation.line", public_id=line))


def _statement_link(rest: str) -> Link:
    return Link(_("Bank statement"), url_for("reconciliation.statement", public_id=rest))


def _account_link(rest: str) -> Link:
    account, _colon, _unapplied = rest.partition(":")
    return Link(_("Bank account"), url_for("reconciliation.bank_account", public_id=account))


def _deposit_link(rest: str) -> Link:
    return Link(_("Payout to an expert's bank"), url_for("reconciliation.deposit", stripe_id=rest))


def _arrival_link(rest: str) -> Link:
    found = tracing.arrival_of(db_session(), uuid.UUID(rest))
    if found is None:
        return Link(_("Not on a bank statement yet"), None)
    return Link(_("Bank line of %(day)s", day=day(found.booked_on)), _line_link(str(found.public_id)).path)


sources.register("sweep_arrival", _arrival_link)
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
    off = paged(db_session(), differences.differing_accounts(), by=StripeBalance.id, size=50)
    return page(
        "reconciliation/index.html",
        overview=found,
        sentence=sentence,
        advice=advice,
        off=differences.account_sides(db_session(), off.rows),
        next_url=off.next_url,
    )


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
    found = queries.find_file(db_session(), public_id)
    brought = paged(db_session(), queries.statements_in(found), by=BankStatement.id, size=50)
    return page("reconciliation/file.html", file=found, statements=brought)


@bp.get("/statements")
@guard(*FINANCE)
def statement_list() -> ResponseReturnValue:
    """Statements, newest first."""
    found = paged(db_session(), queries.statements(), by=BankStatement.id, size=50)
    accounts = queries.bank_accounts(db_session())
    return page("reconciliation/statement_list.html", statements=found, accounts=accounts)


@bp.get("/statements/<uuid:public_id>")
@guard(*FINANCE)
def statement(public_id: uuid.UUID) -> ResponseReturnValue:
    """A statement with its lines."""
    return _statement_page(public_id, ReasonForm())


@bp.post("/statements/<uuid:public_id>/setting-aside")
@guard(*FINANCE)
def set_statement_aside(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a statement that should not have come in count no more."""
    form, done = _with_reason(setting_aside.set_statement_aside, public_id)
    return _to("statement", public_id=public_id) if done else _statement_page(public_id, form)


@bp.post("/statements/<uuid:public_id>/return")
@guard(*FINANCE)
def bring_statement_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a statement that was set aside count again."""
    setting_aside.bring_statement_back(db_session(), actor(), public_id)
    flash(_("The statement counts again, with its lines."), "success")
    return _to("statement", public_id=public_id)


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


@bp.post("/lines/<uuid:public_id>/entries/<uuid:entry>")
@guard(*FINANCE)
def match_entry(public_id: uuid.UUID, entry: uuid.UUID) -> ResponseReturnValue:
    """Match a bank line with what was booked before it came, by hand."""
    matches.match_entry(db_session(), actor(), public_id, entry)
    return _to("line", public_id=public_id)


@bp.get("/unapplied")
@guard(*FINANCE)
def unapplied() -> ResponseReturnValue:
    """Clients' money that no request names."""
    return page(
        "reconciliation/unapplied.html",
        lines=wires.unapplied(db_session()),
        openings=returning.openings(db_session()),
        waiting=decisions.waiting(db_session()),
        me=actor().person_id,
    )


@bp.post("/lines/<uuid:public_id>/unapplied")
@guard(*FINANCE)
def keep(public_id: uuid.UUID) -> ResponseReturnValue:
    """Keep what came in as unapplied after all."""
    wires.keep(db_session(), actor(), public_id)
    return _to("line", public_id=public_id)


@bp.post("/lines/<uuid:public_id>/application")
@guard(*FINANCE)
def apply(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say for which request unapplied money came."""
    form = ApplyForm()
    reference, reason = form.reference.data or "", form.reason.data or ""
    done = try_form(form, lambda: decisions.apply(db_session(), actor(), public_id, reference, reason))
    if done is None:
        return _line_page(public_id, BookForm(formdata=None), form)
    flash(_proposed() if isinstance(done, Decision) else _credited(done), "success")
    return _to("line", public_id=public_id)


@bp.post("/lines/<uuid:public_id>/returning")
@guard(*FINANCE)
def give_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say which unapplied money a line gave back."""
    form = _return_form(queries.find_line(db_session(), public_id))
    source, reason = form.source.data or "", form.reason.data or ""
    done = try_form(form, lambda: decisions.give_back(db_session(), actor(), public_id, source, reason))
    if done is None:
        return _line_page(public_id, BookForm(formdata=None), return_form=form)
    if isinstance(done, Decision):
        flash(_proposed(), "success")
    return _to("line", public_id=public_id)


@bp.post("/decisions/<uuid:public_id>/confirmation")
@guard(*FINANCE)
def confirm_decision(public_id: uuid.UUID) -> ResponseReturnValue:
    """Do what somebody else proposed about clients' money."""
    decision = decisions.confirm(db_session(), actor(), public_id)
    flash(_("Confirmed, and done."), "success")
    return _to("line", public_id=decision.line.public_id)


@bp.post("/decisions/<uuid:public_id>/dropping")
@guard(*FINANCE)
def drop_decision(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a proposal about clients' money go."""
    decision = decisions.drop(db_session(), actor(), public_id)
    flash(_("Dropped. Nothing was moved."), "success")
    return _to("line", public_id=decision.line.public_id)


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
    done = decisions.undo(db_session(), actor(), public_id, UndoForm().note.data or "")
    if isinstance(done, Decision):
        flash(_proposed(), "success")
        return _to("line", public_id=done.line.public_id)
    flash(_("The match is undone, and its entry reversed."), "success")
    return _to("line", public_id=matches.line_of(done).public_id)


@bp.get("/items")
@guard(*FINANCE)
def items() -> ResponseReturnValue:
    """Open items, of one kind or of all."""
    kind = next((kind for kind in Kind if kind == request.args.get("kind")), None)
    found = paged(db_session(), queries.open_items(kind), by=OpenItem.id, size=100)
    counts = queries.count_items(db_session())
    return page(
        "reconciliation/items.html",
        items=found,
        subjects=subjects.named(db_session(), found.rows),
        kind=kind,
        counts=counts,
        me=actor().person_id,
    )


@bp.post("/items/<uuid:public_id>/owner")
@guard(*FINANCE)
def take(public_id: uuid.UUID) -> ResponseReturnValue:
    """Make an item one's own to clear."""
    open_items.take_item(db_session(), actor(), public_id)
    return _to("items")


@bp.get("/bank-accounts/<uuid:public_id>")
@guard(*FINANCE)
def bank_account(public_id: uuid.UUID) -> ResponseReturnValue:
    """A bank account: where it stands, what it began with, its statements."""
    return _account_page(public_id, ReasonForm())


@bp.post("/bank-accounts/<uuid:public_id>/opening")
@guard(*FINANCE)
def book_opening(public_id: uuid.UUID) -> ResponseReturnValue:
    """Book what a bank account held before its first statement."""
    booking.book_opening(db_session(), actor(), public_id)
    flash(_("The opening balance is booked as the operator's own money."), "success")
    return _to("index")


@bp.post("/bank-accounts/<uuid:public_id>/opening/undoing")
@guard(*FINANCE)
def take_opening_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Take the booked opening balance back."""
    form, done = _with_reason(booking.take_opening_back, public_id)
    return _to("bank_account", public_id=public_id) if done else _account_page(public_id, form)


@bp.post("/bank-accounts/<uuid:public_id>/holding")
@guard(*FINANCE)
def hold_client_money(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say whose money the account holds."""
    found = bank_accounts.find_account(db_session(), public_id)
    bank_accounts.hold_client_money(db_session(), actor(), public_id, clients=not found.client_money)
    flash(_("Saved. Its lines are booked under that from now on."), "success")
    return _to("bank_account", public_id=public_id)


@bp.post("/bank-accounts/<uuid:public_id>/setting-aside")
@guard(*FINANCE)
def set_account_aside(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a bank account that came in by mistake count no more."""
    form, done = _with_reason(setting_aside.set_account_aside, public_id)
    return _to("bank_account", public_id=public_id) if done else _account_page(public_id, form)


@bp.post("/bank-accounts/<uuid:public_id>/return")
@guard(*FINANCE)
def bring_account_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a bank account that was set aside count again."""
    setting_aside.bring_account_back(db_session(), actor(), public_id)
    flash(_("The account counts again, with its statements."), "success")
    return _to("bank_account", public_id=public_id)


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


def _with_reason(
    change: Callable[[Session, Actor, uuid.UUID, str], object], public_id: uuid.UUID
) -> tuple[ReasonForm, bool]:
    """The form that asks why, and whether the change was made with what it said."""
    form = ReasonForm()
    done = try_form(form, lambda: change(db_session(), actor(), public_id, form.reason.data or ""))
    return form, done is not None


def _statement_page(public_id: uuid.UUID, form: ReasonForm) -> Response:
    found = queries.find_statement(db_session(), public_id)
    count, total = queries.sum_of(db_session(), found)
    lines = paged(db_session(), queries.lines_of(found), by=StatementLine.id, size=100, rising=True)
    return page(
        "reconciliation/statement.html", form=form, statement=found, lines=lines, count=count, total=total
    )


def _account_page(public_id: uuid.UUID, form: ReasonForm) -> Response:
    found = bank_accounts.find_account(db_session(), public_id)
    part = next((each for each in differences.bank_parts(db_session()) if each.account == found), None)
    return page(
        "reconciliation/bank_account.html",
        form=form,
        account=found,
        part=part,
        may_change=bank_accounts.may_hold_other_money(db_session(), found),
        opening=bank_accounts.opening_of(db_session(), found),
        statements=paged(db_session(), queries.statements_of(found), by=BankStatement.id, size=50),
    )


def _proposed() -> str:
    return _("Proposed. It is done once somebody else confirms it; they find it under Unapplied.")


def _credited(lot: Funding) -> str:
    return _("%(amount)s credited to %(project)s. %(difference)s",
             amount=Money(lot.net or 0, lot.currency), project=lot.project.name,
             difference=client_wires.difference(lot)).strip()  # fmt: skip


def _return_form(found: StatementLine, **values: object) -> ReturnForm:
    form = ReturnForm(**values)
    form.source.choices = [
        (held.source, f"{held.money}, {day(held.since) if held.since else ''} {held.said}".strip())
        for held in returning.held_for(db_session(), found)
    ]
    return form


def _line_page(
    public_id: uuid.UUID,
    form: BookForm,
    apply_form: ApplyForm | None = None,
    return_form: ReturnForm | None = None,
) -> Response:
    found = queries.find_line(db_session(), public_id)
    waits = wires.is_unapplied(db_session(), found)
    request_named = wires.suggested(db_session(), found) if waits else None
    apply_form = apply_form or ApplyForm(
        formdata=None, reference=request_named.reference if request_named else ""
    )
    trace = tracing.sweep_behind(db_session(), found)
    return page(
        "reconciliation/line.html",
        form=form,
        statement=queries.statement_of(db_session(), found),
        undo_form=UndoForm(formdata=None),
        line=found,
        matches=queries.matches_of(db_session(), found),
        sweeps=queries.sweeps_of(db_session(), found),
        trace=trace,
        waits=waits,
        suggested=request_named,
        apply_form=apply_form,
        return_form=return_form or _return_form(found, formdata=None),
        decisions=decisions.of_line(db_session(), found),
        needs_two=matches.needs_two(found),
        me=actor().person_id,
        booked_before=matches.booked_before(db_session(), found),
        postings=paged(db_session(), tracing.taken_by(trace), by=Posting.id, size=50) if trace else None,
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
