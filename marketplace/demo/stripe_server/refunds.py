"""Refunds: part of a charge goes back by the way it came. Stripe keeps the fee of the charge."""

from __future__ import annotations

from marketplace.demo.stripe_server import disputes, events, funds, moments, schedule
from marketplace.demo.stripe_server.errors import Json, refused
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, EXPAND, PAGE, Choice, Metadata, Shape, Text, Whole
from marketplace.demo.stripe_server.store import Transaction

# As with Stripe's test card of this number: the refund succeeds, and is sent back by the bank later.
FAILS_LATER = "7726"
# Of these it takes whole tens (docs.stripe.com/currencies#three-decimal).
THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
BANK_TAKES = 1  # business days
CREATE = Shape(
    amount=Whole(1, 99_999_999_999),
    charge=Text(),
    expand=EXPAND,
    instructions_email=Text(),
    metadata=Metadata(),
    payment_intent=Text(),
    reason=Choice("duplicate", "fraudulent", "requested_by_customer"),
)
LIST = Shape(PAGE, created=CREATED, charge=Text(), payment_intent=Text())


def create(call: Call) -> Json:
    """POST /v1/refunds. Refuses more than is left of the charge, and what the balance does not cover."""
    charge = _charge(call)
    amount = _amount(call, charge)
    source_type = funds.source_type_of(call.transaction, charge["balance_transaction"])
    funds.require(call.transaction, call.account, charge["currency"], source_type, amount)
    refund = _refund(call, charge, amount)
    taken = funds.record(
        call.transaction, call.account, type="refund" if _by_card(charge) else "payment_refund",
        amount=-amount, currency=charge["currency"], source=refund["id"], source_type=source_type,
        description=f"REFUND FOR {charge['id']}",
    )  # fmt: skip
    refund["balance_transaction"] = taken["id"]
    call.transaction.add(refund, call.account, "refund", call.now)
    _count(call.transaction, charge, amount)
    events.tell(call.transaction, "refund.created", refund, call.account)
    events.tell(call.transaction, "charge.refunded", charge, call.account)
    _plan(call, charge, refund)
    return refund


def retrieve(call: Call) -> Json:
    """GET /v1/refunds/{refund}."""
    return call.find("refund", call.args["refund"], "refund")


def list_refunds(call: Call) -> Json:
    """GET /v1/refunds."""
    return page(call, "refund", "/v1/refunds", same(call, "charge", "payment_intent"))


def arrive(transaction: Transaction, id: str) -> None:
    """The step in which a refund by bank transfer reaches the customer's bank."""
    refund = transaction.find(id, "refund") or {}
    refund.pop("pending_reason", None)  # Not null: Stripe leaves it out where nothing is pending.
    refund["status"] = "succeeded"
    events.tell(transaction, "refund.updated", transaction.save(refund), transaction.owner(id))


def come_back(transaction: Transaction, id: str) -> None:
    """The step in which the customer's bank sends a refund back: the money is the platform's again."""
    refund = transaction.find(id, "refund") or {}
    account = transaction.owner(id)
    charge = transaction.find(refund["charge"], "charge") or {}
    returned = funds.record(
        transaction, account, type="refund_failure", amount=refund["amount"], currency=refund["currency"],
        source=id, description="REFUND FAILURE",
    )  # fmt: skip
    refund.update(
        status="failed",
        failure_reason="expired_or_canceled_card",
        failure_balance_transaction=returned["id"],
    )
    _count(transaction, charge, -refund["amount"])
    transaction.save(refund)
    events.tell(transaction, "refund.updated", refund, account)
    events.tell(transaction, "refund.failed", refund, account)


def _charge(call: Call) -> Json:
    if "charge" in call.params:
        charge = call.find("charge", call.params["charge"], "charge", "charge")
    elif "payment_intent" in call.params:
        intent = call.find(
            "payment_intent", call.params["payment_intent"], "payment_intent", "payment_intent"
        )
        charge = call.find("charge", intent["latest_charge"] or "", "charge", "payment_intent")
    else:
        raise refused("One of the following params should be provided for this request: payment_intent or "
                      "charge.", "parameter_missing")  # fmt: skip
    if not charge["paid"]:
        raise refused(f"Charge {charge['id']} has not been paid.", "charge_not_refundable", "charge")
    if disputes.blocks_refund(call.transaction, charge["id"]):
        said = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise refused(said, "charge_disputed")
    if charge["refunded"]:
        raise refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    return charge


def _amount(call: Call, charge: Json) -> int:
    left = int(charge["amount"] - charge["amount_refunded"])
    amount = int(call.params.get("amount", left))
    if amount > left:
        raise refused(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).",
                      param="amount")  # fmt: skip
    if charge["currency"] in THREE_DECIMALS and amount % 10:
        raise refused(
            "Invalid amount: the least significant digit must be 0 in this currency.", param="amount"
        )
    return amount


def _by_card(charge: Json) -> bool:
    return bool(charge["payment_method_details"]["type"] == "card")


def _refund(call: Call, charge: Json, amount: int) -> Json:
    by_card = _by_card(charge)
    refund: Json = {
        "id": moments.new_id("re" if by_card else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "metadata": call.params.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "reason": call.params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded" if by_card else "pending",
        "transfer_reversal": None,
    }
    if "instructions_email" in call.params:
        refund["instructions_email"] = call.params["instructions_email"]
    return refund if by_card else {**refund, "pending_reason": "processing"}


def _count(transaction: Transaction, charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    transaction.save(charge)


def _plan(call: Call, charge: Json, refund: Json) -> None:
    due = moments.business_midnight(call.now, BANK_TAKES)
    if not _by_card(charge):
        schedule.plan(call.transaction, "arrive_refund", refund["id"], due)
    elif charge["payment_method_details"]["card"]["last4"] == FAILS_LATER:
        schedule.plan(call.transaction, "return_refund", refund["id"], due)
