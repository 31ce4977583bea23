"""Disputes: a customer's bank takes a charge back, and is convinced by evidence or is not.

The disputed amount and Stripe's fee of 15.00 leave the balance at once, whether it covers them or not. A win
brings the amount back; the fee stays with Stripe, as it does since June 2025, unless the hand that decides
says otherwise. As in Stripe's test mode, evidence whose `uncategorized_text` is `winning_evidence` or
`losing_evidence` decides by itself; other evidence waits for a hand on the page, and no evidence loses when
its time is over. A bank debit that its payer disputes is lost from the start.
"""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.demo.stripe_server import events, funds, moments, schedule
from marketplace.demo.stripe_server.customers import merged
from marketplace.demo.stripe_server.errors import Json, refused
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, EXPAND, PAGE, Flag, Kind, Metadata, Shape, Text
from marketplace.demo.stripe_server.presenting import present
from marketplace.demo.stripe_server.store import Transaction

FEE = 1_500  # minor units
ANSWER_WITHIN = 9 * moments.DAY
REASONS = (
    "fraudulent",
    "product_not_received",
    "duplicate",
    "credit_not_processed",
    "unrecognized",
    "general",
)
OPEN = ("needs_response", "under_review")
_NETWORK_CODES = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6.1",
                  "credit_not_processed": "13.6"}  # fmt: skip
_DECIDED_BY = {"winning_evidence": "won", "losing_evidence": "lost"}
_FILES = ("cancellation_policy", "customer_communication", "customer_signature",
          "duplicate_charge_documentation", "receipt", "refund_policy", "service_documentation",
          "shipping_documentation", "uncategorized_file")  # fmt: skip
_LINES = ("billing_address", "customer_email_address", "customer_name", "customer_purchase_ip",
          "duplicate_charge_id", "service_date", "shipping_address", "shipping_carrier", "shipping_date",
          "shipping_tracking_number")  # fmt: skip
_TEXTS = ("access_activity_log", "cancellation_policy_disclosure", "cancellation_rebuttal",
          "duplicate_charge_explanation", "product_description", "refund_policy_disclosure",
          "refund_refusal_explanation", "uncategorized_text")  # fmt: skip
_EVIDENCE: dict[str, Kind] = {
    **{name: Text(clear=True) for name in _LINES},
    **{name: Text(20_000, clear=True) for name in _TEXTS},
}
UPDATE = Shape(evidence=Shape(_EVIDENCE), expand=EXPAND, metadata=Metadata(), submit=Flag())
LIST = Shape(PAGE, charge=Text(), created=CREATED, payment_intent=Text())


def retrieve(call: Call) -> Json:
    """GET /v1/disputes/{dispute}."""
    return present(call.transaction, _found(call))


def list_disputes(call: Call) -> Json:
    """GET /v1/disputes."""
    return page(call, "dispute", "/v1/disputes", same(call, "charge", "payment_intent"))


def update(call: Call) -> Json:
    """POST /v1/disputes/{dispute}: evidence, sent to the bank unless `submit` is false; metadata."""
    dispute = _found(call)
    evidence = call.params.get("evidence", {})
    submits = call.params.get("submit", bool(evidence))
    if (evidence or submits) and dispute["status"] != "needs_response":
        raise refused(f"This dispute is {dispute['status']}: its evidence can no longer be changed.")
    dispute["evidence"].update({name: value or None for name, value in evidence.items()})
    dispute["metadata"] = merged(dispute["metadata"], call.params.get("metadata", {}))
    details = dispute["evidence_details"]
    details["has_evidence"] = any(dispute["evidence"][name] for name in _EVIDENCE)
    if submits:
        details["submission_count"] += 1
        dispute["status"] = "under_review"
        schedule.forget(call.transaction, "run_out_dispute", dispute["id"])
    events.tell(call.transaction, "charge.dispute.updated", call.transaction.save(dispute), call.account)
    if submits and dispute["evidence"]["uncategorized_text"] in _DECIDED_BY:
        schedule.plan(call.transaction, "decide_dispute", dispute["id"], call.now)
    return present(call.transaction, dispute)


def close(call: Call) -> Json:
    """POST /v1/disputes/{dispute}/close: give in; it is lost."""
    dispute = _found(call)
    if dispute["status"] != "needs_response":
        raise refused(f"This dispute is already {dispute['status']}.")
    return decide(call.transaction, dispute["id"], won=False)


def open_dispute(
    transaction: Transaction,
    charge_id: str,
    reason: str = "fraudulent",
    amount: int | None = None,
    debits: Sequence[int] = (),
) -> Json:
    """The customer's bank takes `amount` minor units back; without it, what was not refunded of the charge.

    `debits` names the parts when the money leaves in several. The amount may exceed the charge, as it can
    when currencies move. KeyError for no charge; refuses one that is not paid or is disputed already.
    """
    charge = transaction.find(charge_id, "charge")
    if charge is None:
        raise KeyError(charge_id)
    if not can_be(transaction, charge):
        raise refused(f"Charge {charge_id} cannot be disputed: it is not paid by card or bank debit, or went "
                      "back already, or is disputed already.")  # fmt: skip
    account = transaction.owner(charge_id)
    left = charge["amount"] - charge["amount_refunded"]
    parts = list(debits) or [left if amount is None else amount]
    dispute = _dispute(charge, reason, sum(parts))
    transaction.add(dispute, account, "dispute", moments.now())
    charge["disputed"] = True
    transaction.save(charge)
    events.tell(transaction, "charge.dispute.created", dispute, account)
    for number, part in enumerate(parts):
        _move(transaction, dispute, charge, -part, FEE if number == 0 else 0)
        events.tell(transaction, "charge.dispute.funds_withdrawn", dispute, account)
    if dispute["status"] == "lost":
        events.tell(transaction, "charge.dispute.closed", dispute, account)
    else:
        schedule.plan(transaction, "run_out_dispute", dispute["id"], dispute["evidence_details"]["due_by"])
    return dispute


def decide(transaction: Transaction, id: str, won: bool, fee_back: bool = False) -> Json:
    """The bank's decision. KeyError for no dispute; refuses one that was decided before."""
    dispute = transaction.find(id, "dispute")
    if dispute is None:
        raise KeyError(id)
    if dispute["status"] not in OPEN:
        raise refused(f"This dispute is already {dispute['status']}.")
    account = transaction.owner(id)
    dispute.update(status="won" if won else "lost", is_charge_refundable=won)
    for step in ("run_out_dispute", "decide_dispute"):
        schedule.forget(transaction, step, id)
    events.tell(transaction, "charge.dispute.closed", transaction.save(dispute), account)
    if won:
        charge = transaction.find(dispute["charge"]) or {}
        _move(transaction, dispute, charge, dispute["amount"], -FEE if fee_back else 0)
        events.tell(transaction, "charge.dispute.funds_reinstated", dispute, account)
    return present(transaction, dispute)


def begin(transaction: Transaction, charge_id: str) -> None:
    """The step in which a charge on a card that is for disputes is disputed."""
    charge = transaction.find(charge_id, "charge") or {}
    last4 = charge["payment_method_details"]["card"]["last4"]
    open_dispute(transaction, charge_id, "product_not_received" if last4 == "2685" else "fraudulent")


def settle(transaction: Transaction, id: str) -> None:
    """The step in which evidence that says its own outcome is read."""
    dispute = transaction.find(id, "dispute") or {}
    decide(transaction, id, won=_DECIDED_BY[dispute["evidence"]["uncategorized_text"]] == "won")


def run_out(transaction: Transaction, id: str) -> None:
    """The step at the end of the time for evidence: none came, so the dispute is lost."""
    dispute = transaction.find(id, "dispute") or {}
    dispute["evidence_details"]["past_due"] = True
    transaction.save(dispute)
    decide(transaction, id, won=False)


def can_be(transaction: Transaction, charge: Json) -> bool:
    """Whether a charge can be disputed. What a customer sent by itself it cannot take back."""
    known = charge["payment_method_details"]["type"] in ("card", "us_bank_account")
    return (
        known and charge["paid"] and not charge["refunded"] and not blocks_refund(transaction, charge["id"])
    )


def blocks_refund(transaction: Transaction, charge_id: str) -> bool:
    """Whether the charge's money went back by a dispute already, or may still."""
    return transaction.row(
        "SELECT 1 FROM object WHERE kind = 'dispute' AND json_extract(body, '$.charge') = ?"
        " AND json_extract(body, '$.status') <> 'won'",
        charge_id,
    ) is not None  # fmt: skip


def _found(call: Call) -> Json:
    return call.find("dispute", call.args["dispute"], "dispute")


def _move(transaction: Transaction, dispute: Json, charge: Json, amount: int, fee: int) -> None:
    """Take money (negative) or give it back, in the balance that the charge filled."""
    back = amount > 0
    moved = funds.record(
        transaction, transaction.owner(dispute["id"]), type="adjustment", amount=amount,
        currency=dispute["currency"], source=dispute["id"], fee=fee, fee_is="Dispute fee",
        source_type=funds.source_type_of(transaction, charge["balance_transaction"]),
        category="dispute_reversal" if back else "dispute",
        description=f"Chargeback {'reversal' if back else 'withdrawal'} for {charge['id']}",
    )  # fmt: skip
    dispute["balance_transactions"].append(moved)
    transaction.save(dispute)


def _dispute(charge: Json, reason: str, amount: int) -> Json:
    by_card = charge["payment_method_details"]["type"] == "card"
    now = moments.now()
    dispute: Json = {
        "id": moments.new_id("du" if by_card else "pdp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys((*_FILES, *_EVIDENCE)), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + ANSWER_WITHIN if by_card else None,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "needs_response" if by_card else "lost",
    }
    if by_card:
        card = {"brand": charge["payment_method_details"]["card"]["brand"], "case_type": "chargeback",
                "network_reason_code": _NETWORK_CODES.get(reason)}  # fmt: skip
        dispute["payment_method_details"] = {"card": card, "type": "card"}
    return dispute
