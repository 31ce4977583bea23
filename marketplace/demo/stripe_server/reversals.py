"""Transfer reversals: money of a transfer comes back out of the connected account, as far as it has it."""

from __future__ import annotations

from marketplace.demo.stripe_server import events, funds, moments
from marketplace.demo.stripe_server.errors import Json, missing, refused
from marketplace.demo.stripe_server.lists import page
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import EXPAND, PAGE, Metadata, Shape, Text, Whole

EMBEDDED = 10  # a transfer carries its latest reversals
CREATE = Shape(
    amount=Whole(1, 99_999_999_999),
    description=Text(),
    expand=EXPAND,
    metadata=Metadata(),
)
LIST = Shape(PAGE)


def create(call: Call) -> Json:
    """POST /v1/transfers/{id}/reversals. Refuses more than is left of it, and what the account has not."""
    transfer = _transfer(call)
    amount = _amount(call, transfer)
    account, currency = transfer["destination"], transfer["currency"]
    funds.require(call.transaction, account, currency, "card", amount)
    reversal = _reversal(call, transfer, amount)
    given = funds.record(
        call.transaction, call.account, type="transfer_refund", amount=amount, currency=currency,
        source=reversal["id"], source_type=transfer["source_type"],
        description=call.params.get("description") or f"REFUND FOR TRANSFER ({transfer['id']})",
    )  # fmt: skip
    reversal["balance_transaction"] = given["id"]
    reversal["destination_payment_refund"] = _take_back(call, transfer, reversal)["id"]
    call.transaction.add(reversal, call.account, "transfer_reversal", call.now)
    _count(transfer, reversal)
    events.tell(call.transaction, "transfer.reversed", call.transaction.save(transfer), call.account)
    return reversal


def retrieve(call: Call) -> Json:
    """GET /v1/transfers/{transfer}/reversals/{id}."""
    found = call.find("transfer_reversal", call.args["id"], "transfer reversal")
    if found["transfer"] != call.args["transfer"]:
        raise missing("transfer reversal", call.args["id"])
    return found


def list_reversals(call: Call) -> Json:
    """GET /v1/transfers/{id}/reversals."""
    id = _transfer(call)["id"]
    return page(call, "transfer_reversal", f"/v1/transfers/{id}/reversals",
                [("json_extract(body, '$.transfer') = ?", id)])  # fmt: skip


def _transfer(call: Call) -> Json:
    return call.find("transfer", call.args["id"], "transfer")


def _amount(call: Call, transfer: Json) -> int:
    left = int(transfer["amount"] - transfer["amount_reversed"])
    if left == 0:
        raise refused(f"Transfer {transfer['id']} is already fully reversed.")
    amount = int(call.params.get("amount", left))
    if amount > left:
        raise refused(f"The amount ({amount}) is greater than the unreversed amount on transfer ({left}).",
                      param="amount")  # fmt: skip
    return amount


def _reversal(call: Call, transfer: Json, amount: int) -> Json:
    return {
        "id": moments.new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": call.now,
        "currency": transfer["currency"],
        "destination_payment_refund": None,
        "metadata": call.params.get("metadata", {}),
        "source_refund": None,
        "transfer": transfer["id"],
    }


def _take_back(call: Call, transfer: Json, reversal: Json) -> Json:
    """The other side: the connected account refunds the payment that the transfer was there."""
    account, amount = transfer["destination"], reversal["amount"]
    payment = call.transaction.find(transfer["destination_payment"]) or {}
    refund: Json = {
        "id": moments.new_id("pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": payment["id"],
        "created": call.now,
        "currency": transfer["currency"],
        "metadata": {},
        "payment_intent": None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": reversal["id"],
        "status": "succeeded",
        "transfer_reversal": None,
    }
    taken = funds.record(
        call.transaction, account, type="payment_refund", amount=-amount, currency=transfer["currency"],
        source=refund["id"], description=f"REFUND FOR PAYMENT {payment['id']}",
    )  # fmt: skip
    refund["balance_transaction"] = taken["id"]
    call.transaction.add(refund, account, "refund", call.now)
    payment["amount_refunded"] += amount
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    events.tell(call.transaction, "charge.refunded", call.transaction.save(payment), account)
    return refund


def _count(transfer: Json, reversal: Json) -> None:
    transfer["amount_reversed"] += reversal["amount"]
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    shown = transfer["reversals"]
    shown["has_more"] = shown["has_more"] or len(shown["data"]) == EMBEDDED
    shown["data"] = [reversal, *shown["data"]][:EMBEDDED]
