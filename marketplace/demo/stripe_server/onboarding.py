"""Account links and what a person answers on the hosted pages behind them."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass

from marketplace.demo.stripe_server import accounts, accounts_v1, events, moments, payouts
from marketplace.demo.stripe_server.errors import Json, invalid, missing, refused
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import Choice, Shape, Text
from marketplace.demo.stripe_server.store import Transaction, written
from marketplace.i18n import gettext as _

LINK_LASTS = 300  # seconds
STEPS = ("name", "bank", "agreement")
ROUTING = "110000000"
ACCOUNTS = ("000123456789", "000222222227", "000999999991")
REFUSING = "000111111113"  # Payouts to it fail, as at Stripe.

_USE = Shape(
    collection_options=Shape(
        fields=Choice("currently_due", "eventually_due"), future_requirements=Choice("include", "omit")
    ),
    refresh_url=Text(required=True),
    return_url=Text(),
)
CREATE = Shape(
    account=Text(required=True),
    use_case=Shape(
        type=Choice("account_onboarding", "account_update", required=True),
        account_onboarding=_USE,
        account_update=_USE,
        required=True,
    ),
)


@dataclass(frozen=True)
class Visit:
    """A person on their way through the pages."""

    token: str
    account: str
    use_case: Json
    answers: Json

    @property
    def where(self) -> Json:
        found: Json = self.use_case[self.use_case["type"]]
        return found

    @property
    def return_url(self) -> str:
        return str(self.where.get("return_url") or self.where["refresh_url"])

    @property
    def step(self) -> str | None:
        """The first step without an answer."""
        return next((step for step in STEPS if step not in self.answers), None)


def create_link(call: Call) -> Json:
    """POST /v2/core/account_links: a link that works once, for five minutes."""
    asked = call.params
    account = accounts.find(call.transaction, asked["account"], "account")
    use_case = asked["use_case"]
    if use_case["type"] not in use_case:
        where = f"use_case.{use_case['type']}"
        raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
    if account["closed"]:
        raise refused("This account is closed.", "account_closed", "account")
    token = secrets.token_urlsafe(24)
    expires = call.now + LINK_LASTS
    call.transaction.run(
        "INSERT INTO onboarding (token, account, link, expires) VALUES (?, ?, ?, ?)",
        token, account["id"], written(use_case), expires,
    )  # fmt: skip
    return {
        "object": "v2.core.account_link",
        "account": account["id"],
        "created": moments.iso(call.now),
        "expires_at": moments.iso(expires),
        "livemode": False,
        "url": f"{call.origin}/onboard/{token}",
        "use_case": use_case,
    }


def open_link(transaction: Transaction, token: str) -> tuple[str | None, str]:
    """Use the link. Answers the visit's token, or None, with the address to go to when it cannot be used."""
    row = transaction.row("SELECT account, link, expires, opened FROM onboarding WHERE token = ?", token)
    if row is None:
        raise missing("account link", token)
    use_case = json.loads(row["link"])
    refresh = use_case[use_case["type"]]["refresh_url"]
    if row["opened"] or row["expires"] <= moments.now():
        return None, refresh
    visit = secrets.token_urlsafe(24)
    transaction.run("UPDATE onboarding SET opened = ? WHERE token = ?", visit, token)
    return visit, refresh


def find(transaction: Transaction, visit: str) -> Visit:
    """The visit behind a page. Refuses with `resource_missing` when there is none."""
    row = transaction.row("SELECT account, link, answers FROM onboarding WHERE opened = ?", visit)
    if row is None:
        raise missing("visit", visit)
    return Visit(visit, row["account"], json.loads(row["link"]), json.loads(row["answers"]))


def check(step: str, given: dict[str, str]) -> dict[str, str]:
    """What is wrong with the answers to a step: a sentence for each field, none when all is well."""
    wrong = {name: _("Please fill this in.") for name in _ASKED[step] if not given.get(name, "").strip()}
    if step == "name" and "country" not in wrong and len(given["country"].strip()) != 2:
        wrong["country"] = _("Choose the country you live in.")
    if step == "bank" and not wrong:
        if not (given["routing_number"].isdecimal() and len(given["routing_number"]) == 9):
            wrong["routing_number"] = _("A routing number has nine digits.")
        if not (given["account_number"].isdecimal() and 4 <= len(given["account_number"]) <= 17):
            wrong["account_number"] = _("An account number has 4 to 17 digits.")
    return wrong


def answer(transaction: Transaction, visit: Visit, step: str, given: dict[str, str]) -> Visit:
    """Keep the answers to a step; after the last one the account gets all of them at once."""
    kept = {name: given[name].strip() for name in _ASKED[step]}
    answers = {**visit.answers, step: kept}
    transaction.run("UPDATE onboarding SET answers = ? WHERE opened = ?", written(answers), visit.token)
    now = Visit(visit.token, visit.account, visit.use_case, answers)
    if now.step is None:
        _hand_over(transaction, now)
    return now


def leave(transaction: Transaction, visit: Visit) -> str:
    """The person goes back to the platform, finished or not. Answers the address."""
    events.tell_thin(
        transaction,
        "v2.core.account_link.returned",
        visit.account,
        {"account_id": visit.account, "configurations": ["recipient"], "use_case": visit.use_case["type"]},
        related=False,
    )
    return visit.return_url


_ASKED = {
    "name": ("given_name", "surname", "country"),
    "bank": ("routing_number", "account_number"),
    "agreement": ("agreed",),
}


def _hand_over(transaction: Transaction, visit: Visit) -> None:
    account = accounts.find(transaction, visit.account)
    name = visit.answers["name"]
    accounts.identify(account, name["given_name"], name["surname"], name["country"])
    _add_bank_account(transaction, account, visit.answers["bank"])
    accounts.assess(transaction, account)
    events.tell_thin(transaction, "v2.core.account[identity].updated", account["id"])
    events.tell_thin(transaction, "v2.core.account.updated", account["id"])
    accounts_v1.tell_updated(transaction, account["id"])


def _add_bank_account(transaction: Transaction, account: Json, bank: Json) -> None:
    body = bank_account(
        account["id"],
        (account["defaults"] or {}).get("currency", "usd"),
        account["identity"].get("country", "us").upper(),
        bank["routing_number"],
        bank["account_number"][-4:],
    )
    transaction.add(body, account["id"], "bank_account", moments.now())
    events.tell(transaction, "account.external_account.created", body, account["id"])
    payouts.resume(transaction, account["id"], body["currency"])


def bank_account(account: str, currency: str, country: str, routing: str, last4: str) -> Json:
    return {
        "id": moments.new_id("ba"),
        "object": "bank_account",
        "account": account,
        "account_holder_name": None,
        "account_holder_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "STRIPE TEST BANK",
        "country": country,
        "currency": currency,
        "default_for_currency": True,
        "fingerprint": hashlib.sha256(f"{country}:{routing}:{last4}".encode()).hexdigest()[:16],
        "last4": last4,
        "metadata": {},
        "routing_number": routing,
        "status": "new",
    }
