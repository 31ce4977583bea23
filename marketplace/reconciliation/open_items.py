"""Open items: what nothing explains, one row each, opened and resolved by holding all sides together."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, settings
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.ledger.periods import day_of
from marketplace.reconciliation import differences, sql
from marketplace.reconciliation.models import OpenItem
from marketplace.reconciliation.states import Kind

# A movement that we booked is missing at Stripe only when a fetch a day later has not shown it.
GRACE = "interval '1 day'"
# Five business days after the expected arrival lie within a week.
LATE = 7

CURRENT = f"""
    current AS MATERIALIZED (
        SELECT CASE WHEN b.posting_id IS NULL THEN 'missing_internal' ELSE 'amount_mismatch' END AS kind,
            'stripe:' || t.stripe_id AS subject, t.currency,
            CASE WHEN b.posting_id IS NULL THEN t.net ELSE t.net - b.amount END AS amount,
            CAST(t.created_at AT TIME ZONE :zone AS date) AS since
        FROM waiting t
        LEFT JOIN LATERAL (
            SELECT * FROM booked b WHERE b.transaction_id = t.id AND NOT b.taken ORDER BY b.posting_id LIMIT 1
        ) AS b ON true
        WHERE t.net <> 0
        UNION ALL
        SELECT 'missing_external', 'entry:' || entry, currency, sum(amount),
            min(CAST(occurred_at AT TIME ZONE :zone AS date))
        FROM unconfirmed u
        WHERE occurred_at + {GRACE} <= fetched_at
            AND NOT EXISTS (SELECT FROM booked b WHERE b.posting_id = u.posting_id)
        GROUP BY entry, currency
        UNION ALL
        SELECT
            CASE WHEN s.arrival_date + {LATE} < CAST(:today AS date)
                THEN 'missing_external' ELSE 'timing' END,
            'sweep:' || s.public_id, s.currency, s.amount,
            CAST(coalesce(s.released_at, s.prepared_at) AT TIME ZONE :zone AS date)
        FROM sweeps s
        WHERE s.state IN ('sent', 'paid') AND s.arrival_date IS NOT NULL
            AND NOT EXISTS (SELECT FROM statement_match_lines l WHERE l.sweep_id = s.id AND l.live)
        UNION ALL
        SELECT
            CASE WHEN CAST(occurred_at AT TIME ZONE :zone AS date) + {LATE} < CAST(:today AS date)
                THEN 'missing_external' ELSE 'timing' END,
            'entry:' || entry, currency, amount, CAST(occurred_at AT TIME ZONE :zone AS date)
        FROM not_on_statement n WHERE EXISTS (
            SELECT FROM bank_accounts b
            WHERE b.client_money AND b.set_aside_at IS NULL AND b.currency = n.currency
        )
        UNION ALL
        SELECT 'unidentified', 'statement_line:' || public_id, currency, amount, booked_on
        FROM statement_lines WHERE state IN ('imported', 'proposed')
        UNION ALL
        SELECT CASE state WHEN 'gap' THEN 'statement_gap' ELSE 'statement_contradiction' END,
            'bank_statement:' || s.public_id, a.currency, 0, s.from_on
        FROM bank_statements s JOIN bank_accounts a ON a.id = s.bank_account_id
        WHERE state IN ('gap', 'contradicts')
        UNION ALL
        SELECT 'negative_connected_balance', 'account:' || account, currency, available + pending,
            CAST(fetched_at AT TIME ZONE :zone AS date)
        FROM stripe_balances WHERE account IS NOT NULL AND available + pending < 0
        UNION ALL
        SELECT 'orphan_account_balance', 'account:' || b.account, b.currency, b.available + b.pending,
            CAST(b.fetched_at AT TIME ZONE :zone AS date)
        FROM stripe_balances b
        WHERE b.account IS NOT NULL AND b.available + b.pending <> 0 AND NOT EXISTS (
            SELECT FROM connected_accounts c WHERE c.stripe_id = b.account AND c.ended_at IS NULL
        )
        UNION ALL
        SELECT * FROM unnest(
            CAST(:kinds AS text[]), CAST(:subjects AS text[]), CAST(:currencies AS text[]),
            CAST(:amounts AS bigint[]), CAST(:days AS date[])
        )
    )
"""  # noqa: S608 (constants of our own)

REFRESH = sa.text(f"""
    WITH {sql.WAITING}, {sql.NAMED}, {sql.BOOKED}, {sql.UNCONFIRMED}, {sql.NOT_ON_STATEMENT}, {CURRENT},
    resolved AS (
        UPDATE open_items o SET state = 'resolved', resolved_at = :now
        WHERE o.state = 'open' AND NOT EXISTS (
            SELECT FROM current c
            WHERE c.kind = o.kind AND c.subject = o.subject AND c.currency = o.currency
        ) RETURNING 1
    ), changed AS (
        UPDATE open_items o SET amount = c.amount FROM current c
        WHERE o.state = 'open' AND c.kind = o.kind AND c.subject = o.subject AND c.currency = o.currency
            AND c.amount <> o.amount
    ), opened AS (
        INSERT INTO open_items (public_id, kind, subject, amount, currency, since, opened_at, state)
        SELECT uuidv7(), kind, subject, amount, currency, since, :now, 'open' FROM current
        ON CONFLICT (kind, subject, currency) WHERE state = 'open' DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM opened) AS opened, (SELECT count(*) FROM resolved) AS resolved
""")  # noqa: S608


def refresh(session: Session) -> tuple[int, int]:
    """Open what is new and resolve what is explained; how many of each. Needs a running transaction."""
    session.flush()
    rows, today = differences.remainders(session), day_of(clock.now())
    opened, resolved = session.execute(
        REFRESH,
        {
            "now": clock.now(),
            "today": today,
            "zone": str(settings.current().books_zone),
            "kinds": [kind.value for kind, *_rest in rows],
            "subjects": [subject for _kind, subject, *_rest in rows],
            "currencies": [currency for _k, _s, currency, *_rest in rows],
            "amounts": [amount for _k, _s, _c, amount in rows],
            "days": [today for _row in rows],
        },
    ).one()
    return int(opened), int(resolved)


@use_case
def take_item(session: Session, actor: Actor, public_id: uuid.UUID) -> OpenItem:
    """Make the item one's own to clear."""
    actor.require(*FINANCE)
    item = session.scalar(sa.select(OpenItem).filter_by(public_id=public_id).with_for_update())
    if item is None:
        raise NotFound(_("There is no such item."))
    item.owner_id = actor.id
    audit.record(session, actor, "took", "open_item", item.public_id, kind=item.kind.value)
    return item


def kind_name(kind: Kind) -> str:
    """The kind in the reader's words."""
    return {
        Kind.MISSING_INTERNAL: _("Not in the ledger"),
        Kind.MISSING_EXTERNAL: _("Only in the ledger"),
        Kind.AMOUNT_MISMATCH: _("Amounts differ"),
        Kind.TIMING: _("On its way"),
        Kind.UNIDENTIFIED: _("Nobody knows yet"),
        Kind.STATEMENT_GAP: _("A statement is missing"),
        Kind.STATEMENT_CONTRADICTION: _("A statement does not add up"),
        Kind.DRIFT: _("Not explained by any line"),
        Kind.NEGATIVE_CONNECTED_BALANCE: _("An expert's Stripe balance is negative"),
        Kind.ORPHAN_ACCOUNT_BALANCE: _("Money in a Stripe account that nobody uses"),
    }[kind]


def what_to_do(kind: Kind) -> str:
    """What clears an item of the kind."""
    return {
        Kind.MISSING_INTERNAL: _("Find out what moved, and book it."),
        Kind.MISSING_EXTERNAL: _(
            "Look it up at Stripe by its id, or at the bank. Do not send anything again."
        ),
        Kind.AMOUNT_MISMATCH: _("Compare both sides, then reverse the entry and book the right amount."),
        Kind.TIMING: _("Nothing. It clears itself when the bank's line comes in."),
        Kind.UNIDENTIFIED: _("Match it with what it is of, or book it as what it is."),
        Kind.STATEMENT_GAP: _("Import the statement that lies between."),
        Kind.STATEMENT_CONTRADICTION: _("Get the file from the bank again and import it."),
        Kind.DRIFT: _("A line is missing on one side. Fetch from Stripe again, or import the statement."),
        Kind.NEGATIVE_CONNECTED_BALANCE: _("Send this expert nothing until it is cleared with Stripe."),
        Kind.ORPHAN_ACCOUNT_BALANCE: _("Ask Stripe to move it to the expert's account in use."),
    }[kind]
