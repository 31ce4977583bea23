"""The pages that people see at Stripe: onboarding, paying, and an expert's own dashboard.

Each lives behind an address that cannot be guessed, so there is neither a session nor a cookie here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from marketplace import clock
from marketplace.demo.stripe_server import (
    accounts,
    balance_settings,
    bank_debits,
    checkout,
    funds,
    moments,
    onboarding,
    payments,
)
from marketplace.demo.stripe_server.api import read_moment
from marketplace.demo.stripe_server.errors import Json, StripeRefusal
from marketplace.demo.stripe_server.store import PLATFORM, Store, Transaction
from marketplace.i18n import gettext as _
from marketplace.money import Money

COUNTRIES = {
    "us": "United States", "ca": "Canada", "gb": "United Kingdom", "ie": "Ireland", "de": "Germany",
    "fr": "France", "es": "Spain", "it": "Italy", "nl": "Netherlands", "pl": "Poland", "pt": "Portugal",
    "se": "Sweden", "ch": "Switzerland", "in": "India", "au": "Australia", "nz": "New Zealand",
    "sg": "Singapore", "jp": "Japan", "br": "Brazil", "mx": "Mexico", "za": "South Africa", "ke": "Kenya",
    "ng": "Nigeria", "ph": "Philippines",
}  # fmt: skip


def hosted_pages(store: Store) -> Blueprint:
    pages = Blueprint("hosted", __name__)

    @pages.get("/onboard/<token>")
    def open_link(token: str) -> AnyResponse:
        with _asked_time(), store.writing() as transaction:
            visit, refresh = onboarding.open_link(transaction, token)
        return redirect(f"/onboarding/{visit}" if visit else refresh, 303)

    @pages.get("/onboarding/<token>")
    def onboard(token: str) -> AnyResponse:
        with store.reading() as transaction:
            visit = onboarding.find(transaction, token)
            return _step_page(transaction, visit, {}, {})

    @pages.post("/onboarding/<token>")
    def onboard_submit(token: str) -> AnyResponse:
        given = request.form.to_dict()
        with _asked_time(), store.writing() as transaction:
            visit = onboarding.find(transaction, token)
            step = given.pop("step", "")
            if step != visit.step:
                return redirect(f"/onboarding/{token}", 303)
            wrong = onboarding.check(step, given)
            if wrong:
                return _step_page(transaction, visit, given, wrong)
            visit = onboarding.answer(transaction, visit, step, given)
            return redirect(
                f"/onboarding/{token}" if visit.step else onboarding.leave(transaction, visit), 303
            )

    @pages.post("/onboarding/<token>/leave")
    def onboard_leave(token: str) -> AnyResponse:
        with _asked_time(), store.writing() as transaction:
            return redirect(onboarding.leave(transaction, onboarding.find(transaction, token)), 303)

    @pages.get("/c/pay/<id>")
    def pay(id: str) -> AnyResponse:
        with store.reading() as transaction:
            return _pay_page(transaction, _session(transaction, id))

    @pages.post("/c/pay/<id>")
    def pay_submit(id: str) -> AnyResponse:
        with _asked_time(), store.writing() as transaction:
            session = _session(transaction, id)
            if session["status"] != "open":
                return _pay_page(transaction, session)
            wrong = _pay(transaction, session, request.form.to_dict())
            if wrong:
                return _pay_page(transaction, session, wrong)
        return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", id), 303)

    @pages.get("/express/<token>")
    def express(token: str) -> AnyResponse:
        with store.reading() as transaction:
            return _express_page(transaction, token)

    @pages.errorhandler(StripeRefusal)
    def refused(_refusal: StripeRefusal) -> AnyResponse:
        return shown("gone.html", status=404)

    return pages


@contextmanager
def _asked_time() -> Iterator[None]:
    given = request.headers.get("Marketplace-Clock")
    if not given:
        yield
        return
    with clock.at(read_moment(given)):
        yield


def shown(template: str, *, leads_to: str = "", status: int = 200, **values: object) -> Response:
    """Render with a policy that lets forms end only here and at the address they lead to."""
    page = make_response(render_template(template, money=_money, **values), status)
    page.headers["Content-Security-Policy"] = policy(leads_to)
    page.headers["Cache-Control"] = "no-store"
    page.headers["Referrer-Policy"] = "no-referrer"
    page.headers["X-Content-Type-Options"] = "nosniff"
    return page


def policy(leads_to: str = "") -> str:
    parts = urlsplit(leads_to)
    beyond = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{beyond}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def _money(amount: int, currency: str) -> str:
    return str(Money(amount, currency.upper()))


def _step_page(
    transaction: Transaction, visit: onboarding.Visit, given: Json, wrong: dict[str, str]
) -> Response:
    account = accounts.find(transaction, visit.account)
    return shown(
        "onboarding.html",
        leads_to=visit.return_url,
        status=422 if wrong else 200,
        visit=visit,
        step=visit.step or "done",
        steps=onboarding.STEPS,
        given=given or _known(account),
        wrong=wrong,
        countries=COUNTRIES,
        account=account,
        test_accounts=onboarding.ACCOUNTS,
        routing=onboarding.ROUTING,
        refusing=onboarding.REFUSING,
    )


def _known(account: Json) -> Json:
    """What the platform told us already, offered for confirmation."""
    individual = account["identity"].get("individual", {})
    given, _space, rest = account.get("display_name", "").partition(" ")
    return {
        "given_name": individual.get("given_name", given),
        "surname": individual.get("surname", rest),
        "country": account["identity"].get("country", "us").lower(),
    }


def _session(transaction: Transaction, id: str) -> Json:
    found = transaction.find(id, "checkout.session")
    if found is None:
        raise StripeRefusal("No such checkout session.", status=404)
    return found


def _pay(transaction: Transaction, session: Json, given: Json) -> str | None:
    """Do what the form asks for. Answers what is wrong, None when the page is done."""
    method = given.get("method")
    if method == bank_debits.METHOD and checkout.bank_debit_offered(session):
        return _pay_by_debit(transaction, session, given.get("account_number", ""))
    if method == "customer_balance" and checkout.bank_transfer_offered(session):
        payments.promise_bank_transfer(transaction, session)
        return None
    if method != "card" or not checkout.card_offered(session):
        return _("Choose how you want to pay.")
    digits = "".join(given.get("number", "").split())
    card = next((card for card in payments.CARDS if card.number == digits), None)
    if card is None:
        return _("This is a test page: use one of the test cards listed below.")
    sentence = payments.pay_by_card(transaction, session, card)
    return sentence and _("%(what_happened)s Nothing was taken; try another card.", what_happened=sentence)


def _pay_by_debit(transaction: Transaction, session: Json, number: str) -> str | None:
    account = next((one for one in bank_debits.ACCOUNTS if one.number == "".join(number.split())), None)
    if account is None:
        return _("This is a test page: use one of the test accounts listed below.")
    bank_debits.pay(transaction, session, account)
    return None


def _pay_page(transaction: Transaction, session: Json, wrong: str | None = None) -> Response:
    items = transaction.find(f"{session['id']}_items") or {"data": []}
    return shown(
        "pay.html",
        leads_to=session["success_url"],
        status=402 if wrong else 200,
        session=session,
        items=items["data"],
        wrong=wrong,
        cards=payments.CARDS,
        by_card=checkout.card_offered(session),
        by_bank=checkout.bank_transfer_offered(session),
        by_debit=checkout.bank_debit_offered(session),
        bank=payments.bank_instructions(session),
        debit=bank_debits,
    )


def _express_page(transaction: Transaction, token: str) -> Response:
    row = transaction.row("SELECT account, expires FROM dashboard_login WHERE token = ?", token)
    if row is None or row["expires"] <= moments.now() or row["account"] == PLATFORM:
        raise StripeRefusal("No such login link.", status=404)
    account = accounts.find(transaction, row["account"])
    currency = (account["defaults"] or {}).get("currency", "usd")
    settings = balance_settings.of(transaction, account["id"])
    return shown(
        "express.html",
        account=account,
        currency=currency,
        bank=accounts.bank_account(transaction, account["id"]),
        available=funds.available(transaction, account["id"], currency, "card", moments.now()),
        pending=funds.pending(transaction, account["id"], currency, "card", moments.now()),
        interval=settings["payments"]["payouts"]["schedule"]["interval"],
        payouts=_recent_payouts(transaction, account["id"]),
    )


def _recent_payouts(transaction: Transaction, account: str) -> list[Json]:
    rows = transaction.rows(
        "SELECT id FROM object WHERE kind = 'payout' AND account = ?"
        " ORDER BY created DESC, seq DESC LIMIT 20",
        account,
    )
    found = [transaction.find(row["id"]) or {} for row in rows]
    return [{**payout, "arrives": moments.day_of(payout["arrival_date"])} for payout in found]
