"""What clients owe of payments that failed: finance sees each by its age, and two write off what is lost."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.payments.debts import queries, writing_off
from marketplace.payments.debts.models import ClientDebt
from marketplace.payments.forms import WriteOffForm
from marketplace.payments.views import bp
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/client-debts")
@guard(*FINANCE)
def debts() -> ResponseReturnValue:
    """All of them, the newest first, and how old what is left is."""
    found = paged(db_session(), queries.debts_for(actor()), by=ClientDebt.id)
    return page("payments/debts.html", debts=found, ages=queries.ages(db_session()))


@bp.get("/client-debts/<uuid:debt_id>")
@guard(*FINANCE)
def debt(debt_id: uuid.UUID) -> ResponseReturnValue:
    """One: where it comes from, what was paid of it, and who wants it written off."""
    return _debt(debt_id, WriteOffForm())


@bp.post("/client-debts/<uuid:debt_id>/writing-off")
@guard(*FINANCE)
def ask_to_write_off(debt_id: uuid.UUID) -> ResponseReturnValue:
    """The first of two says why it will not be paid."""
    form = WriteOffForm()
    asked = try_form(form, lambda: writing_off.ask(db_session(), actor(), debt_id, form.reason.data or ""))
    if asked is None:
        return _debt(debt_id, form)
    flash(_("Noted. Now a second person has to confirm it."), "info")
    return redirect(url_for("payments.debt", debt_id=debt_id), 303)


@bp.post("/client-debts/<uuid:debt_id>/writing-off/confirm")
@guard(Role.FINANCE_RELEASER, fresh=True)
def write_off(debt_id: uuid.UUID) -> ResponseReturnValue:
    """The second writes it off."""
    writing_off.write_off(db_session(), actor(), debt_id)
    flash(_("Written off: it is our loss now."), "success")
    return redirect(url_for("payments.debt", debt_id=debt_id), 303)


def _debt(debt_id: uuid.UUID, form: WriteOffForm) -> ResponseReturnValue:
    found = queries.debt(db_session(), actor(), debt_id)
    other = found.asked_by not in (None, actor().id)
    return page(
        "payments/debt.html",
        debt=found,
        project=found.funding.project,
        form=form,
        may_ask=bool(found.left) and not other,
        may_write_off=bool(found.left) and other and actor().has(Role.FINANCE_RELEASER),
    )
