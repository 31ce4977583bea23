"""Every operation this server has, in one table, and every step that can fall due.

To add one, see docs/recipes/add-a-stripe-operation.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.demo.stripe_server import (
    accounts,
    accounts_v1,
    balance_settings,
    bank_debits,
    charges,
    checkout,
    customers,
    disputes,
    events,
    funds,
    listeners,
    onboarding,
    payments,
    payouts,
    posting,
    refunds,
    reversals,
    topups,
    transfers,
)
from marketplace.demo.stripe_server.operations import Operation
from marketplace.demo.stripe_server.schedule import Step
from marketplace.demo.stripe_server.store import Transaction

OPERATIONS = (
    Operation("GET", "/v1/account", accounts_v1.retrieve_own),
    Operation("GET", "/v1/accounts/{account}", accounts_v1.retrieve),
    Operation("POST", "/v1/accounts/{account}/login_links", accounts_v1.create_login_link),
    Operation("GET", "/v1/balance", funds.balance),
    Operation("GET", "/v1/balance_settings", balance_settings.retrieve),
    Operation("POST", "/v1/balance_settings", balance_settings.update, balance_settings.UPDATE),
    Operation("GET", "/v1/balance_transactions", funds.list_transactions, funds.LIST),
    Operation("GET", "/v1/balance_transactions/{id}", funds.retrieve),
    Operation("GET", "/v1/charges", charges.list_charges, charges.LIST),
    Operation("GET", "/v1/charges/{charge}", charges.retrieve),
    Operation("GET", "/v1/checkout/sessions", checkout.list_sessions, checkout.LIST),
    Operation("POST", "/v1/checkout/sessions", checkout.create, checkout.CREATE),
    Operation("GET", "/v1/checkout/sessions/{session}", checkout.retrieve),
    Operation("POST", "/v1/checkout/sessions/{session}/expire", checkout.expire),
    Operation("GET", "/v1/checkout/sessions/{session}/line_items", checkout.list_items, checkout.ITEMS),
    Operation("GET", "/v1/customers", customers.list_customers, customers.LIST),
    Operation("POST", "/v1/customers", customers.create, customers.CREATE),
    Operation("GET", "/v1/customers/{customer}", customers.retrieve),
    Operation("POST", "/v1/customers/{customer}", customers.update, customers.UPDATE),
    Operation("GET", "/v1/disputes", disputes.list_disputes, disputes.LIST),
    Operation("GET", "/v1/disputes/{dispute}", disputes.retrieve),
    Operation("POST", "/v1/disputes/{dispute}", disputes.update, disputes.UPDATE),
    Operation("POST", "/v1/disputes/{dispute}/close", disputes.close),
    Operation("GET", "/v1/events", events.list_events, events.LIST),
    Operation("GET", "/v1/events/{id}", events.retrieve),
    Operation("GET", "/v1/payment_intents", payments.list_intents, payments.LIST),
    Operation("GET", "/v1/payment_intents/{intent}", payments.retrieve, payments.RETRIEVE),
    Operation("GET", "/v1/payouts", payouts.list_payouts, payouts.LIST),
    Operation("POST", "/v1/payouts", payouts.create, payouts.CREATE),
    Operation("GET", "/v1/payouts/{payout}", payouts.retrieve),
    Operation("POST", "/v1/payouts/{payout}", payouts.update, payouts.UPDATE),
    Operation("POST", "/v1/payouts/{payout}/cancel", payouts.cancel),
    Operation("GET", "/v1/refunds", refunds.list_refunds, refunds.LIST),
    Operation("POST", "/v1/refunds", refunds.create, refunds.CREATE),
    Operation("GET", "/v1/refunds/{refund}", refunds.retrieve),
    Operation("GET", "/v1/topups", topups.list_topups, topups.LIST),
    Operation("POST", "/v1/topups", topups.create, topups.CREATE),
    Operation("GET", "/v1/topups/{topup}", topups.retrieve),
    Operation("POST", "/v1/topups/{topup}/cancel", topups.cancel),
    Operation("GET", "/v1/transfers", transfers.list_transfers, transfers.LIST),
    Operation("POST", "/v1/transfers", transfers.create, transfers.CREATE),
    Operation("GET", "/v1/transfers/{transfer}", transfers.retrieve),
    Operation("POST", "/v1/transfers/{transfer}", transfers.update, transfers.UPDATE),
    Operation("GET", "/v1/transfers/{id}/reversals", reversals.list_reversals, reversals.LIST),
    Operation("POST", "/v1/transfers/{id}/reversals", reversals.create, reversals.CREATE),
    Operation("GET", "/v1/transfers/{transfer}/reversals/{id}", reversals.retrieve),
    Operation("GET", "/v1/webhook_endpoints", listeners.list_endpoints, listeners.LIST),
    Operation("POST", "/v1/webhook_endpoints", listeners.create, listeners.CREATE),
    Operation("GET", "/v1/webhook_endpoints/{webhook_endpoint}", listeners.retrieve),
    Operation("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}", listeners.delete),
    Operation("POST", "/v2/core/account_links", onboarding.create_link, onboarding.CREATE),
    Operation("GET", "/v2/core/accounts", accounts.list_accounts, accounts.LIST),
    Operation("POST", "/v2/core/accounts", accounts.create, accounts.CREATE, accounts.replayed),
    Operation("GET", "/v2/core/accounts/{id}", accounts.retrieve, accounts.RETRIEVE),
    Operation("POST", "/v2/core/accounts/{id}", accounts.update, accounts.UPDATE, accounts.replayed),
    Operation("POST", "/v2/core/accounts/{id}/close", accounts.close, accounts.CLOSE, accounts.replayed),
    Operation("GET", "/v2/core/event_destinations", listeners.list_destinations, listeners.LIST_DESTINATIONS),
    Operation("POST", "/v2/core/event_destinations", listeners.create_destination,
              listeners.CREATE_DESTINATION),
    Operation("GET", "/v2/core/event_destinations/{id}", listeners.retrieve_destination,
              listeners.RETRIEVE_DESTINATION),
    Operation("DELETE", "/v2/core/event_destinations/{id}", listeners.delete_destination),
    Operation("GET", "/v2/core/events", events.list_thin, events.LIST_THIN),
    Operation("GET", "/v2/core/events/{id}", events.retrieve_thin),
)  # fmt: skip


def _activate(transaction: Transaction, id: str) -> None:
    accounts.activate(transaction, id)
    accounts_v1.tell_updated(transaction, id)


STEPS: Mapping[str, Step] = {
    "activate": _activate,
    "arrive_payout": payouts.arrive,
    "arrive_refund": refunds.arrive,
    "arrive_topup": topups.arrive,
    "begin_dispute": disputes.begin,
    "decide_dispute": disputes.settle,
    "expire_session": checkout.fall_out_of_time,
    "pay_out": payouts.pay_out,
    "release_event": posting.release_event,
    "return_debit": bank_debits.come_back,
    "fail_payout": payouts.fail,
    "return_topup": topups.go_back,
    "return_refund": refunds.come_back,
    "run_out_dispute": disputes.run_out,
    "settle_bank_transfer": payments.settle_bank_transfer,
    "settle_debit": bank_debits.settle,
    "submit_payout": payouts.submit,
}
