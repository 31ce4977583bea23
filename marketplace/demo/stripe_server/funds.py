"""Balances: every movement is a balance transaction with a posting, and a running total beside them.

A posting that `waits` (a credit, or a transfer out of a charge that is itself still waiting) counts as
pending until `available_on`. Other debits count at once and for every moment, so that money already spent
is not spent again by a request that acts at an earlier time.
"""

from __future__ import annotations

from marketplace.demo.stripe_server import moments
from marketplace.demo.stripe_server.errors import Json, refused
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, PAGE, Shape, Text
from marketplace.demo.stripe_server.presenting import present
from marketplace.demo.stripe_server.store import Transaction

SOURCE_TYPES = ("card", "bank_account")
_CATEGORY = {
    "payment": "charge",
    "payment_refund": "refund",
    "stripe_fee": "fee",
    "transfer_refund": "transfer_reversal",
}

LIST = Shape(PAGE, created=CREATED, currency=Text(), payout=Text(), source=Text(), type=Text())


def record(
    transaction: Transaction,
    account: str,
    *,
    type: str,
    amount: int,
    currency: str,
    source: str,
    fee: int = 0,
    source_type: str = "card",
    available_on: int | None = None,
    description: str | None = None,
    waits: bool | None = None,
    category: str | None = None,
    fee_is: str = "Stripe processing fees",
) -> Json:
    """Move `amount - fee` minor units into (or, negative, out of) an account's balance, and say why."""
    now = moments.now()
    body: Json = {
        "id": moments.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now if available_on is None else available_on,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": _fee_details(fee, currency, fee_is),
        "net": amount - fee,
        "reporting_category": category or _CATEGORY.get(type, type),
        "source": source,
        "status": "pending",
        "type": type,
    }
    transaction.add(body, account, "balance_transaction", now)
    _post(transaction, account, body, source_type, body["net"] > 0 if waits is None else waits)
    return body


def source_type_of(transaction: Transaction, balance_transaction: str) -> str:
    """Which of an account's balances a transaction moved."""
    row = transaction.row("SELECT source_type FROM posting WHERE transaction_id = ?", balance_transaction)
    return str(row["source_type"]) if row else "card"


def available(transaction: Transaction, account: str, currency: str, source_type: str, at: int) -> int:
    """What may be spent at a moment, in minor units."""
    total = _total(transaction, account, currency, source_type)
    return total - pending(transaction, account, currency, source_type, at)


def pending(transaction: Transaction, account: str, currency: str, source_type: str, at: int) -> int:
    """What becomes available only after a moment, in minor units."""
    row = transaction.row(
        "SELECT COALESCE(SUM(net), 0) FROM posting WHERE account = ? AND currency = ? AND source_type = ?"
        " AND available_on > ? AND waits = 1",
        account, currency, source_type, at,
    )  # fmt: skip
    return int(row[0]) if row else 0


def require(transaction: Transaction, account: str, currency: str, source_type: str, amount: int) -> None:
    """Refuse to spend more than is available now from one source type."""
    there = available(transaction, account, currency, source_type, moments.now())
    if there < amount:
        raise refused(
            "You have insufficient available funds in your Stripe account for this: "
            f"your {source_type} balance has {there} available, in {currency}, and {amount} is needed.",
            "balance_insufficient",
        )


def balance(call: Call) -> Json:
    """GET /v1/balance."""
    currencies = {"usd"} | {
        str(row["currency"])
        for row in call.transaction.rows("SELECT currency FROM balance WHERE account = ?", call.account)
    }
    spendable, coming = [], []
    for currency in sorted(currencies):
        asked = (call.transaction, call.account, currency)
        spendable.append(
            _amounts(currency, {kind: available(*asked, kind, call.now) for kind in SOURCE_TYPES})
        )
        coming.append(_amounts(currency, {kind: pending(*asked, kind, call.now) for kind in SOURCE_TYPES}))
    return {"object": "balance", "available": spendable, "livemode": False, "pending": coming}


def retrieve(call: Call) -> Json:
    """GET /v1/balance_transactions/{id}."""
    found = call.find("balance_transaction", call.args["id"], "balance transaction")
    return present(call.transaction, found)


def list_transactions(call: Call) -> Json:
    """GET /v1/balance_transactions, also by automatic payout once that is reconciled."""
    where = same(call, "currency", "source", "type")
    if "payout" in call.params:
        payout = _reconciled(call, call.params["payout"])
        where.append(("id IN (SELECT transaction_id FROM posting WHERE payout = ?)", payout["id"]))
    return page(call, "balance_transaction", "/v1/balance_transactions", where)


def _reconciled(call: Call, id: str) -> Json:
    payout = call.find("payout", id, "payout", "payout")
    if not payout["automatic"]:
        raise refused("Balance transaction history can only be filtered on automatic payouts, not manual.",
                      param="payout")  # fmt: skip
    if payout["reconciliation_status"] != "completed":
        raise refused(
            "This payout is not reconciled yet: wait for payout.reconciliation_completed.", param="payout"
        )
    return payout


def _post(transaction: Transaction, account: str, body: Json, source_type: str, waits: bool) -> None:
    transaction.run(
        "INSERT INTO posting (transaction_id, account, currency, source_type, available_on, net, waits)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        body["id"], account, body["currency"], source_type, body["available_on"], body["net"], int(waits),
    )  # fmt: skip
    transaction.run(
        "INSERT INTO balance (account, currency, source_type, total) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account, currency, source_type) DO UPDATE SET total = total + excluded.total",
        account, body["currency"], source_type, body["net"],
    )  # fmt: skip


def _total(transaction: Transaction, account: str, currency: str, source_type: str) -> int:
    row = transaction.row(
        "SELECT total FROM balance WHERE account = ? AND currency = ? AND source_type = ?",
        account, currency, source_type,
    )  # fmt: skip
    return int(row["total"]) if row else 0


def _amounts(currency: str, by_source: dict[str, int]) -> Json:
    return {"amount": sum(by_source.values()), "currency": currency, "source_types": by_source}


def _fee_details(fee: int, currency: str, said: str) -> list[Json]:
    if not fee:
        return []
    return [
        {"amount": fee, "application": None, "currency": currency, "description": said, "type": "stripe_fee"}
    ]
