"""Pages on which a person makes things go wrong at Local Stripe, to practise what then has to be done."""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from marketplace.demo.stripe_server import bank_debits, disputes, moments
from marketplace.demo.stripe_server.errors import Json, StripeRefusal
from marketplace.demo.stripe_server.hosted_pages import shown
from marketplace.demo.stripe_server.practice_accounts import add_account_pages
from marketplace.demo.stripe_server.practice_week import add_week_pages
from marketplace.demo.stripe_server.store import PLATFORM, Store, Transaction
from marketplace.errors import Invalid
from marketplace.i18n import day as shown_day
from marketplace.i18n import gettext as _
from marketplace.money import Money, parse

_LATEST = 20


def practice_pages(store: Store) -> Blueprint:
    pages = Blueprint("practice", __name__, url_prefix="/practice")

    @pages.before_request
    def own_pages_only() -> None:
        """A page elsewhere must not press these buttons; a program without a browser may."""
        if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "none") not in _OWN:
            abort(403, "This form was sent by another site.")

    @pages.get("/disputes")
    def show_disputes() -> AnyResponse:
        with store.reading() as transaction:
            return _disputes_page(transaction)

    @pages.post("/charges/<id>/disputes")
    def dispute(id: str) -> AnyResponse:
        with store.writing() as transaction:
            charge = _found(transaction, id, "charge")
            reason, debits = _asked(charge)
            with transaction.undoable():
                disputes.open_dispute(transaction, id, reason, debits=debits)
        return redirect(url_for(".show_disputes"), 303)

    @pages.post("/disputes/<id>/decision")
    def decide(id: str) -> AnyResponse:
        outcome = request.form.get("outcome", "")
        if outcome not in ("won", "won_with_fee", "lost"):
            raise Invalid(_("Choose how the bank decides."))
        with store.writing() as transaction:
            _found(transaction, id, "dispute")
            disputes.decide(transaction, id, outcome != "lost", outcome == "won_with_fee")
        return redirect(url_for(".show_disputes"), 303)

    @pages.post("/charges/<id>/failure")
    def fail_debit(id: str) -> AnyResponse:
        with store.writing() as transaction:
            _found(transaction, id, "charge")
            bank_debits.fail(transaction, id)
        return redirect(url_for(".show_disputes"), 303)

    add_week_pages(pages, store)
    add_account_pages(pages, store)

    @pages.errorhandler(StripeRefusal)
    @pages.errorhandler(Invalid)
    def refused(refusal: StripeRefusal | Invalid) -> AnyResponse:
        return shown("refused.html", status=409, wrong=str(refusal))

    return pages


_OWN = ("none", "same-origin")


def _disputes_page(transaction: Transaction) -> Response:
    return shown(
        "disputes.html",
        disputes=_latest(transaction, "dispute"),
        charges=[
            {
                **charge,
                "disputable": disputes.can_be(transaction, charge),
                "can_fail": bank_debits.is_debit(charge) and charge["status"] != "failed",
            }
            for charge in _latest(transaction, "charge")
        ],
        reasons=disputes.REASONS,
        open_ones=disputes.OPEN,
        decimal=lambda charge: (
            Money(charge["amount"] - charge["amount_refunded"], charge["currency"].upper()).decimal
        ),
    )


def _asked(charge: Json) -> tuple[str, list[int]]:
    """The reason, and the amount in as many parts as the form asks for. Raises Invalid."""
    reason, parts = request.form.get("reason", "fraudulent"), request.form.get("parts", "1")
    if reason not in disputes.REASONS or parts not in ("1", "2"):
        raise Invalid(_("Choose a reason from the list, and one part or two."))
    currency = charge["currency"].upper()
    given = request.form.get("amount", "")
    amount = parse(given, currency).amount if given else int(charge["amount"] - charge["amount_refunded"])
    if amount < int(parts):
        raise Invalid(_("The disputed amount must be more than zero."))
    first = (amount + 1) // 2
    return reason, [first, amount - first] if parts == "2" else [amount]


def _found(transaction: Transaction, id: str, kind: str) -> Json:
    found = transaction.find(id, kind, PLATFORM)
    if found is None:
        abort(404)
    return found


def _latest(transaction: Transaction, kind: str) -> list[Json]:
    """The platform's latest objects of a kind, newest first, each with the day of its making."""
    rows = transaction.rows(
        "SELECT id FROM object WHERE kind = ? AND account = ? ORDER BY created DESC, seq DESC LIMIT ?",
        kind, PLATFORM, _LATEST,
    )  # fmt: skip
    found = [transaction.find(row["id"]) or {} for row in rows]
    return [{**one, "day": shown_day(moments.day_of(one["created"]))} for one in found]
