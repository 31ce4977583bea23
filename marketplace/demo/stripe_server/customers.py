"""Customers: the companies that pay."""

from __future__ import annotations

from marketplace.demo.stripe_server import events, moments
from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, EXPAND, PAGE, Kind, Metadata, Shape, Text, pick

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_FIELDS: dict[str, Kind] = {
    "address": Shape({name: Text(clear=True) for name in _ADDRESS}),
    "description": Text(clear=True),
    "email": Text(512, clear=True),
    "expand": EXPAND,
    "metadata": Metadata(),
    "name": Text(256, clear=True),
    "phone": Text(20, clear=True),
}
CREATE = Shape(_FIELDS)
UPDATE = Shape(_FIELDS)
LIST = Shape(PAGE, created=CREATED, email=Text(512))


def create(call: Call) -> Json:
    """POST /v1/customers."""
    customer: Json = {
        "id": moments.new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": None,
        "invoice_prefix": None,
        "livemode": False,
        "metadata": {},
        "name": None,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _write(customer, call.params)
    call.transaction.add(customer, call.account, "customer", call.now)
    events.tell(call.transaction, "customer.created", customer, call.account)
    return customer


def update(call: Call) -> Json:
    """POST /v1/customers/{customer}."""
    customer = call.find("customer", call.args["customer"], "customer")
    _write(customer, call.params)
    events.tell(call.transaction, "customer.updated", call.transaction.save(customer), call.account)
    return customer


def retrieve(call: Call) -> Json:
    """GET /v1/customers/{customer}."""
    return call.find("customer", call.args["customer"], "customer")


def list_customers(call: Call) -> Json:
    """GET /v1/customers."""
    return page(call, "customer", "/v1/customers", same(call, "email"))


def merged(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Metadata after an update: keys are added or replaced, an empty value takes its key away."""
    return {key: value for key, value in {**old, **new}.items() if value != ""}


def _write(customer: Json, asked: Json) -> None:
    for name in ("description", "email", "name", "phone"):
        if name in asked:
            customer[name] = asked[name] or None
    if "address" in asked:
        customer["address"] = pick(asked["address"], _ADDRESS)
    customer["metadata"] = merged(customer["metadata"], asked.get("metadata", {}))
