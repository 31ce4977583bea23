"""The v1 view of accounts: the platform's own, and the older fields of a connected one."""

from __future__ import annotations

import secrets
from datetime import datetime

from marketplace.demo.stripe_server import accounts, events, moments
from marketplace.demo.stripe_server.errors import Json, missing, refused
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.store import PLATFORM, Transaction

LOGIN_LASTS = 300  # seconds


def retrieve(call: Call) -> Json:
    """GET /v1/accounts/{account}."""
    shown = view(call.transaction, call.args["account"])
    if shown is None:
        raise missing("account", call.args["account"])
    return shown


def retrieve_own(call: Call) -> Json:
    """GET /v1/account: the caller's own."""
    return view(call.transaction, call.account) or {}


def create_login_link(call: Call) -> Json:
    """POST /v1/accounts/{account}/login_links: a short-lived way into the account's own dashboard."""
    account = accounts.find(call.transaction, call.args["account"])
    if (
        account.get("dashboard") != "express"
        or accounts.bank_account(call.transaction, account["id"]) is None
    ):
        raise refused("Cannot create a login link for an account that has not completed onboarding.")
    token = secrets.token_urlsafe(24)
    call.transaction.run(
        "INSERT INTO dashboard_login (token, account, expires) VALUES (?, ?, ?)",
        token, account["id"], call.now + LOGIN_LASTS,
    )  # fmt: skip
    return {"object": "login_link", "created": call.now, "url": f"{call.origin}/express/{token}"}


def view(transaction: Transaction, id: str) -> Json | None:
    """The account in v1's words, or None when there is no such account."""
    if id == PLATFORM:
        return _platform(transaction)
    account = transaction.find(id, accounts.KIND)
    return account and _connected(transaction, account)


def tell_updated(transaction: Transaction, id: str) -> None:
    """`account.updated`, for the platform's connect listeners."""
    shown = view(transaction, id)
    if shown:
        events.tell(transaction, "account.updated", shown, id)


def _connected(transaction: Transaction, account: Json) -> Json:
    bank = accounts.bank_account(transaction, account["id"])
    receives = accounts.can_receive(account)
    due = [entry["description"] for entry in account["requirements"]["entries"]]
    waits = bool(due) and account["requirements"]["entries"][0]["awaiting_action_from"] == "stripe"
    return {
        "id": account["id"],
        "object": "account",
        "capabilities": {"transfers": "active" if receives else "pending" if waits else "inactive"},
        "charges_enabled": False,
        "controller": _controller(account),
        "country": account["identity"].get("country", "us").upper(),
        "created": int(datetime.fromisoformat(account["created"]).timestamp()),
        "default_currency": (account["defaults"] or {}).get("currency", "usd"),
        "details_submitted": not due or waits,
        "email": account.get("contact_email"),
        "external_accounts": _list([bank] if bank else [], f"/v1/accounts/{account['id']}/external_accounts"),
        "future_requirements": _requirements([], []),
        "metadata": account["metadata"],
        "payouts_enabled": receives and bank is not None,
        "requirements": _requirements([] if waits else due, due if waits else []),
        "type": "none",
    }


def _platform(transaction: Transaction) -> Json:
    bank = accounts.bank_account(transaction, PLATFORM)
    return {
        "id": PLATFORM,
        "object": "account",
        "charges_enabled": True,
        "country": "US",
        "created": moments.now(),
        "default_currency": "usd",
        "details_submitted": True,
        "external_accounts": _list([bank] if bank else [], f"/v1/accounts/{PLATFORM}/external_accounts"),
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


def _controller(account: Json) -> Json:
    responsible = (account["defaults"] or {}).get("responsibilities", {})
    return {
        "type": "application",
        "is_controller": True,
        "fees": {"payer": "application" if responsible.get("fees_collector") == "application" else "account"},
        "losses": {"payments": responsible.get("losses_collector", "stripe")},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": account.get("dashboard", "none")},
    }


def _requirements(due: list[str], checking: list[str]) -> Json:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": "requirements.past_due" if due else None,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": checking,
    }


def _list(data: list[Json], url: str) -> Json:
    return {"object": "list", "data": data, "has_more": False, "url": url}
