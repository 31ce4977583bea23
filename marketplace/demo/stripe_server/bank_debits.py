"""Bank debits (ACH): money that a customer lets the platform take, and that looks paid before it is.

As at Stripe, the balance transaction is there, pending, from the moment the customer agrees. After four
business days the debit succeeds or fails; a failure is a `payment_failure_refund`. What the customer's bank
sends back after that is a dispute that is lost from the start.
"""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.demo.stripe_server import (
    charges,
    disputes,
    events,
    faults,
    funds,
    moments,
    payments,
    schedule,
)
from marketplace.demo.stripe_server.errors import Json, refused
from marketplace.demo.stripe_server.store import Transaction
from marketplace.money import share

METHOD = "us_bank_account"
SETTLES_AFTER = 4  # business days
RETURNS_AFTER = 3  # business days after it succeeded
ROUTING = "110000000"


@dataclass(frozen=True)
class Account:
    """A test bank account: why a debit of it fails, or why it comes back after it succeeded."""

    number: str
    fails: str = ""
    returned: str = ""


ACCOUNTS = (
    Account("000123456789"),
    Account("000222222227", fails="insufficient_funds"),
    Account("000111111113", fails="account_closed"),
    Account("000555555559", returned="debit_not_authorized"),
)
_SAID = {
    "insufficient_funds": "The customer's account has insufficient funds to cover this payment.",
    "account_closed": "The customer's bank account has been closed.",
    "bank_cannot_process": "The customer's bank could not process this payment.",
}


def fee(amount: int) -> int:
    """0.8 % rounded half up, at most 500 minor units."""
    return min(share(amount, 80), 500)


def pay(transaction: Transaction, session: Json, account: Account) -> None:
    """The customer agrees to be debited: the session is complete, and nothing is paid yet."""
    intent = payments.intent_of(transaction, session)
    owner = transaction.owner(session["id"])
    charge_id = moments.new_id("py")
    due = moments.business_midnight(moments.now(), SETTLES_AFTER)
    coming = funds.record(
        transaction, owner, type="payment", amount=intent["amount"], fee=fee(intent["amount"]),
        currency=intent["currency"], source=charge_id, source_type="bank_account", available_on=due,
        description=intent["description"],
    )  # fmt: skip
    charge = charges.add(
        transaction, owner, charge_id, intent["amount"], intent["currency"], _details(account),
        balance_transaction=coming["id"], paid=False, status="pending", **payments.about(intent),
    )  # fmt: skip
    intent.update(latest_charge=charge_id, payment_method_types=[METHOD], status="processing")
    transaction.save(intent)
    events.tell(transaction, "charge.pending", charge, owner)
    events.tell(transaction, "payment_intent.processing", intent, owner)
    payments.complete(transaction, session, intent, "unpaid")
    events.tell(transaction, "checkout.session.completed", session, owner)
    schedule.plan(transaction, "settle_debit", charge_id, due)


def settle(transaction: Transaction, id: str) -> None:
    """The step in which the customer's bank answers the debit."""
    charge = transaction.find(id, "charge") or {}
    if charge["status"] != "pending":
        return
    code = _account(charge).fails or ("insufficient_funds" if faults.take(transaction, "debit_fails") else "")
    if code:
        fail(transaction, id, code)
        return
    charge.update(paid=True, status="succeeded")
    intent, session = _behind(transaction, charge)
    intent.update(amount_received=charge["amount"], last_payment_error=None, status="succeeded")
    session["payment_status"] = "paid"
    _tell(transaction, ("charge.succeeded", charge), ("payment_intent.succeeded", intent),
          ("checkout.session.async_payment_succeeded", session))  # fmt: skip
    if _account(charge).returned or faults.take(transaction, "debit_returns"):
        schedule.plan(
            transaction, "return_debit", id, moments.business_midnight(moments.now(), RETURNS_AFTER)
        )


def fail(transaction: Transaction, id: str, code: str = "insufficient_funds") -> None:
    """The debit fails, also after it had succeeded: what the balance showed is taken back.

    KeyError for no charge; refuses one that is not a debit, or that failed or was disputed before.
    """
    charge = _debit(transaction, id)
    shown = transaction.find(charge["balance_transaction"]) or {}
    taken = funds.record(
        transaction, transaction.owner(id), type="payment_failure_refund", amount=-charge["amount"],
        currency=charge["currency"], source=id, source_type="bank_account",
        available_on=max(moments.now(), shown["available_on"]), waits=not charge["paid"],
        description=f"PAYMENT FAILURE FOR {id}",
    )  # fmt: skip
    charge.update(failure_balance_transaction=taken["id"], failure_code=code,
                  failure_message=_SAID[code], paid=False, status="failed")  # fmt: skip
    intent, session = _behind(transaction, charge)
    error = {"charge": id, "code": code, "message": _SAID[code], "type": "invalid_request_error"}
    intent.update(amount_received=0, last_payment_error=error, status="requires_payment_method")
    session["payment_status"] = "unpaid"
    schedule.forget(transaction, "settle_debit", id)
    schedule.forget(transaction, "return_debit", id)
    _tell(transaction, ("charge.failed", charge), ("payment_intent.payment_failed", intent),
          ("checkout.session.async_payment_failed", session))  # fmt: skip


def come_back(transaction: Transaction, id: str) -> None:
    """The step in which the customer's bank sends a debit back that had succeeded."""
    charge = transaction.find(id, "charge") or {}
    disputes.open_dispute(transaction, id, _account(charge).returned or "insufficient_funds")


def is_debit(charge: Json) -> bool:
    return bool(charge["payment_method_details"]["type"] == METHOD)


def _debit(transaction: Transaction, id: str) -> Json:
    charge = transaction.find(id, "charge")
    if charge is None:
        raise KeyError(id)
    if (
        not is_debit(charge)
        or charge["status"] == "failed"
        or charge["disputed"]
        or charge["amount_refunded"]
    ):
        raise refused(f"{id} cannot fail: it is not a bank debit, or it failed or went back already.")
    return charge


def _account(charge: Json) -> Account:
    last4 = charge["payment_method_details"][METHOD]["last4"]
    return next(account for account in ACCOUNTS if account.number.endswith(last4))


def _behind(transaction: Transaction, charge: Json) -> tuple[Json, Json]:
    """The payment intent and the checkout session that a charge belongs to."""
    row = transaction.row(
        "SELECT id FROM object WHERE kind = 'checkout.session'"
        " AND json_extract(body, '$.payment_intent') = ?", charge["payment_intent"],
    )  # fmt: skip
    return transaction.find(charge["payment_intent"]) or {}, transaction.find(row["id"]) or {} if row else {}


def _tell(transaction: Transaction, *news: tuple[str, Json]) -> None:
    """Save each object and tell of it."""
    for type, body in news:
        events.tell(transaction, type, transaction.save(body), transaction.owner(body["id"]))


def _details(account: Account) -> Json:
    bank = {
        "account_holder_type": "company",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "fingerprint": f"local{account.number[-4:]}",
        "last4": account.number[-4:],
        "payment_reference": None,
        "routing_number": ROUTING,
    }
    return {METHOD: bank, "type": METHOD}
