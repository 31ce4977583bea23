"""Checkout sessions: a hosted page on which a customer pays once, by card or by bank transfer."""

from __future__ import annotations

from marketplace import clock
from marketplace.demo.stripe_server import events, moments, schedule
from marketplace.demo.stripe_server.errors import Json, StripeRefusal, invalid, missing, refused
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import (
    CREATED,
    EXPAND,
    PAGE,
    Choice,
    Many,
    Metadata,
    Shape,
    Text,
    Whole,
)
from marketplace.demo.stripe_server.presenting import EXPANDABLE
from marketplace.demo.stripe_server.store import Transaction

SMALLEST = 50  # minor units; Stripe's minimum for a charge in US dollars
LARGEST = 99_999_999
METHODS = ("card", "customer_balance", "us_bank_account")

_PRICE = Shape(
    currency=Text(3, required=True),
    product_data=Shape(
        description=Text(40_000), metadata=Metadata(), name=Text(required=True), required=True
    ),
    unit_amount=Whole(0, LARGEST, required=True),
    required=True,
)
_BANK_TRANSFER = Shape(
    bank_transfer=Shape(type=Choice("us_bank_transfer", required=True), required=True),
    funding_type=Choice("bank_transfer", required=True),
)
_CREATE = Shape(
    allowed_payment_method_types=Many(Choice(*METHODS)),
    cancel_url=Text(),
    client_reference_id=Text(200),
    customer=Text(),
    customer_email=Text(),
    expand=EXPAND,
    expires_at=Whole(),
    line_items=Many(
        Shape(metadata=Metadata(), price_data=_PRICE, quantity=Whole(1, 1_000_000)), required=True
    ),
    metadata=Metadata(),
    mode=Choice("payment", required=True),
    payment_intent_data=Shape(
        description=Text(1000), metadata=Metadata(), receipt_email=Text(), transfer_group=Text()
    ),
    payment_method_options=Shape(customer_balance=_BANK_TRANSFER),
    success_url=Text(required=True),
    ui_mode=Choice("hosted_page"),
)
LIST = Shape(
    PAGE,
    created=CREATED,
    customer=Text(),
    payment_intent=Text(),
    status=Choice("complete", "expired", "open"),
)
ITEMS: Shape = Shape(PAGE)


class WithoutPaymentMethodTypes(Shape):
    """Refuses `payment_method_types` with the error of its own that it has since 2026-09-30.endive."""

    def read(self, value: object, at: str = "") -> Json:
        if isinstance(value, dict) and "payment_method_types" in value:
            raise invalid(
                "payment_method_types is no longer supported. Leave it out to use dynamic payment methods, "
                "or narrow them with allowed_payment_method_types.",
                "payment_method_types",
                "payment_method_types_no_longer_supported",
            )
        return super().read(value, at)


CREATE = WithoutPaymentMethodTypes(_CREATE.fields)


def create(call: Call) -> Json:
    """POST /v1/checkout/sessions."""
    asked = call.params
    _check(call, asked)
    items = [_item(item, call) for item in asked["line_items"]]
    total = sum(item["amount_total"] for item in items)
    if not SMALLEST <= total <= LARGEST:
        raise refused(
            f"The total must be between {SMALLEST} and {LARGEST}.", "amount_too_small", "line_items"
        )
    session = _session(call, asked, total, items[0]["currency"])
    call.transaction.add(session, call.account, "checkout.session", call.now)
    stored = {"id": f"{session['id']}_items", "object": "list", "data": items}
    call.transaction.add(stored, call.account, "line_items", call.now)
    plan = {"id": f"{session['id']}_plan", "object": "plan", **asked.get("payment_intent_data", {})}
    call.transaction.add(plan, call.account, "plan", call.now)
    # A payment page opened in the past, for a history, would run out before anybody could pay.
    age = int(clock.shared().timestamp()) - call.now
    schedule.plan(call.transaction, "expire_session", session["id"], session["expires_at"] + max(0, age))
    return session


def retrieve(call: Call) -> Json:
    """GET /v1/checkout/sessions/{session}."""
    return call.find("checkout.session", call.args["session"], "checkout.session")


def list_sessions(call: Call) -> Json:
    """GET /v1/checkout/sessions."""
    return page(
        call, "checkout.session", "/v1/checkout/sessions", same(call, "customer", "payment_intent", "status")
    )


def list_items(call: Call) -> Json:
    """GET /v1/checkout/sessions/{session}/line_items."""
    items = EXPANDABLE["checkout.session"]["line_items"](call.transaction, retrieve(call))
    return items or {}


def expire(call: Call) -> Json:
    """POST /v1/checkout/sessions/{session}/expire."""
    session = retrieve(call)
    if session["status"] != "open":
        raise refused(
            f"Only Checkout Sessions with a status of open can be expired; this one is {session['status']}."
        )
    schedule.forget(call.transaction, "expire_session", session["id"])
    return _close(call.transaction, session)


def fall_out_of_time(transaction: Transaction, id: str) -> None:
    """The step that ends an unused session."""
    session = transaction.find(id, "checkout.session")
    if session and session["status"] == "open":
        _close(transaction, session)


def bank_transfer_offered(session: Json) -> bool:
    return "customer_balance" in session["payment_method_types"]


def card_offered(session: Json) -> bool:
    return "card" in session["payment_method_types"]


def bank_debit_offered(session: Json) -> bool:
    return "us_bank_account" in session["payment_method_types"]


def _check(call: Call, asked: Json) -> None:
    if "customer" in asked and call.transaction.find(asked["customer"], "customer", call.account) is None:
        raise missing("customer", asked["customer"], "customer")
    if "customer" in asked and "customer_email" in asked:
        raise invalid(
            "You may only specify one of these parameters: customer, customer_email.", "customer_email"
        )
    if _wants_bank_transfer(asked) and "customer" not in asked:
        raise invalid("A customer is required to pay by bank transfer (customer_balance).", "customer")
    if _currency(asked) is None:
        raise invalid("All line items need price_data in one and the same currency.", "line_items")
    until = asked.get("expires_at", call.now + moments.DAY)
    if not call.now + 1800 <= until <= call.now + moments.DAY:
        raise invalid("expires_at must lie between 30 minutes and 24 hours from now.", "expires_at")


def _wants_bank_transfer(asked: Json) -> bool:
    return "customer_balance" in asked.get("payment_method_options", {})


def _currency(asked: Json) -> str | None:
    """The one currency of all line items, None when there is no such."""
    priced = [item["price_data"]["currency"].lower() for item in asked["line_items"] if "price_data" in item]
    return priced[0] if len(set(priced)) == 1 else None


def _offered(asked: Json) -> list[str]:
    able = ["card"]
    able += ["customer_balance"] if _wants_bank_transfer(asked) else []
    able += ["us_bank_account"] if _currency(asked) == "usd" else []
    allowed = asked.get("allowed_payment_method_types", able)
    offered = [method for method in able if method in allowed]
    if not offered:
        raise StripeRefusal("No payment method can be offered for this session.", stored=False)
    return offered


def _item(asked: Json, call: Call) -> Json:
    price = asked["price_data"]
    quantity = asked.get("quantity", 1)
    total = price["unit_amount"] * quantity
    id = moments.new_id("li")
    return {
        "id": id,
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"].lower(),
        "description": price["product_data"]["name"],
        "metadata": asked.get("metadata", {}),
        "price": {
            "id": f"price_{id[3:]}",
            "object": "price",
            "active": False,
            "created": call.now,
            "currency": price["currency"].lower(),
            "livemode": False,
            "type": "one_time",
            "unit_amount": price["unit_amount"],
        },
        "quantity": quantity,
    }


def _session(call: Call, asked: Json, total: int, currency: str) -> Json:
    id = moments.new_id("cs_test")
    off = {"enabled": False}
    return {
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": off,
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {**off, "liability": None, "provider": None, "status": None},
        "cancel_url": asked.get("cancel_url"),
        "client_reference_id": asked.get("client_reference_id"),
        "client_secret": None,
        "created": call.now,
        "currency": currency,
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        ),
        "customer": asked.get("customer"),
        "customer_creation": None if "customer" in asked else "if_required",
        "customer_details": _customer_details(call, asked),
        "customer_email": asked.get("customer_email"),
        "expires_at": asked.get("expires_at", call.now + moments.DAY),
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "mode": asked["mode"],
        "payment_intent": None,
        "payment_method_collection": "if_required",
        "payment_method_options": asked.get("payment_method_options", {}),
        "payment_method_types": _offered(asked),
        "payment_status": "unpaid",
        "phone_number_collection": off,
        "shipping_options": [],
        "status": "open",
        "success_url": asked["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{call.origin}/c/pay/{id}",
    }


def _customer_details(call: Call, asked: Json) -> Json | None:
    if "customer" not in asked:
        return None
    customer = call.find("customer", asked["customer"], "customer", "customer")
    known = {name: customer[name] for name in ("address", "email", "name", "phone")}
    return {**known, "tax_exempt": "none", "tax_ids": []}


def _close(transaction: Transaction, session: Json) -> Json:
    session.update(status="expired", url=None)
    account = transaction.owner(session["id"])
    events.tell(transaction, "checkout.session.expired", transaction.save(session), account)
    return session
