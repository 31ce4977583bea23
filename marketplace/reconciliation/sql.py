"""Which posting stands for which balance transaction: the one place that knows how our rows name Stripe's.

Each part is one equi-join, because an OR over several references would read everything for every row.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


def among(column: Any, values: Collection[Any]) -> sa.ColumnElement[bool]:
    """Is `column` one of these? They travel as one parameter, so there may be any number of them."""
    found: sa.ColumnElement[bool] = column == sa.any_(sa.literal(list(values), ARRAY(column.type)))
    return found


# Balance transactions that no live match explains against the ledger.
WAITING = """
    waiting AS MATERIALIZED (
        SELECT t.* FROM stripe_transactions t
        WHERE NOT EXISTS (
            SELECT FROM statement_match_lines l
            WHERE l.stripe_transaction_id = t.id AND l.leg = 'ledger' AND l.live
        )
    )
"""

# (transaction_id, source, event, code, reason): the entry that must carry it, and on which account.
NAMED = """
    named AS MATERIALIZED (
        SELECT t.id AS transaction_id, 'funding:' || f.public_id AS source,
            CASE WHEN f.under_way_at IS NOT NULL THEN 'under_way'
                WHEN f.settled_currency IS NOT NULL THEN 'converted' ELSE 'paid' END AS event, '1100' AS code,
            'balance_transaction' AS reason
        FROM waiting t JOIN fundings f ON f.balance_transaction = t.stripe_id
        WHERE t.account IS NULL
        UNION ALL
        SELECT t.id, 'payout_item:' || i.public_id, 'sent', '1100', 'balance_transaction'
        FROM waiting t JOIN transfers r ON r.balance_transaction = t.stripe_id
            JOIN payout_items i ON i.id = r.payout_item_id
        WHERE t.account IS NULL
        UNION ALL
        SELECT t.id, 'payout_item:' || i.public_id, 'sent', '9110', 'source'
        FROM waiting t JOIN transfers r ON r.destination_payment = t.source AND r.destination = t.account
            JOIN payout_items i ON i.id = r.payout_item_id
        UNION ALL
        SELECT t.id, 'transfer_reversal:' || r.public_id, 'reversed', '1100', 'balance_transaction'
        FROM waiting t JOIN transfer_reversals r ON r.balance_transaction = t.stripe_id
        WHERE t.account IS NULL
        UNION ALL
        SELECT t.id, 'transfer_reversal:' || r.public_id, 'reversed', '9110', 'source'
        FROM waiting t JOIN transfer_reversals r ON r.destination_refund = t.source
            JOIN transfers s ON s.id = r.transfer_id AND s.destination = t.account
        UNION ALL
        SELECT t.id, 'sweep:' || s.public_id, CASE t.type WHEN 'payout' THEN 'sent' ELSE 'failed' END,
            '1100', 'source'
        FROM waiting t JOIN sweeps s ON s.stripe_id = t.source
        WHERE t.account IS NULL AND t.type IN ('payout', 'payout_failure', 'payout_cancel')
        UNION ALL
        SELECT t.id, 'top_up:' || u.public_id, CASE t.type WHEN 'topup' THEN 'arrived' ELSE 'returned' END,
            '1100', 'source'
        FROM waiting t JOIN top_ups u ON u.stripe_id = t.source
        WHERE t.account IS NULL AND t.type IN ('topup', 'topup_reversal')
        UNION ALL
        SELECT t.id, 'refund:' || r.public_id,
            CASE WHEN t.type = 'refund_failure' THEN 'failed'
                WHEN r.settled_currency IS NOT NULL THEN 'converted' ELSE 'sent' END, '1100', 'source'
        FROM waiting t JOIN refunds r ON r.stripe_id = t.source
        WHERE t.account IS NULL AND t.type IN ('refund', 'payment_refund', 'refund_failure')
        UNION ALL
        SELECT t.id, 'chargeback:' || c.public_id,
            CASE WHEN m.amount > 0 THEN 'reinstated ' ELSE 'withdrawn ' END || m.balance_transaction,
            '1100', 'balance_transaction'
        FROM waiting t JOIN chargeback_moves m ON m.balance_transaction = t.stripe_id
            JOIN chargebacks c ON c.id = m.chargeback_id
        WHERE t.account IS NULL
        UNION ALL
        SELECT t.id, 'funding_failure:' || f.public_id,
            CASE f.state WHEN 'failed' THEN 'refused_debit' ELSE 'failed_after_paid' END, '1100',
            'balance_transaction'
        FROM waiting t JOIN fundings f ON f.failure_transaction = t.stripe_id
        WHERE t.account IS NULL
        UNION ALL
        SELECT t.id, 'connected_payout:' || t.source,
            CASE t.type WHEN 'payout' THEN 'created' ELSE 'failed' END, '9110', 'source'
        FROM waiting t
        WHERE t.account IS NOT NULL AND t.type IN ('payout', 'payout_failure', 'payout_cancel')
    )
"""

# The postings of those entries, matched or not.
BOOKED = """
    booked AS MATERIALIZED (
        SELECT n.transaction_id, n.reason, p.id AS posting_id, p.amount, p.currency,
            EXISTS (
                SELECT FROM statement_match_lines l
                WHERE l.posting_id = p.id AND l.leg = 'ledger' AND l.live
            ) AS taken
        FROM named n
        JOIN journal_entries e ON e.source = n.source AND e.event = n.event
        JOIN postings p ON p.entry_id = e.id
        JOIN ledger_accounts a ON a.id = p.account_id AND a.code = n.code
    )
"""

# What was booked on the account for clients' money and is on no statement: paid out by hand, or topped up.
NOT_ON_STATEMENT = """
    not_on_statement AS MATERIALIZED (
        SELECT p.id AS posting_id, e.id AS entry_id, e.public_id AS entry, p.currency, p.amount, e.occurred_at
        FROM postings p
        JOIN journal_entries e ON e.id = p.entry_id
        JOIN ledger_accounts a ON a.id = p.account_id AND a.code = '1020'
        WHERE e.reverses_id IS NULL
            AND NOT EXISTS (SELECT FROM journal_entries r WHERE r.reverses_id = e.id)
            AND NOT EXISTS (
                SELECT FROM statement_match_lines l
                WHERE l.posting_id = p.id AND l.leg = 'bank' AND l.live
            )
            AND e.source NOT LIKE 'bank_account:%'
    )
"""

# Postings by which the ledger says what Stripe holds, that no match explains, each beside the moment at which
# that balance was fetched. An entry that was taken back before Stripe confirmed it asks for no explanation.
UNCONFIRMED = """
    unconfirmed AS MATERIALIZED (
        SELECT p.id AS posting_id, e.public_id AS entry, a.code, a.key AS account_key, p.currency, p.amount,
            e.occurred_at, b.fetched_at
        FROM postings p
        JOIN journal_entries e ON e.id = p.entry_id
        JOIN ledger_accounts a ON a.id = p.account_id AND a.code IN ('1100', '9110')
        LEFT JOIN people h
            ON h.public_id = CASE a.code WHEN '9110' THEN CAST(split_part(a.key, ':', 2) AS uuid) END
        LEFT JOIN connected_accounts c ON c.person_id = h.id AND c.ended_at IS NULL
        JOIN stripe_balances b ON b.currency = p.currency
            AND b.account IS NOT DISTINCT FROM CASE a.code WHEN '9110' THEN c.stripe_id END
            AND (a.code = '1100' OR c.stripe_id IS NOT NULL)
        WHERE NOT EXISTS (
                SELECT FROM statement_match_lines l
                WHERE l.posting_id = p.id AND l.leg = 'ledger' AND l.live
            )
            AND NOT EXISTS (SELECT FROM journal_entries r WHERE r.reverses_id = e.id)
            AND (e.reverses_id IS NULL OR EXISTS (
                SELECT FROM postings o
                JOIN statement_match_lines l ON l.posting_id = o.id AND l.leg = 'ledger' AND l.live
                WHERE o.entry_id = e.reverses_id
            ))
    )
"""
