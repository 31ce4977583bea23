"""The finance home, a day of its forecast, and who is owed."""

from __future__ import annotations

import uuid
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import alarms
from marketplace.actor import FINANCE, Role
from marketplace.alarms import stops
from marketplace.errors import NotFound
from marketplace.home.finance import ageing, flows, outlook, words
from marketplace.home.finance.asking import ask_for_proofs
from marketplace.home.finance.forecast import Why
from marketplace.home.finance.places import ages, places
from marketplace.home.finance.running import running
from marketplace.home.finance.waiting import waiting
from marketplace.home.views import bp
from marketplace.i18n import gettext as _
from marketplace.payments import words as payment_words
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page

MOST = 50
# What a thing of the forecast leads to: the page, and the name of its argument.
LEADS_TO = {
    Why.PENDING: ("payments.lot", "funding_id"),
    Why.TOP_UP: ("payments.top_up", "top_up_id"),
    Why.SENT_SINCE: ("payments.item", "item_id"),
    Why.RELEASED: ("payments.item", "item_id"),
    Why.PREPARED: ("payments.item", "item_id"),
    Why.DEADLINE: ("contracts.timesheet", "timesheet_id"),
    Why.REFUND: ("payments.refund", "refund_id"),
    Why.CHARGEBACK: ("payments.chargeback", "chargeback_id"),
    Why.SWEEP: ("payments.sweep", "sweep_id"),
}


@bp.get("/finance")
@guard(*FINANCE)
def finance() -> ResponseReturnValue:
    """Cash by place, what is owed, ten days ahead, the batch that is being sent, and what waits for whom."""
    session, books = db_session(), current().books_currency
    return page(
        "home/finance.html",
        alarms=alarms.standing(session),
        stops=lambda alarm: stops.words(stops.of(alarm.code)),
        stops_nothing=lambda alarm: stops.of(alarm.code) is stops.Stops.NOTHING,
        me=actor().person_id,
        waiting=waiting(session, actor()),
        running=running(session),
        places=places(session, books),
        ages=ages(session),
        owed=ageing.owed(session, books),
        outlooks=outlook.outlooks(session, books),
        words=words,
        books_currency=books,
        source_type=payment_words.source_type,
        bucket_name=lambda bucket: words.bucket(bucket.least, bucket.most),
        may_prepare=actor().has(Role.FINANCE_PREPARER),
    )


@bp.get("/finance/forecast/<currency>/<day>")
@guard(*FINANCE)
def forecast_day(currency: str, day: str) -> ResponseReturnValue:
    """One row of the forecast: all that moves until the day is over, and why, each with its own page."""
    looks = outlook.outlooks(db_session(), current().books_currency)
    found = next((each.forecast for each in looks if each.forecast.currency == currency), None)
    row = next((each for each in found.days if each.day.isoformat() == day), None) if found else None
    if row is None:
        raise NotFound(_("The forecast has no such day any more."))
    parts = [
        (why, [(each, _address(why, each, currency)) for each in things])
        for why, things in flows.of_row(db_session(), row, currency, MOST)
    ]
    return page("home/forecast_day.html", row=row, currency=currency, parts=parts, words=words, most=MOST)


@bp.get("/finance/owed/<currency>")
@guard(*FINANCE)
def owed(currency: str) -> ResponseReturnValue:
    """Who is owed, the largest first, by how long ago it was approved."""
    least = request.args.get("least", 0, type=int)
    bucket = next((each for each in ageing.BUCKETS if each[0] == least), ageing.BUCKETS[0])
    links = [
        {
            "url": url_for("home.owed", currency=currency, least=first),
            "label": words.bucket(first, last),
            "current": (first, last) == bucket,
        }
        for first, last in ageing.BUCKETS
    ]
    found = ageing.creditors(db_session(), currency, *bucket, MOST)
    return page("home/owed.html", creditors=found, currency=currency, links=links, most=MOST)


@bp.get("/finance/sending")
@guard(*FINANCE)
def sending() -> ResponseReturnValue:
    """The batches that are being sent: what the finance home looks at again by itself."""
    return page("home/sending.html", running=running(db_session()), words=words)


@bp.post("/finance/alarms/<uuid:alarm_id>/looking")
@guard(*FINANCE)
def look_into(alarm_id: uuid.UUID) -> ResponseReturnValue:
    """Say that one looks into an alarm."""
    found = alarms.look_into(db_session(), actor(), alarm_id)
    flash(_("You look into %(code)s. Your colleagues see it.", code=found.code), "success")
    return redirect(url_for("home.finance"), 303)


@bp.post("/finance/proofs")
@guard(*FINANCE)
def check_proofs() -> ResponseReturnValue:
    """Have all proofs run now, by the worker."""
    ask_for_proofs(db_session(), actor())
    flash(_("All proofs are being checked. Look again in a moment."), "success")
    return redirect(url_for("home.finance"), 303)


def _address(why: Why, thing: flows.Moving, currency: str) -> str | None:
    """The page of a thing that moves; what an expert is owed is an account of the books."""
    if why is Why.PAYABLE:
        return url_for("ledger.account", key=thing.public_id, currency=currency)
    endpoint, name = LEADS_TO[why]
    values: dict[str, Any] = {name: thing.public_id}
    return url_for(endpoint, **values) if thing.public_id else None
