"""What a platform does at Stripe, in the words of the tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from marketplace.demo.stripe_server.accounts import CHECKING_TAKES
from tests.demo.stripe_server.harness import Handle, until

ELSEWHERE = "http://localhost:9"
INCLUDE = ["configuration.recipient", "requirements", "identity", "defaults"]
BY_BANK = {
    "customer_balance": {"funding_type": "bank_transfer", "bank_transfer": {"type": "us_bank_transfer"}}
}


@dataclass
class Platform:
    """The platform with its client, and hands on the hosted pages."""

    local: Handle
    client: stripe.StripeClient

    def account(self, **more: Any) -> Any:
        """A connected account that nobody has filled in yet."""
        return self.client.v2.core.accounts.create({**ASKED, **more})  # type: ignore[typeddict-item]

    def link(self, account: str) -> Any:
        onboarding = {"refresh_url": f"{ELSEWHERE}/refresh", "return_url": f"{ELSEWHERE}/return"}
        use_case = {"type": "account_onboarding", "account_onboarding": onboarding}
        return self.client.v2.core.account_links.create({"account": account, "use_case": use_case})  # type: ignore[typeddict-item]

    def expert(self, **more: Any) -> str:
        """An account whose owner went through onboarding and may be paid."""
        id: str = self.account(**more).id
        hands.onboard(self.link(id).url)
        clock.advance(timedelta(seconds=CHECKING_TAKES))
        until(lambda: self.status(id) == "active")
        return id

    def status(self, account: str) -> str:
        found = self.client.v2.core.accounts.retrieve(account, {"include": ["configuration.recipient"]})
        return str(found.configuration.recipient.capabilities.stripe_balance.stripe_transfers.status)  # type: ignore[union-attr]

    def session(self, amount: int, **more: Any) -> Any:
        price = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Funding"}}
        return self.client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"quantity": 1, "price_data": price}],
                "success_url": f"{ELSEWHERE}/done?session={{CHECKOUT_SESSION_ID}}",
                **more,
            }
        )  # type: ignore[typeddict-item]

    def fund(self, amount: int) -> Any:
        """Money from a card; pending for two business days. Answers the charge."""
        session = self.session(amount)
        hands.pay(session.url)
        intent = self.client.v1.checkout.sessions.retrieve(session.id).payment_intent
        return self.client.v1.charges.list({"payment_intent": str(intent)}).data[0]

    def fund_by_bank(self, amount: int) -> Any:
        """A promised bank transfer; it comes on the next business day. Answers the session."""
        customer = self.client.v1.customers.create(
            {"name": "Northwind AI", "email": "carla@northwind.example"}
        )
        session = self.session(amount, customer=customer.id, payment_method_options=BY_BANK)
        hands.promise_bank_transfer(session.url)
        return session

    def transfer(self, destination: str, amount: int, key: str | None = None, **more: Any) -> Any:
        asked = {"amount": amount, "currency": "usd", "destination": destination, **more}
        return self.client.v1.transfers.create(asked, {"idempotency_key": key} if key else {})  # type: ignore[arg-type]

    def card_balance(self, which: str = "available", account: str | None = None) -> int:
        options: Any = {"stripe_account": account} if account else {}
        return int(self.client.v1.balance.retrieve({}, options)[which][0]["source_types"]["card"])

    def bank_balance(self) -> int:
        return int(self.client.v1.balance.retrieve()["available"][0]["source_types"]["bank_account"])

    def event_types(self, **filters: Any) -> list[str]:
        return [event.type for event in self.client.v1.events.list({"limit": 100, **filters}).data]


ASKED: dict[str, Any] = {
    "contact_email": "ana@example.com",
    "display_name": "Ana Silva",
    "dashboard": "express",
    "identity": {"country": "us", "entity_type": "individual"},
    "configuration": {
        "recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
    },
    "defaults": {
        "currency": "usd",
        "responsibilities": {"fees_collector": "application", "losses_collector": "application"},
    },
    "include": INCLUDE,
}
