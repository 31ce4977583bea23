"""Harbour Bank's page, and the statement to download: outside of Stripe's API, as a bank is."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, Response, abort, jsonify, make_response, render_template, request

from marketplace import clock
from marketplace.demo.stripe_server import bank, camt
from marketplace.demo.stripe_server.hosted_pages import policy
from marketplace.demo.stripe_server.store import Store
from marketplace.i18n import day as shown_day
from marketplace.money import Money


def bank_pages(store: Store) -> Blueprint:
    pages = Blueprint("bank", __name__)

    @pages.get("/bank")
    def home() -> Response:
        first, last = _span(31)
        with store.reading() as transaction:
            days = bank.days(transaction, first, last)
            opened = bank.opened_on(transaction)
        page = make_response(
            render_template("bank.html", days=days[::-1], first=first, last=last, opened=opened, bank=bank,
                            money=_money, shown_day=shown_day)
        )  # fmt: skip
        page.headers["Content-Security-Policy"] = policy()
        return page

    @pages.get("/bank/statement.camt053.xml")
    def statement() -> Response:
        first, last = _span(31)
        with store.reading() as transaction:
            written = camt.statement(bank.days(transaction, first, last), first, last)
        name = f"harbour-bank-{first:%Y%m%d}-{last:%Y%m%d}.camt053.xml"
        return Response(
            written,
            mimetype="application/xml",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    @pages.get("/bank/lines.json")
    def lines() -> Response:
        first, last = _span(3660)
        with store.reading() as transaction:
            days = bank.days(transaction, first, last)
        return jsonify([_line(day, line) for day in days for line in day.lines])

    return pages


def _span(before: int) -> tuple[date, date]:
    """The asked days; without asking, up to today and starting `before` days earlier."""
    try:
        last = date.fromisoformat(request.args.get("to", "") or clock.now().date().isoformat())
        first = date.fromisoformat(
            request.args.get("from", "") or (last - timedelta(days=before)).isoformat()
        )
    except ValueError:
        abort(400, "from and to are days, written as 2026-11-30.")
    if first > last:
        abort(400, "from lies after to.")
    return first, last


def _line(day: bank.Day, line: bank.Line) -> dict[str, object]:
    return {
        "booked_on": day.on.isoformat(),
        "amount": line.amount,
        "currency": bank.CURRENCY.upper(),
        "text": line.text,
        "reference": line.reference,
        "end_to_end_id": line.end_to_end,
    }


def _money(amount: int) -> str:
    return str(Money(amount, bank.CURRENCY.upper()))
