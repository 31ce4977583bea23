"""Credit lines: an operator prepares one, a second person confirms it, and all see what is taken of it."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.actor import FINANCE, Role
from marketplace.contracts.credit import cover, lines
from marketplace.contracts.credit.models import CreditLine
from marketplace.errors import Invalid
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments import covered
from marketplace.payments.forms import CreditForm, EndCreditForm
from marketplace.payments.views import bp
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged, try_form

MOST_CLIENTS = 1_000


@bp.route("/credit-lines", methods=["GET", "POST"])
@guard(*FINANCE, Role.OPERATOR)
def credit_lines() -> ResponseReturnValue:
    """All lines with what is taken of each client's; an operator prepares another."""
    form = CreditForm.of(current().books_currency, _clients())
    if request.method == "POST":
        made = try_form(form, lambda: _prepare(form))
        if made is not None:
            return redirect(url_for("payments.credit_line", line_id=made.public_id), 303)
        form = CreditForm.of(current().books_currency, _clients())
    found = paged(db_session(), _lines(), by=CreditLine.id)
    return page(
        "payments/credit_lines.html",
        form=form,
        lines=found,
        standing_of=_standing,
        missing=Money(covered.look(db_session(), current().books_currency).missing, current().books_currency),
        may_prepare=actor().has(Role.OPERATOR),
    )


@bp.get("/credit-lines/<uuid:line_id>")
@guard(*FINANCE, Role.OPERATOR)
def credit_line(line_id: uuid.UUID) -> ResponseReturnValue:
    """One line: who decided what, and where its client stands."""
    return _page(line_id, EndCreditForm())


@bp.post("/credit-lines/<uuid:line_id>/confirmation")
@guard(Role.FINANCE_RELEASER, Role.OPERATOR, fresh=True)
def confirm_credit_line(line_id: uuid.UUID) -> ResponseReturnValue:
    """Let it count."""
    lines.confirm_line(db_session(), actor(), line_id)
    flash(_("Confirmed. The client’s projects may take it up from its first day on."), "success")
    return redirect(url_for("payments.credit_line", line_id=line_id), 303)


@bp.post("/credit-lines/<uuid:line_id>/ending")
@guard(*FINANCE, Role.OPERATOR)
def end_credit_line(line_id: uuid.UUID) -> ResponseReturnValue:
    """Let it lend nothing more."""
    form = EndCreditForm()
    ended = try_form(form, lambda: lines.end_line(db_session(), actor(), line_id, form.reason.data or ""))
    if ended is None:
        return _page(line_id, form)
    flash(_("Ended. What was taken of it is owed now; earned pay goes on."), "info")
    return redirect(url_for("payments.credit_line", line_id=line_id), 303)


def _page(line_id: uuid.UUID, form: EndCreditForm) -> ResponseReturnValue:
    found = there(db_session().scalars(_lines().where(CreditLine.public_id == line_id)).one_or_none())
    waits = found.confirmed_by is None and found.ended_by is None
    other = found.prepared_by != actor().id
    return page(
        "payments/credit_line.html",
        form=form,
        line=found,
        standing=_standing(found),
        may_confirm=waits and other and actor().has(Role.FINANCE_RELEASER, Role.OPERATOR),
        may_end=found.ended_by is None,
    )


def _prepare(form: CreditForm) -> CreditLine:
    first, last = form.from_on.data, form.until_on.data
    if first is None or last is None:
        raise Invalid(_("Give the first and the last day."), field="until_on")
    return lines.prepare_line(
        db_session(),
        actor(),
        uuid.UUID(form.organization.data),
        form.amount.data.amount,
        first,
        last,
        form.reason.data or "",
    )


def _standing(line: CreditLine) -> cover.Standing:
    return cover.standing(db_session(), line.organization_id, line.currency)


def _lines() -> sa.Select[CreditLine]:
    people = (CreditLine.preparer, CreditLine.confirmer, CreditLine.ender, CreditLine.organization)
    return sa.select(CreditLine).options(*(joinedload(each) for each in people))


def _clients() -> list[tuple[str, str]]:
    rows = db_session().execute(
        sa.select(Organization.public_id, Organization.name)
        .filter_by(kind=OrganizationKind.CLIENT)
        .order_by(Organization.name, Organization.id)
        .limit(MOST_CLIENTS)
    )
    return [(str(public_id), name) for public_id, name in rows]
