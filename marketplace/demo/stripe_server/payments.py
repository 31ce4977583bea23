"""What a customer does on the hosted page becomes a payment intent, a charge and money in the balance."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.demo.stripe_server import charges, events, funds, moments, schedule
from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.lists import page, same
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, PAGE, Shape, Text
from marketplace.demo.stripe_server.store import Transaction
from marketplace.money import share

CARD_SETTLES_AFTER = 2  # business days
BANK_NAME = "Lantern Trust"
LIST = Shape(PAGE, created=CREATED, customer=Text())
RETRIEVE = Shape(client_secret=Text(), expand=PAGE["expand"])


@dataclass(frozen=True)
class Card:
    """A test card; `refusal` is the code with which its bank declines, `sentence` what the payer reads.

    A `disputed` one pays, and its holder disputes the charge at once.
    """

    number: str
    brand: str
    refusal: str = ""
    sentence: str = ""
    disputed: bool = False


CARDS = (
    Card("4242424242424242", "visa"),
    Card("5555555555554444", "mastercard"),
    Card("4000000000007726", "visa"),
    Card("4000000000000259", "visa", disputed=True),
    Card("4000000000002685", "visa", disputed=True),
    Card("4000000000000002", "visa", "generic_decline", "Your card was declined."),
    Card("4000000000009995", "visa", "insufficient_funds", "Your card has insufficient funds."),
)


def card_fee(amount: int) -> int:
    """2.9 % rounded half up, and 30 minor units."""
    return share(amount, 290) + 30


def bank_transfer_fee(amount: int) -> int:
    """0.5 % rounded half up, at most 500 minor units."""
    return min(share(amount, 50), 500)


def pay_by_card(transaction: Transaction, session: Json, card: Card) -> str | None:
    """Charge the card. Answers the sentence of a decline, None when the money was taken."""
    intent = intent_of(transaction, session)
    account = transaction.owner(session["id"])
    details = charges.card_details(card.number[-4:], card.brand)
    if card.refusal:
        _decline(transaction, account, intent, card, details)
        return card.sentence
    available_on = moments.business_midnight(moments.now(), CARD_SETTLES_AFTER)
    charge_id = moments.new_id("ch")
    _take(transaction, account, intent, charge_id, details, "card", available_on)
    complete(transaction, session, intent, "paid")
    events.tell(transaction, "checkout.session.completed", session, account)
    if card.disputed:
        schedule.plan(transaction, "begin_dispute", charge_id, moments.now())
    return None


def promise_bank_transfer(transaction: Transaction, session: Json) -> None:
    """The customer says that the transfer is on its way: it comes on the next business day."""
    intent = intent_of(transaction, session)
    account = transaction.owner(session["id"])
    intent.update(
        status="requires_action",
        payment_method_types=["customer_balance"],
        next_action={
            "type": "display_bank_transfer_instructions",
            "display_bank_transfer_instructions": bank_instructions(session),
        },
    )
    transaction.save(intent)
    events.tell(transaction, "payment_intent.requires_action", intent, account)
    complete(transaction, session, intent, "unpaid")
    events.tell(transaction, "checkout.session.completed", session, account)
    schedule.plan(
        transaction, "settle_bank_transfer", session["id"], moments.business_midnight(moments.now(), 1)
    )


def settle_bank_transfer(transaction: Transaction, id: str) -> None:
    """The step in which the customer's bank transfer arrives; it can be spent at once."""
    session = transaction.find(id, "checkout.session")
    intent = session and transaction.find(session["payment_intent"], "payment_intent")
    if not session or not intent:
        raise KeyError(id)
    account = transaction.owner(id)
    details = charges.bank_transfer_details()
    _take(transaction, account, intent, moments.new_id("py"), details, "bank_account", moments.now())
    session["payment_status"] = "paid"
    events.tell(transaction, "checkout.session.async_payment_succeeded", transaction.save(session), account)


def bank_instructions(session: Json) -> Json:
    """Where a bank transfer for this session has to go, and under which reference."""
    address = {"city": "Portland", "country": "US", "line1": "1 Quay Street", "line2": None,
               "postal_code": "04101", "state": "ME"}  # fmt: skip
    aba = {
        "account_holder_address": address,
        "account_holder_name": "Local Stripe",
        "account_number": f"11{int(session['id'][-9:], 16) % 10**10:010d}",
        "account_type": "checking",
        "bank_address": address,
        "bank_name": BANK_NAME,
        "routing_number": "110000000",
    }
    return {
        "amount_remaining": session["amount_total"],
        "currency": session["currency"],
        "financial_addresses": [
            {"aba": aba, "supported_networks": ["ach", "domestic_wire_us"], "type": "aba"}
        ],
        "hosted_instructions_url": session["url"],
        "reference": session["id"][-8:].upper(),
        "type": "us_bank_transfer",
    }


def retrieve(call: Call) -> Json:
    """GET /v1/payment_intents/{intent}."""
    return call.find("payment_intent", call.args["intent"], "payment_intent")


def list_intents(call: Call) -> Json:
    """GET /v1/payment_intents."""
    return page(call, "payment_intent", "/v1/payment_intents", same(call, "customer"))


def intent_of(transaction: Transaction, session: Json) -> Json:
    """The session's payment intent, made when the customer first tries to pay."""
    if session["payment_intent"]:
        return transaction.find(session["payment_intent"]) or {}
    plan = transaction.find(f"{session['id']}_plan") or {}
    id = moments.new_id("pi")
    account = transaction.owner(session["id"])
    intent: Json = {
        "id": id,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_secret_{id[-12:]}",
        "confirmation_method": "automatic",
        "created": moments.now(),
        "currency": session["currency"],
        "customer": session["customer"],
        "description": plan.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": plan.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": session["payment_method_types"],
        "processing": None,
        "receipt_email": plan.get("receipt_email"),
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": plan.get("transfer_group"),
    }
    transaction.add(intent, account, "payment_intent", moments.now())
    session["payment_intent"] = id
    transaction.save(session)
    events.tell(transaction, "payment_intent.created", intent, account)
    return intent


def about(intent: Json) -> Json:
    names = ("customer", "description", "metadata", "receipt_email", "transfer_group")
    return {**{name: intent[name] for name in names}, "payment_intent": intent["id"]}


def _take(
    transaction: Transaction,
    account: str,
    intent: Json,
    charge_id: str,
    details: Json,
    source_type: str,
    available_on: int,
) -> None:
    amount = intent["amount"]
    by_card = source_type == "card"
    paid = funds.record(
        transaction, account, type="charge" if by_card else "payment", amount=amount,
        fee=card_fee(amount) if by_card else bank_transfer_fee(amount), currency=intent["currency"],
        source=charge_id, source_type=source_type, available_on=available_on,
        description=intent["description"],
    )  # fmt: skip
    charge = charges.add(
        transaction, account, charge_id, amount, intent["currency"], details,
        balance_transaction=paid["id"], **about(intent),
    )  # fmt: skip
    intent.update(
        amount_received=amount, last_payment_error=None, latest_charge=charge_id, next_action=None,
        status="succeeded",
    )  # fmt: skip
    transaction.save(intent)
    events.tell(transaction, "charge.succeeded", charge, account)
    events.tell(transaction, "payment_intent.succeeded", intent, account)


def _decline(transaction: Transaction, account: str, intent: Json, card: Card, details: Json) -> None:
    charge = charges.add(
        transaction, account, moments.new_id("ch"), intent["amount"], intent["currency"], details,
        **{**about(intent), **charges.declined(card.refusal, card.sentence)},
    )  # fmt: skip
    error = {
        "charge": charge["id"],
        "code": "card_declined",
        "decline_code": card.refusal,
        "message": card.sentence,
        "type": "card_error",
    }
    intent.update(last_payment_error=error, latest_charge=charge["id"])
    transaction.save(intent)
    events.tell(transaction, "charge.failed", charge, account)
    events.tell(transaction, "payment_intent.payment_failed", intent, account)


def complete(transaction: Transaction, session: Json, intent: Json, payment_status: str) -> None:
    session.update(payment_intent=intent["id"], payment_status=payment_status, status="complete", url=None)
    schedule.forget(transaction, "expire_session", session["id"])
    transaction.save(session)
