"""Top-ups: money that the platform takes from its own bank account into its balance, within three days."""

from __future__ import annotations

from marketplace.demo.stripe_server import bank, events, faults, funds, moments, schedule
from marketplace.demo.stripe_server.errors import Json, refused
from marketplace.demo.stripe_server.lists import during, page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, EXPAND, PAGE, Choice, Metadata, Shape, Text, Whole
from marketplace.demo.stripe_server.store import Transaction

ARRIVES_AFTER = 3  # business days
RETURNS_AFTER = 2  # business days after it succeeded
CREATE = Shape(
    amount=Whole(1, 99_999_999, required=True),
    currency=Text(3, required=True),
    description=Text(),
    expand=EXPAND,
    metadata=Metadata(),
    statement_descriptor=Text(15),
    transfer_group=Text(),
)
LIST = Shape(
    PAGE, amount=CREATED, created=CREATED, status=Choice("canceled", "failed", "pending", "succeeded")
)


def create(call: Call) -> Json:
    """POST /v1/topups, from the platform's bank account and in its currency."""
    currency = call.params["currency"].lower()
    if not call.on_platform or currency != bank.CURRENCY:
        raise refused(
            "Only the platform can be topped up, in the currency of its bank account.", param="currency"
        )
    topup = _topup(call, currency)
    call.transaction.add(topup, call.account, "topup", call.now)
    events.tell(call.transaction, "topup.created", topup, call.account)
    schedule.plan(call.transaction, "arrive_topup", topup["id"], topup["expected_availability_date"])
    return topup


def retrieve(call: Call) -> Json:
    """GET /v1/topups/{topup}."""
    return call.find("topup", call.args["topup"], "topup")


def list_topups(call: Call) -> Json:
    """GET /v1/topups."""
    where = same(call, "status") + during("json_extract(body, '$.amount')", call.params.get("amount"))
    return page(call, "topup", "/v1/topups", where)


def cancel(call: Call) -> Json:
    """POST /v1/topups/{topup}/cancel: only while it is pending."""
    topup = retrieve(call)
    if topup["status"] != "pending":
        raise refused(f"You can only cancel a top-up that is pending; this one is {topup['status']}.")
    schedule.forget(call.transaction, "arrive_topup", topup["id"])
    return _become(call.transaction, topup, "canceled")


def arrive(transaction: Transaction, id: str) -> None:
    """The step in which the bank gives the money, or does not."""
    topup = transaction.find(id, "topup") or {}
    if faults.take(transaction, "topup_fails"):
        topup.update(failure_code="insufficient_funds",
                     failure_message="Your bank account has insufficient funds for this top-up.")  # fmt: skip
        _become(transaction, topup, "failed")
        return
    topup["balance_transaction"] = _move(transaction, topup, topup["amount"])["id"]
    _become(transaction, topup, "succeeded")
    if faults.take(transaction, "topup_returns"):
        due = moments.business_midnight(moments.now(), RETURNS_AFTER)
        schedule.plan(transaction, "return_topup", id, due)


def go_back(transaction: Transaction, id: str) -> None:
    """The step in which the bank takes back what it gave."""
    topup = transaction.find(id, "topup") or {}
    _move(transaction, topup, -topup["amount"])
    _become(transaction, topup, "reversed")


def _move(transaction: Transaction, topup: Json, amount: int) -> Json:
    back = amount < 0
    said = f"STRIPE TOPUP {'RETURN ' if back else ''}{topup['statement_descriptor'] or ''}"
    reference = f"HB{'R' if back else 'T'}{topup['id'][-16:].upper()}"
    bank.book(transaction, -amount, said, reference, topup["id"])
    return funds.record(
        transaction, transaction.owner(topup["id"]), type="topup_reversal" if back else "topup",
        amount=amount, currency=topup["currency"], source=topup["id"], source_type="bank_account",
        description=topup["description"],
    )  # fmt: skip


def _become(transaction: Transaction, topup: Json, status: str) -> Json:
    topup["status"] = status
    events.tell(transaction, f"topup.{status}", transaction.save(topup), transaction.owner(topup["id"]))
    return topup


def _topup(call: Call, currency: str) -> Json:
    return {
        "id": moments.new_id("tu"),
        "object": "topup",
        "amount": call.params["amount"],
        "balance_transaction": None,
        "created": call.now,
        "currency": currency,
        "description": call.params.get("description"),
        "expected_availability_date": moments.business_midnight(call.now, ARRIVES_AFTER),
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": call.params.get("metadata", {}),
        "source": None,
        "statement_descriptor": call.params.get("statement_descriptor"),
        "status": "pending",
        "transfer_group": call.params.get("transfer_group"),
    }
