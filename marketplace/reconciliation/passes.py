"""The matching passes, in their fixed order. Each consumes what it matches; a tie is only proposed.

1 ledger and Stripe by id; 2 a connected account's automatic payout and what it carries; 3 a sweep and a bank
line by trace id; 4 a sweep and a bank line by amount, text and date; 6 and 7 a client's wire by its reference
(`wires`), where what stays is kept as unapplied cash.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.payments.models import Sweep
from marketplace.payments.states import SweepState
from marketplace.reconciliation import joining, matches, open_items, sql, wires
from marketplace.reconciliation.models import StatementLine
from marketplace.reconciliation.states import NOT_EXPLAINED

AT_ONCE = 20_000
LATEST = 5  # business days after the expected arrival
DESCRIPTOR = re.compile(r"\bSTRIPE\b", re.IGNORECASE)

BY_ID = sa.text(f"""
    WITH {sql.WAITING}, {sql.NAMED}, {sql.BOOKED},
    pair AS MATERIALIZED (
        SELECT DISTINCT ON (posting_id) * FROM (
            SELECT DISTINCT ON (b.transaction_id) b.*
            FROM booked b JOIN waiting t ON t.id = b.transaction_id
            WHERE b.amount = t.net AND b.currency = t.currency AND NOT b.taken
            ORDER BY b.transaction_id, b.posting_id
        ) AS one ORDER BY posting_id, transaction_id LIMIT :most
    ), numbered AS MATERIALIZED (
        SELECT nextval(pg_get_serial_sequence('statement_matches', 'id')) AS match_id, pair.* FROM pair
    ), made AS (
        INSERT INTO statement_matches (id, public_id, pass, leg, state, reasons, note, matched_at)
        OVERRIDING SYSTEM VALUE
        SELECT match_id, uuidv7(), 1, 'ledger', 'confirmed', jsonb_build_array(reason, 'amount'), '', :now
        FROM numbered
    ), joined AS (
        INSERT INTO statement_match_lines (match_id, leg, live, stripe_transaction_id, posting_id)
        SELECT match_id, 'ledger', true, transaction_id, NULL FROM numbered
        UNION ALL
        SELECT match_id, 'ledger', true, NULL, posting_id FROM numbered
    )
    SELECT count(*) FROM numbered
""")  # noqa: S608 (parts of our own, no values)

CONTENTS = sa.text("""
    WITH carried AS MATERIALIZED (
        SELECT p.id AS payout_id, array_agg(t.id) AS transactions
        FROM connected_payouts p
        JOIN connected_accounts a ON a.id = p.connected_account_id
        JOIN stripe_transactions t
            ON t.payout = p.stripe_id AND t.account = a.stripe_id AND t.source <> p.stripe_id
        WHERE p.reconciliation_status = 'completed' AND NOT EXISTS (
            SELECT FROM statement_match_lines l
            WHERE l.connected_payout_id = p.id AND l.leg = 'payout' AND l.live
        )
        GROUP BY p.id
        HAVING sum(t.net) = p.amount AND count(*) FILTER (WHERE t.currency <> p.currency) = 0
        LIMIT :most
    ), numbered AS MATERIALIZED (
        SELECT nextval(pg_get_serial_sequence('statement_matches', 'id')) AS match_id, carried.* FROM carried
    ), made AS (
        INSERT INTO statement_matches (id, public_id, pass, leg, state, reasons, note, matched_at)
        OVERRIDING SYSTEM VALUE
        SELECT match_id, uuidv7(), 2, 'payout', 'confirmed', '["contents", "sum"]', '', :now FROM numbered
    ), joined AS (
        INSERT INTO statement_match_lines (match_id, leg, live, connected_payout_id, stripe_transaction_id)
        SELECT match_id, 'payout', true, payout_id, NULL FROM numbered
        UNION ALL
        SELECT match_id, 'payout', true, NULL, unnest(transactions) FROM numbered
    )
    SELECT count(*) FROM numbered
""")


@dataclass(frozen=True)
class RunResult:
    """Matches confirmed and proposed by each pass, and open items opened and resolved."""

    confirmed: Counter[int] = field(default_factory=Counter)
    proposed: Counter[int] = field(default_factory=Counter)
    opened: int = 0
    resolved: int = 0

    @property
    def with_bank(self) -> int:
        """How many bank lines were matched."""
        return sum(self.confirmed[number] for number in (3, 4, *wires.PASSES))


Rule = Callable[[StatementLine, Sweep], list[str]]


@use_case
def run(session: Session) -> RunResult:
    """Match what can be matched, and bring the open items up to date. Runs one at a time; safe to repeat."""
    joining.alone(session)
    confirmed: Counter[int] = Counter()
    proposed: Counter[int] = Counter()
    for number, statement in ((1, BY_ID), (2, CONTENTS)):
        confirmed[number] = _all_of(session, statement)
    for number, rule in ((3, by_trace), (4, by_text_and_date)):
        confirmed[number], proposed[number] = _with_bank(session, number, rule)
    confirmed |= wires.run(session)
    opened, resolved = open_items.refresh(session)
    return RunResult(+confirmed, +proposed, opened, resolved)


def by_trace(line: StatementLine, sweep: Sweep) -> list[str]:
    """Why the line is the sweep's arrival, by Stripe's trace id; nothing when it is not."""
    said = _letters(line.text + line.bank_ref + line.end_to_end)
    return ["trace", "amount"] if sweep.trace_id and _letters(sweep.trace_id) in said else []


def by_text_and_date(line: StatementLine, sweep: Sweep) -> list[str]:
    """Why the line may be the sweep's arrival: it names Stripe and comes when the money was expected."""
    if sweep.arrival_date is None or not DESCRIPTOR.search(f"{line.text} {line.counterparty}"):
        return []
    latest = clock.add_business_days(sweep.arrival_date, LATEST)
    in_time = sweep.arrival_date - timedelta(days=1) <= line.booked_on <= latest
    return ["amount", "text", "date"] if in_time else []


def _all_of(session: Session, statement: sa.TextClause) -> int:
    """Repeat the statement until it finds no more, so that none runs into the time limit of statements."""
    total = 0
    while found := int(session.scalar(statement, {"now": clock.now(), "most": AT_ONCE}) or 0):
        total += found
    return total


def _with_bank(session: Session, number: int, rule: Rule) -> tuple[int, int]:
    """Confirm the pairs that have no rival on either side, propose the others; how many of each."""
    rejected = matches.rejected_pairs(session)
    pairs = [
        (line, sweep, reasons)
        for sweep in _sweeps_in_transit(session)
        for line in _lines_of(session, sweep)
        if (line.id, sweep.id) not in rejected and (reasons := rule(line, sweep))
    ]
    lines, sweeps = Counter(p[0].id for p in pairs), Counter(p[1].id for p in pairs)
    known = matches.proposed_pairs(session)
    sure = [pair for pair in pairs if lines[pair[0].id] == sweeps[pair[1].id] == 1]
    ties = [pair for pair in pairs if pair not in sure and (pair[0].id, pair[1].id) not in known]
    for line, sweep, reasons in sure:
        matches.confirm_new(session, SITE, line, sweep, number, reasons)
    for line, sweep, reasons in ties:
        matches.propose(session, line, sweep, number, [*reasons, "tie"])
    return len(sure), len(ties)


def _sweeps_in_transit(session: Session) -> Sequence[Sweep]:
    return session.scalars(
        sa.select(Sweep)
        .where(Sweep.state.in_((SweepState.SENT, SweepState.PAID)), ~matches.has_arrived())
        .order_by(Sweep.id)
    ).all()


def _lines_of(session: Session, sweep: Sweep) -> Sequence[StatementLine]:
    """Lines of the sweep's very amount that nothing explains."""
    return session.scalars(
        sa.select(StatementLine)
        .where(
            StatementLine.state.in_(NOT_EXPLAINED),
            StatementLine.amount == sweep.amount,
            StatementLine.currency == sweep.currency,
        )
        .options(joinedload(StatementLine.statement))
        .order_by(StatementLine.id)
    ).all()


def _letters(text: str) -> str:
    return "".join(character for character in text.upper() if character.isalnum())
