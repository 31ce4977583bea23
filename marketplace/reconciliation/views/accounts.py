"""Our bank accounts: what they began with, whose money they hold, and whether they count."""

from __future__ import annotations

import uuid

from flask import flash
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from marketplace.actor import FINANCE
from marketplace.i18n import gettext as _
from marketplace.reconciliation import bank_accounts, booking, differences, queries, setting_aside
from marketplace.reconciliation.forms import ReasonForm
from marketplace.reconciliation.models import BankStatement
from marketplace.reconciliation.views import bp, to, with_reason
from marketplace.web import actor, db_session, guard, page, paged


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
    return to("index")


@bp.post("/bank-accounts/<uuid:public_id>/opening/undoing")
@guard(*FINANCE)
def take_opening_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Take the booked opening balance back."""
    form, done = with_reason(booking.take_opening_back, public_id)
    return to("bank_account", public_id=public_id) if done else _account_page(public_id, form)


@bp.post("/bank-accounts/<uuid:public_id>/holding")
@guard(*FINANCE)
def hold_client_money(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say whose money the account holds."""
    found = bank_accounts.find_account(db_session(), public_id)
    bank_accounts.hold_client_money(db_session(), actor(), public_id, clients=not found.client_money)
    flash(_("Saved. Its lines are booked under that from now on."), "success")
    return to("bank_account", public_id=public_id)


@bp.post("/bank-accounts/<uuid:public_id>/setting-aside")
@guard(*FINANCE)
def set_account_aside(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a bank account that came in by mistake count no more."""
    form, done = with_reason(setting_aside.set_account_aside, public_id)
    return to("bank_account", public_id=public_id) if done else _account_page(public_id, form)


@bp.post("/bank-accounts/<uuid:public_id>/return")
@guard(*FINANCE)
def bring_account_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Let a bank account that was set aside count again."""
    setting_aside.bring_account_back(db_session(), actor(), public_id)
    flash(_("The account counts again, with its statements."), "success")
    return to("bank_account", public_id=public_id)


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
