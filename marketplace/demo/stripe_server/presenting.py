"""How a stored object is answered: what depends on the time of asking, and what `expand` unfolds."""

from __future__ import annotations

from collections.abc import Callable

from marketplace.demo.stripe_server import moments
from marketplace.demo.stripe_server.errors import Json, invalid
from marketplace.demo.stripe_server.store import Transaction

Loader = Callable[[Transaction, Json], Json | None]


def present(transaction: Transaction, body: Json) -> Json:
    """The object as it is true now."""
    if body["object"] == "balance_transaction":
        body["status"] = "available" if body["available_on"] <= moments.now() else "pending"
    if body["object"] == "dispute":
        body["balance_transactions"] = [present(transaction, moved) for moved in body["balance_transactions"]]
    return body


def _referred(field: str) -> Loader:
    def load(transaction: Transaction, body: Json) -> Json | None:
        found = transaction.find(body[field]) if body.get(field) else None
        return present(transaction, found) if found else None

    return load


def _items(transaction: Transaction, body: Json) -> Json | None:
    found = transaction.find(f"{body['id']}_items")
    return found and {
        "object": "list",
        "data": found["data"],
        "has_more": False,
        "url": f"/v1/checkout/sessions/{body['id']}/line_items",
    }


def _destination(transaction: Transaction, body: Json) -> Json | None:
    # Imported late: accounts are presented with the help of this module.
    from marketplace.demo.stripe_server import accounts_v1

    return accounts_v1.view(transaction, body["destination"])


def _fields(*names: str) -> dict[str, Loader]:
    return {name: _referred(name) for name in names}


EXPANDABLE: dict[str, dict[str, Loader]] = {
    "balance_transaction": _fields("source"),
    "charge": _fields(
        "balance_transaction", "customer", "failure_balance_transaction", "payment_intent", "source_transfer"
    ),
    "checkout.session": {**_fields("customer", "payment_intent"), "line_items": _items},
    "dispute": _fields("charge", "payment_intent"),
    "payment_intent": _fields("customer", "latest_charge"),
    "payout": _fields("balance_transaction", "destination", "failure_balance_transaction"),
    "refund": _fields("balance_transaction", "charge", "failure_balance_transaction", "payment_intent"),
    "topup": _fields("balance_transaction"),
    "transfer_reversal": _fields("balance_transaction", "destination_payment_refund", "transfer"),
    "transfer": {
        **_fields("balance_transaction", "destination_payment", "source_transaction"),
        "destination": _destination,
    },
}


def expand(transaction: Transaction, body: Json, paths: list[str]) -> Json:
    """Unfold each dotted path in place, at most four levels deep."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > 4:
            raise invalid("You cannot expand more than 4 levels of a property. Property: " + path, "expand")
        _unfold(transaction, body, steps, path)
    return body


def _unfold(transaction: Transaction, body: Json, steps: list[str], path: str) -> None:
    if body.get("object") == "list":
        if steps[0] != "data" or len(steps) == 1:
            raise _cannot(path)
        for item in body["data"]:
            _unfold(transaction, item, steps[1:], path)
        return
    field, rest = steps[0], steps[1:]
    if not isinstance(body.get(field), dict):
        loader = EXPANDABLE.get(str(body.get("object")), {}).get(field)
        if loader is None:
            raise _cannot(path)
        body[field] = loader(transaction, body)
    if rest and isinstance(body[field], dict):
        _unfold(transaction, body[field], rest, path)


def _cannot(path: str) -> Exception:
    said = f"This property cannot be expanded ({path})."
    return invalid(said, "expand")
