"""Charges and payments: money that came in, from a card, a bank transfer or the platform's own balance."""

from __future__ import annotations

from marketplace.demo.stripe_server import moments
from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, PAGE, Shape, Text
from marketplace.demo.stripe_server.store import Transaction

LIST = Shape(PAGE, created=CREATED, customer=Text(), payment_intent=Text(), transfer_group=Text())
_NOBODY: Json = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


def card_details(last4: str, brand: str) -> Json:
    card = {
        "brand": brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"local{last4}",
        "funding": "credit",
        "last4": last4,
        "network": brand,
    }
    return {"card": card, "type": "card"}


def bank_transfer_details() -> Json:
    return {"customer_balance": {}, "type": "customer_balance"}


def own_balance_details() -> Json:
    return {"stripe_account": {}, "type": "stripe_account"}


def add(
    transaction: Transaction,
    account: str,
    id: str,
    amount: int,
    currency: str,
    details: Json,
    **more: object,
) -> Json:
    """A succeeded charge, unless `more` says otherwise. `amount` in minor units."""
    now = moments.now()
    charge: Json = {
        "id": id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": dict(_NOBODY),
        "captured": True,
        "created": now,
        "currency": currency,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": _approved(),
        "paid": True,
        "payment_intent": None,
        "payment_method": None,
        "payment_method_details": details,
        "receipt_email": None,
        "receipt_url": None,
        "refunded": False,
        "source_transfer": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }
    return transaction.add({**charge, **more}, account, "charge", now)


def declined(code: str, message: str) -> Json:
    """The fields of a charge that a card refused."""
    outcome = {**_approved(), "network_status": "declined_by_network", "reason": code,
               "seller_message": "The bank did not return any further details.",
               "type": "issuer_declined"}  # fmt: skip
    return {
        "amount_captured": 0,
        "captured": False,
        "failure_code": "card_declined",
        "failure_message": message,
        "outcome": outcome,
        "paid": False,
        "status": "failed",
    }


def _approved() -> Json:
    return {
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def retrieve(call: Call) -> Json:
    """GET /v1/charges/{charge}."""
    return call.find("charge", call.args["charge"], "charge")


def list_charges(call: Call) -> Json:
    """GET /v1/charges."""
    return page(call, "charge", "/v1/charges", same(call, "customer", "payment_intent", "transfer_group"))
