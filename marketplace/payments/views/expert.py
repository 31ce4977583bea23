"""An expert gets set up to be paid, sees where every hour's pay is, and why a deposit is what it is."""

from __future__ import annotations

import uuid

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import Role
from marketplace.contracts.models import Timesheet
from marketplace.payments import connected_accounts, earnings, promises, taxforms
from marketplace.payments.income import income
from marketplace.payments.models import ConnectedPayout
from marketplace.payments.tasks import gateway
from marketplace.payments.views import address, bp
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged


@bp.get("/pay")
@guard(Role.EXPERT)
def money() -> ResponseReturnValue:
    """Every week of work in its one state, with the day its pay is expected."""
    weeks = paged(db_session(), earnings.weeks_of(actor()), by=Timesheet.id)
    return page(
        "payments/money.html",
        account=earnings.account_of(db_session(), actor()),
        sums=earnings.sums_of(db_session(), actor(), current().books_currency),
        income=income(db_session(), actor(), current().books_currency),
        weeks=earnings.earned(db_session(), weeks.rows),
        besides=earnings.earned_besides(db_session(), actor()),
        next_url=weeks.next_url,
        next_run=promises.pay_day(clock.now()),
        tax_due=taxforms.due(db_session(), actor().id),
    )


@bp.get("/pay/deposits")
@guard(Role.EXPERT)
def deposits() -> ResponseReturnValue:
    """What went to the expert's bank."""
    found = paged(db_session(), earnings.deposits_of(actor()), by=ConnectedPayout.id)
    return page("payments/deposits.html", deposits=found)


@bp.get("/pay/deposits/<uuid:deposit_id>")
@guard(Role.EXPERT)
def deposit(deposit_id: uuid.UUID) -> ResponseReturnValue:
    """Why a deposit is this amount, down to each line of work."""
    return page("payments/deposit.html", deposit=earnings.deposit(db_session(), actor(), deposit_id))


@bp.post("/pay/setup")
@guard(Role.EXPERT)
def set_up() -> ResponseReturnValue:
    """On to Stripe's own page."""
    return _to_stripe()


@bp.get("/pay/setup/again")
@guard(Role.EXPERT)
def set_up_again() -> ResponseReturnValue:
    """Stripe sends the browser here when its link was used or is too old: a new one takes its place."""
    return _to_stripe()


@bp.get("/pay/setup/return")
@guard(Role.EXPERT)
def set_up_return() -> ResponseReturnValue:
    """Stripe sends the browser here; whether all is done, Stripe is asked."""
    account = earnings.account_of(db_session(), actor())
    if account is not None and account.stripe_id is not None:
        connected_accounts.refresh_account(db_session(), gateway(), account.stripe_id)
    return redirect(url_for("payments.get_paid"), 303)


def _to_stripe() -> ResponseReturnValue:
    url = connected_accounts.set_up_payouts(
        db_session(),
        gateway(),
        actor(),
        return_url=address("payments.set_up_return"),
        refresh_url=address("payments.set_up_again"),
    )
    return redirect(url, 303)
