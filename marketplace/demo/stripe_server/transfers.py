"""Transfers: from the platform's balance into a connected account's, at once or with a charge."""

from __future__ import annotations

from marketplace.demo.stripe_server import accounts, charges, events, funds, moments, payouts
from marketplace.demo.stripe_server.customers import merged
from marketplace.demo.stripe_server.errors import Json, missing, refused
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, EXPAND, PAGE, Choice, Metadata, Shape, Text, Whole

CREATE = Shape(
    amount=Whole(1, 99_999_999_999),
    currency=Text(3, required=True),
    description=Text(),
    destination=Text(required=True),
    expand=EXPAND,
    metadata=Metadata(),
    source_transaction=Text(),
    source_type=Choice("bank_account", "card", "fpx"),
    transfer_group=Text(),
)
UPDATE = Shape(description=Text(clear=True), expand=EXPAND, metadata=Metadata())
LIST = Shape(PAGE, created=CREATED, destination=Text(), transfer_group=Text())


def create(call: Call) -> Json:
    """POST /v1/transfers. Refuses what the balance, the charge or the destination does not allow."""
    asked = {**call.params, "currency": call.params["currency"].lower()}
    destination = _destination(call, asked["destination"])
    charge = _charge(call, asked)
    amount = _amount(asked, charge)
    source_type = _source_type(call, asked, charge)
    if charge is None:
        funds.require(call.transaction, call.account, asked["currency"], source_type, amount)
    transfer = _transfer(call, {**asked, "amount": amount, "source_type": source_type}, charge)
    available_on = max(call.now, _available_on(call, charge))
    _move(call, transfer, destination, available_on)
    call.transaction.add(transfer, call.account, "transfer", call.now)
    events.tell(call.transaction, "transfer.created", transfer, call.account)
    return transfer


def retrieve(call: Call) -> Json:
    """GET /v1/transfers/{transfer}."""
    return call.find("transfer", call.args["transfer"], "transfer")


def update(call: Call) -> Json:
    """POST /v1/transfers/{transfer}."""
    transfer = call.find("transfer", call.args["transfer"], "transfer")
    if "description" in call.params:
        transfer["description"] = call.params["description"] or None
    transfer["metadata"] = merged(transfer["metadata"], call.params.get("metadata", {}))
    events.tell(call.transaction, "transfer.updated", call.transaction.save(transfer), call.account)
    return transfer


def list_transfers(call: Call) -> Json:
    """GET /v1/transfers."""
    return page(call, "transfer", "/v1/transfers", same(call, "destination", "transfer_group"))


def _destination(call: Call, id: str) -> Json:
    account = call.transaction.find(id, accounts.KIND)
    if account is None or account["closed"]:
        raise missing("destination", id, "destination")
    if not accounts.can_receive(account):
        raise refused(
            "Your destination account needs to have at least one of the following capabilities "
            "enabled: transfers.",
            "insufficient_capabilities_for_transfer",
            "destination",
        )
    return account


def _charge(call: Call, asked: Json) -> Json | None:
    """The charge that pays for the transfer, when one is named; what was taken from it before counts."""
    if "source_transaction" not in asked:
        return None
    charge = call.find("charge", asked["source_transaction"], "charge", "source_transaction")
    if not charge["paid"] or charge["currency"] != asked["currency"]:
        raise refused(
            "The source charge is not paid, or not in the transfer's currency.", param="source_transaction"
        )
    row = call.transaction.row(
        "SELECT COALESCE(SUM(json_extract(body, '$.amount') - json_extract(body, '$.amount_reversed')), 0)"
        " FROM object"
        " WHERE kind = 'transfer' AND json_extract(body, '$.source_transaction') = ?",
        charge["id"],
    )
    left = charge["amount"] - charge["amount_refunded"] - (row[0] if row else 0)
    if asked.get("amount", charge["amount"]) > left:
        raise refused(
            f"The transfers from one charge cannot exceed its amount; {left} is left of {charge['id']}.",
            param="amount",
        )
    return charge


def _amount(asked: Json, charge: Json | None) -> int:
    if "amount" in asked:
        return int(asked["amount"])
    if charge is None:
        raise refused("Missing required param: amount.", "parameter_missing", "amount")
    return int(charge["amount"])


def _source_type(call: Call, asked: Json, charge: Json | None) -> str:
    if charge is None:
        return str(asked.get("source_type", "card"))
    return funds.source_type_of(call.transaction, charge["balance_transaction"])


def _available_on(call: Call, charge: Json | None) -> int:
    if charge is None:
        return call.now
    paid = call.transaction.find(charge["balance_transaction"])
    return int(paid["available_on"]) if paid else call.now


def _transfer(call: Call, asked: Json, charge: Json | None) -> Json:
    id = moments.new_id("tr")
    return {
        "id": id,
        "object": "transfer",
        "amount": asked["amount"],
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": call.now,
        "currency": asked["currency"],
        "description": asked.get("description"),
        "destination": asked["destination"],
        "destination_payment": moments.new_id("py"),
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "reversals": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/transfers/{id}/reversals",
        },
        "reversed": False,
        "source_transaction": charge and charge["id"],
        "source_type": asked["source_type"],
        "transfer_group": asked.get("transfer_group") or (charge and charge["transfer_group"]),
    }


def _move(call: Call, transfer: Json, destination: Json, available_on: int) -> None:
    """Take the amount from the platform and give it to the connected account, as a payment there."""
    amount, currency = transfer["amount"], transfer["currency"]
    taken = funds.record(
        call.transaction, call.account, type="transfer", amount=-amount, currency=currency,
        source=transfer["id"], source_type=transfer["source_type"], available_on=available_on,
        description=transfer["description"], waits=transfer["source_transaction"] is not None,
    )  # fmt: skip
    transfer["balance_transaction"] = taken["id"]
    given = funds.record(
        call.transaction, destination["id"], type="payment", amount=amount, currency=currency,
        source=transfer["destination_payment"], available_on=available_on,
        description=transfer["description"],
    )  # fmt: skip
    charges.add(
        call.transaction, destination["id"], transfer["destination_payment"], amount, currency,
        charges.own_balance_details(), source_transfer=transfer["id"], balance_transaction=given["id"],
        description=transfer["description"],
    )  # fmt: skip
    payouts.expect(call.transaction, destination["id"], currency, available_on)
