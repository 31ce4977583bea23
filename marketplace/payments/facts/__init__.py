"""What Stripe said, as plain values. Amounts are minor units, currencies upper-case, moments UTC.

Each `of_…` reads one answer and raises KeyError, TypeError or ValueError when it is not what Stripe's
description promises; the gateway takes that for an unknown outcome.
"""

from marketplace.payments.facts.accounts import (
    Account,
    Bank,
    RequirementEntry,
    Schedule,
    of_account,
    of_banks,
    of_schedule,
)
from marketplace.payments.facts.answers import Answer
from marketplace.payments.facts.balances import (
    Balance,
    BalanceTransaction,
    of_balance,
    of_balance_transaction,
)
from marketplace.payments.facts.charges import (
    Charge,
    ChargeFailure,
    Checkout,
    Dispute,
    Refund,
    of_charge,
    of_charge_failure,
    of_checkout,
    of_dispute,
    of_refund,
)
from marketplace.payments.facts.notices import Notice, RawAnswer, of_event
from marketplace.payments.facts.transfers import (
    Payout,
    Reversal,
    SentTransfer,
    TopUp,
    of_payout,
    of_reversal,
    of_top_up,
    of_transfer,
)

__all__ = [
    "Account",
    "Answer",
    "Balance",
    "BalanceTransaction",
    "Bank",
    "Charge",
    "ChargeFailure",
    "Checkout",
    "Dispute",
    "Notice",
    "Payout",
    "RawAnswer",
    "Refund",
    "RequirementEntry",
    "Reversal",
    "Schedule",
    "SentTransfer",
    "TopUp",
    "of_account",
    "of_balance",
    "of_balance_transaction",
    "of_banks",
    "of_charge",
    "of_charge_failure",
    "of_checkout",
    "of_dispute",
    "of_event",
    "of_payout",
    "of_refund",
    "of_reversal",
    "of_schedule",
    "of_top_up",
    "of_transfer",
]
