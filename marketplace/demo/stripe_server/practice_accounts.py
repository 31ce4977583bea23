"""The page on which things go wrong for an expert's account, and for payouts on their way to a bank."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from marketplace.demo.stripe_server import accounts, accounts_v1, funds, moments, payouts
from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.hosted_pages import shown
from marketplace.demo.stripe_server.store import PLATFORM, Store, Transaction
from marketplace.errors import Invalid
from marketplace.i18n import day as shown_day
from marketplace.i18n import gettext as _
from marketplace.money import parse

_LATEST = 30


def add_account_pages(pages: Blueprint, store: Store) -> None:
    @pages.get("/accounts")
    def show_accounts() -> AnyResponse:
        with store.reading() as transaction:
            return shown(
                "accounts.html",
                accounts=[_account(transaction, id) for id in _latest(transaction, accounts.KIND)],
                payouts=[_payout(transaction, id) for id in _latest(transaction, "payout")],
            )

    @pages.post("/accounts/<id>/capability")
    def switch_capability(id: str) -> AnyResponse:
        with store.writing() as transaction:
            if request.form.get("state") == "on":
                accounts.restore(transaction, id)
            else:
                accounts.restrict(transaction, id, quietly="quietly" in request.form)
            if "quietly" not in request.form:
                accounts_v1.tell_updated(transaction, id)
        return redirect(url_for(".show_accounts"), 303)

    @pages.post("/accounts/<id>/debits")
    def take_money(id: str) -> AnyResponse:
        with store.writing() as transaction:
            currency = _currency(accounts.find(transaction, id))
            amount = parse(request.form.get("amount", ""), currency.upper()).amount
            if not amount:
                raise Invalid(_("The amount must be more than zero."))
            funds.record(
                transaction, id, type="adjustment", amount=-amount, currency=currency, source=id,
                category="other_adjustment", description="CORRECTION BY STRIPE",
            )  # fmt: skip
        return redirect(url_for(".show_accounts"), 303)

    @pages.post("/payouts/<id>/failure")
    def fail_payout(id: str) -> AnyResponse:
        with store.writing() as transaction:
            if transaction.find(id, "payout") is None:
                abort(404)
            payouts.fail(transaction, id)
        return redirect(url_for(".show_accounts"), 303)


def _account(transaction: Transaction, id: str) -> Json:
    account = accounts.find(transaction, id)
    currency = _currency(account)
    total = sum(
        each(transaction, id, currency, "card", moments.now()) for each in (funds.available, funds.pending)
    )
    return {**account, "currency": currency, "total": total, "receives": accounts.can_receive(account)}


def _currency(account: Json) -> str:
    return str((account["defaults"] or {}).get("currency", "usd"))


def _payout(transaction: Transaction, id: str) -> Json:
    payout = transaction.find(id) or {}
    owner = transaction.owner(id)
    whose = None if owner == PLATFORM else accounts.find(transaction, owner).get("display_name") or owner
    return {**payout, "whose": whose, "day": shown_day(moments.day_of(payout["arrival_date"]))}


def _latest(transaction: Transaction, kind: str) -> list[str]:
    rows = transaction.rows(
        "SELECT id FROM object WHERE kind = ? ORDER BY created DESC, seq DESC LIMIT ?", kind, _LATEST
    )
    return [row["id"] for row in rows]
