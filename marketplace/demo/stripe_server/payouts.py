"""Payouts: from a balance to a bank account. Connected accounts get theirs by schedule, the platform asks.

Every payout is submitted to the bank at the next midnight (UTC) and arrives two business days after it was
made: pending, in_transit, paid.
"""

from __future__ import annotations

import secrets

from marketplace.demo.stripe_server import (
    accounts,
    balance_settings,
    bank,
    events,
    faults,
    funds,
    moments,
    schedule,
)
from marketplace.demo.stripe_server.customers import merged
from marketplace.demo.stripe_server.errors import Json, refused
from marketplace.demo.stripe_server.lists import during, page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, EXPAND, PAGE, Choice, Metadata, Shape, Text, Whole
from marketplace.demo.stripe_server.store import PLATFORM, Transaction

ARRIVES_AFTER = 2  # business days
RETURNS_AFTER = 2  # business days after it was paid
# As at Stripe: bank accounts with these last digits refuse what is paid out to them.
_REFUSING = {"1113": "account_closed", "1116": "no_account"}
_SAID = {
    "account_closed": "The bank account has been closed.",
    "no_account": "The bank account details on file are probably incorrect. No bank account could be located "
    "with those details.",
}
CREATE = Shape(
    amount=Whole(1, 99_999_999_999, required=True),
    currency=Text(3, required=True),
    description=Text(),
    expand=EXPAND,
    metadata=Metadata(),
    method=Choice("standard"),
    source_type=Choice("bank_account", "card", "fpx"),
    statement_descriptor=Text(22),
)
UPDATE = Shape(expand=EXPAND, metadata=Metadata())
LIST = Shape(PAGE, arrival_date=CREATED, created=CREATED, destination=Text(), status=Text())


def create(call: Call) -> Json:
    """POST /v1/payouts: a manual payout of the caller's own balance."""
    asked = {**call.params, "currency": call.params["currency"].lower()}
    source_type = asked.get("source_type", "card")
    funds.require(call.transaction, call.account, asked["currency"], source_type, asked["amount"])
    return _make(call.transaction, call.account, asked["amount"], asked["currency"], source_type, asked)


def retrieve(call: Call) -> Json:
    """GET /v1/payouts/{payout}."""
    return call.find("payout", call.args["payout"], "payout")


def update(call: Call) -> Json:
    """POST /v1/payouts/{payout}: its metadata."""
    payout = call.find("payout", call.args["payout"], "payout")
    payout["metadata"] = merged(payout["metadata"], call.params.get("metadata", {}))
    events.tell(call.transaction, "payout.updated", call.transaction.save(payout), call.account)
    return payout


def cancel(call: Call) -> Json:
    """POST /v1/payouts/{payout}/cancel: only a manual one that the bank does not have yet."""
    payout = call.find("payout", call.args["payout"], "payout")
    if payout["status"] != "pending" or payout["automatic"]:
        raise refused("You can only cancel a manual payout that is still pending.", "payout_not_cancelable")
    schedule.forget(call.transaction, "submit_payout", payout["id"])
    returned = funds.record(
        call.transaction, call.account, type="payout_cancel", amount=payout["amount"],
        currency=payout["currency"], source=payout["id"], source_type=payout["source_type"],
    )  # fmt: skip
    payout.update(status="canceled", failure_balance_transaction=returned["id"])
    events.tell(call.transaction, "payout.canceled", call.transaction.save(payout), call.account)
    return payout


def list_payouts(call: Call) -> Json:
    """GET /v1/payouts."""
    where = same(call, "destination", "status")
    where += during("json_extract(body, '$.arrival_date')", call.params.get("arrival_date"))
    return page(call, "payout", "/v1/payouts", where)


def expect(transaction: Transaction, account: str, currency: str, available_on: int) -> None:
    """Money came: plan the account's next automatic payout, unless one is planned already."""
    due = balance_settings.next_payout(balance_settings.of(transaction, account), moments.now())
    if due is not None:
        schedule.plan(transaction, "pay_out", f"{account}:{currency}", max(due, available_on))


def pay_out(transaction: Transaction, subject: str) -> None:
    """The step of an automatic payout: all that is available goes, and each transaction knows its payout."""
    account, currency = subject.split(":")
    now = moments.now()
    amount = funds.available(transaction, account, currency, "card", now)
    if amount > 0 and _automatic(transaction, account) and _open(transaction, account):
        payout = _make(transaction, account, amount, currency, "card", {}, automatic=True)
        transaction.run(
            "UPDATE posting SET payout = ? WHERE account = ? AND currency = ? AND payout IS NULL"
            " AND available_on <= ?",
            payout["id"], account, currency, now,
        )  # fmt: skip
    row = transaction.row(
        "SELECT MIN(available_on) FROM posting"
        " WHERE account = ? AND currency = ? AND payout IS NULL AND net > 0",
        account, currency,
    )  # fmt: skip
    if row and row[0] is not None and row[0] > now:
        expect(transaction, account, currency, row[0])


def submit(transaction: Transaction, id: str) -> None:
    """The step in which the bank takes the payout; an automatic one is itemised from now on."""
    payout = _found(transaction, id)
    account = transaction.owner(id)
    payout["status"] = "in_transit"
    events.tell(transaction, "payout.updated", transaction.save(payout), account, {"status": "pending"})
    if payout["automatic"]:
        payout["reconciliation_status"] = "completed"
        events.tell(transaction, "payout.reconciliation_completed", transaction.save(payout), account)
    schedule.plan(transaction, "arrive_payout", id, payout["arrival_date"])


def arrive(transaction: Transaction, id: str) -> None:
    """The step in which the money is in the bank account; the platform's is on the operator's statement."""
    payout = _found(transaction, id)
    account = transaction.owner(id)
    if _refuses(transaction, payout) or faults.take(transaction, "payout_fails", account):
        fail(transaction, id)
        return
    trace = f"1100000{secrets.randbelow(10**8):08d}"
    payout.update(status="paid", trace_id={"status": "supported", "value": trace})
    events.tell(transaction, "payout.paid", transaction.save(payout), account, {"status": "in_transit"})
    if account == PLATFORM and payout["currency"] == bank.CURRENCY:
        bank.book_payout(transaction, payout)
    if faults.take(transaction, "payout_returns", account):
        schedule.plan(transaction, "fail_payout", id, moments.business_midnight(moments.now(), RETURNS_AFTER))


def fail(transaction: Transaction, id: str) -> None:
    """The step in which the bank gives the money back: it is in the balance again.

    The bank account takes no more payouts until its owner names another one. KeyError for no payout; refuses
    one that failed or was cancelled.
    """
    payout = _found(transaction, id)
    if payout["status"] in ("failed", "canceled"):
        raise refused(f"This payout is already {payout['status']}.")
    account, before = transaction.owner(id), payout["status"]
    code = _refuses(transaction, payout) or "account_closed"
    returned = funds.record(
        transaction, account, type="payout_failure", amount=payout["amount"], currency=payout["currency"],
        source=id, source_type=payout["source_type"], description="PAYOUT FAILURE",
    )  # fmt: skip
    payout.update(status="failed", failure_balance_transaction=returned["id"],
                  failure_code=code, failure_message=_SAID[code])  # fmt: skip
    for step in ("submit_payout", "arrive_payout", "fail_payout"):
        schedule.forget(transaction, step, id)
    events.tell(transaction, "payout.failed", transaction.save(payout), account, {"status": before})
    if before == "paid" and account == PLATFORM and payout["currency"] == bank.CURRENCY:
        bank.send_back(transaction, payout)
    _stop(transaction, account, payout["destination"])


def resume(transaction: Transaction, account: str, currency: str) -> None:
    """The owner named a bank account: what waited in the balance goes out by the schedule again."""
    if funds.available(transaction, account, currency, "card", moments.now()) > 0:
        expect(transaction, account, currency, moments.now())


def _make(
    transaction: Transaction,
    account: str,
    amount: int,
    currency: str,
    source_type: str,
    asked: Json,
    automatic: bool = False,
) -> Json:
    destination = accounts.bank_account(transaction, account)
    if destination is None or destination["status"] == "errored":
        raise refused("Sorry, you don't have any external accounts to pay out to.", "no_account")
    now = moments.now()
    payout = {
        "id": moments.new_id("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": moments.business_midnight(now, ARRIVES_AFTER),
        "automatic": automatic,
        "balance_transaction": None,
        "created": now,
        "currency": currency,
        "description": asked.get("description") or ("STRIPE PAYOUT" if automatic else None),
        "destination": destination["id"],
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": source_type,
        "statement_descriptor": asked.get("statement_descriptor"),
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
    taken = funds.record(
        transaction, account, type="payout", amount=-amount, currency=currency, source=str(payout["id"]),
        source_type=source_type, available_on=moments.business_midnight(now, ARRIVES_AFTER),
        description=asked.get("description") or "STRIPE PAYOUT",
    )  # fmt: skip
    payout["balance_transaction"] = taken["id"]
    if automatic:
        transaction.run("UPDATE posting SET payout = ? WHERE transaction_id = ?", payout["id"], taken["id"])
    transaction.add(payout, account, "payout", now)
    events.tell(transaction, "payout.created", payout, account)
    schedule.plan(transaction, "submit_payout", str(payout["id"]), moments.next_midnight(now))
    return payout


def _refuses(transaction: Transaction, payout: Json) -> str | None:
    """Why the bank account that the payout goes to takes nothing, None when it does."""
    bank_account = transaction.find(payout["destination"]) or {}
    return _REFUSING.get(str(bank_account.get("last4")))


def _stop(transaction: Transaction, account: str, destination: str) -> None:
    if account == PLATFORM:
        return  # The operator's own bank account mends itself.
    bank_account = transaction.find(destination) or {}
    bank_account["status"] = "errored"
    events.tell(transaction, "account.external_account.updated", transaction.save(bank_account), account)


def _open(transaction: Transaction, account: str) -> bool:
    bank_account = accounts.bank_account(transaction, account)
    return bank_account is None or bank_account["status"] != "errored"


def _automatic(transaction: Transaction, account: str) -> bool:
    settings = balance_settings.of(transaction, account)
    return bool(settings["payments"]["payouts"]["schedule"]["interval"] != "manual")


def _found(transaction: Transaction, id: str) -> Json:
    found = transaction.find(id, "payout")
    if found is None:
        raise KeyError(id)
    return found
