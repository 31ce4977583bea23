"""The longer things that the gateway asks of Stripe, as plain values (API 2026-10-28.endive)."""

from __future__ import annotations

from typing import Any

from marketplace.payments.facts import Schedule
from marketplace.payments.states import Rail


def checkout(
    *,
    customer: str,
    reference: str,
    title: str,
    amount: int,
    currency: str,
    rail: Rail,
    metadata: dict[str, str],
    return_url: str,
    cancel_url: str,
) -> dict[str, Any]:
    """A hosted payment page for `amount` minor units by one rail."""
    price = {"currency": currency.lower(), "unit_amount": amount, "product_data": {"name": title}}
    return {
        "mode": "payment",
        "customer": customer,
        "client_reference_id": reference,
        "line_items": [{"quantity": 1, "price_data": price}],
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata},
        "success_url": return_url,
        "cancel_url": cancel_url,
        **_RAILS[rail],
    }


def recipient(
    *, email: str, name: str, country: str, currency: str, metadata: dict[str, str]
) -> dict[str, Any]:
    """A connected account that only receives (Accounts v2)."""
    transfers = {"stripe_balance": {"stripe_transfers": {"requested": True}}}
    return {
        "contact_email": email,
        "display_name": name,
        "dashboard": "express",
        "identity": {"country": country.lower(), "entity_type": "individual"},
        "configuration": {"recipient": {"capabilities": transfers}},
        "defaults": {
            "currency": currency.lower(),
            "responsibilities": {"fees_collector": "application", "losses_collector": "application"},
        },
        "metadata": metadata,
        "include": ["configuration.recipient", "requirements"],
    }


def schedule(wanted: Schedule) -> dict[str, Any]:
    """The settings of a balance: when it is paid out."""
    asked: dict[str, Any] = {"interval": wanted.interval}
    if wanted.weekly_payout_days:
        asked["weekly_payout_days"] = list(wanted.weekly_payout_days)
    if wanted.monthly_payout_days:
        asked["monthly_payout_days"] = list(wanted.monthly_payout_days)
    return {"payments": {"payouts": {"schedule": asked}}}


def onboarding(account: str, *, return_url: str, refresh_url: str) -> dict[str, Any]:
    """A link to the page on which an account's holder says who they are."""
    fields = {"fields": "eventually_due", "future_requirements": "include"}
    return {
        "account": account,
        "use_case": {
            "type": "account_onboarding",
            "account_onboarding": {
                "return_url": return_url,
                "refresh_url": refresh_url,
                "collection_options": fields,
            },
        },
    }


_RAILS: dict[Rail, dict[str, Any]] = {
    Rail.CARD: {"allowed_payment_method_types": ["card"]},
    Rail.BANK_DEBIT: {"allowed_payment_method_types": ["us_bank_account"]},
    Rail.BANK_TRANSFER: {
        "allowed_payment_method_types": ["customer_balance"],
        "payment_method_options": {
            "customer_balance": {
                "funding_type": "bank_transfer",
                "bank_transfer": {"type": "us_bank_transfer"},
            }
        },
    },
}
