"""Statement files, and the statements that they brought."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from marketplace.actor import FINANCE
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.reconciliation import queries, setting_aside, tasks
from marketplace.reconciliation.forms import ImportForm, ReasonForm
from marketplace.reconciliation.models import BankStatement, StatementLine
from marketplace.reconciliation.passes import RunResult
from marketplace.reconciliation.statements import Imported
from marketplace.reconciliation.views import bp, to, with_reason
from marketplace.web import actor, db_session, guard, page, paged, try_form


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
    form, done = with_reason(setting_aside.set_statement_aside, public_id)
    return to("statement", public_id=public_id) if done else _statement_page(public_id, form)


@bp.post("/statements/<uuid:public_id>/return")
@guard(*FINANCE)
def bring_statement_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a statement that was set aside count again."""
    setting_aside.bring_statement_back(db_session(), actor(), public_id)
    flash(_("The statement counts again, with its lines."), "success")
    return to("statement", public_id=public_id)


def _statement_page(public_id: uuid.UUID, form: ReasonForm) -> Response:
    found = queries.find_statement(db_session(), public_id)
    count, total = queries.sum_of(db_session(), found)
    lines = paged(db_session(), queries.lines_of(found), by=StatementLine.id, size=100, rising=True)
    return page(
        "reconciliation/statement.html", form=form, statement=found, lines=lines, count=count, total=total
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
