"""Rates of exchange, and months revalued at them."""

from __future__ import annotations

import uuid

from flask import flash
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import FINANCE, Role
from marketplace.contracts.states import OfferState
from marketplace.i18n import gettext as _
from marketplace.ledger import chart, periods
from marketplace.money import Money
from marketplace.reconciliation.forms import ExchangeRateForm
from marketplace.reconciliation.revaluing import booking, figures, queries, rates
from marketplace.reconciliation.views import bp, to
from marketplace.web import actor, db_session, guard, page, try_form


@bp.get("/exchange-rates")
@guard(*FINANCE)
def exchange_rates() -> ResponseReturnValue:
    """Every rate that counts, and those that wait."""
    every = queries.every_rate(db_session())
    return page(
        "reconciliation/exchange_rates.html",
        waiting=[each for each in every if each.state is OfferState.MADE],
        accepted=[each for each in every if each.state is OfferState.ACCEPTED],
        books=queries.books_currency(),
        may_accept=actor().has(Role.FINANCE_RELEASER),
    )


@bp.route("/exchange-rates/new", methods=["GET", "POST"])
@guard(*FINANCE)
def new_exchange_rate() -> ResponseReturnValue:
    """Write a rate down."""
    form = ExchangeRateForm.new()
    if try_form(form, lambda: rates.propose_exchange_rate(db_session(), actor(), form.draft())):
        flash(_("The rate waits for a colleague. It does not count until it is accepted."), "success")
        return to("exchange_rates")
    return page("reconciliation/new_exchange_rate.html", form=form, books=queries.books_currency())


@bp.post("/exchange-rates/<uuid:exchange_id>/acceptance")
@guard(Role.FINANCE_RELEASER, fresh=True)
def accept_exchange_rate(exchange_id: uuid.UUID) -> ResponseReturnValue:
    """Let it count, as the second person."""
    rates.accept_exchange_rate(db_session(), actor(), exchange_id)
    flash(_("The rate counts. What was booked before stays as it is."), "success")
    return to("exchange_rates")


@bp.post("/exchange-rates/<uuid:exchange_id>/refusal")
@guard(*FINANCE)
def decline_exchange_rate(exchange_id: uuid.UUID) -> ResponseReturnValue:
    """Refuse it, or take one's own back."""
    rates.decline_exchange_rate(db_session(), actor(), exchange_id)
    flash(_("Nothing changes. The rate does not count."), "success")
    return to("exchange_rates")


@bp.get("/revaluations")
@guard(*FINANCE)
def revaluations() -> ResponseReturnValue:
    """The months that can be revalued with what is missing, and what was prepared and booked."""
    every = queries.revaluations(db_session())
    waits = {each.month for each in every if each.state is OfferState.MADE}
    months = queries.to_revalue(db_session(), periods.day_of(clock.now()))
    left = {each: list(booking.is_revalued(db_session(), each)) for each in months if each not in waits}
    return page(
        "reconciliation/revaluations.html",
        left=left,
        every=every,
        ready={each for each in left if left[each] and booking.can_be_prepared(db_session(), each)},
    )


@bp.post("/revaluations/<month>/preparing")
@guard(*FINANCE)
def prepare_revaluation(month: str) -> ResponseReturnValue:
    """Work a month out, for a colleague to book."""
    made = booking.prepare(db_session(), actor(), periods.month_of(month))
    flash(_("Prepared. A colleague looks at it line by line and books it."), "success")
    return to("revaluation", public_id=made.public_id)


@bp.get("/revaluations/<uuid:public_id>")
@guard(*FINANCE)
def revaluation(public_id: uuid.UUID) -> ResponseReturnValue:
    """One, line by line: accounts, rates, what stood, what it is worth."""
    made = queries.revaluation(db_session(), public_id)
    last = periods.last_day(made.month)
    held = {e.currency: queries.accounts(db_session(), e.currency, last, made.up_to) for e in made.lines}
    return page(
        "reconciliation/revaluation.html",
        made=made,
        behind=queries.behind(db_session(), made),
        held=held,
        last=last,
        name_of=chart.name_of,
        rounded=figures.rounded,
        money_of=Money,
        own=made.made_by == actor().id,
        may_book=actor().has(Role.FINANCE_RELEASER),
    )


@bp.post("/revaluations/<uuid:public_id>/booking")
@guard(Role.FINANCE_RELEASER, fresh=True)
def book_revaluation(public_id: uuid.UUID) -> ResponseReturnValue:
    """Book it, as the second person."""
    booking.book(db_session(), actor(), public_id)
    flash(_("Booked on the month’s last day, and taken back on day one of the next."), "success")
    return to("revaluation", public_id=public_id)


@bp.post("/revaluations/<uuid:public_id>/refusal")
@guard(*FINANCE)
def decline_revaluation(public_id: uuid.UUID) -> ResponseReturnValue:
    """Refuse it, or take one's own back."""
    booking.decline(db_session(), actor(), public_id)
    flash(_("Nothing is booked."), "success")
    return to("revaluations")
