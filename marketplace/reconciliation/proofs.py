"""What must hold between the ledger, Stripe and the bank, on what was last fetched and imported."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.i18n import moment
from marketplace.ledger import queries
from marketplace.ledger.periods import asked_before_close, before_close
from marketplace.payments import covered
from marketplace.proof import Drift, Proof
from marketplace.reconciliation import closing, differences
from marketplace.reconciliation.models import BankAccount, BankStatement
from marketplace.reconciliation.revaluing import booking
from marketplace.reconciliation.revaluing.proofs import PROOFS as REVALUING
from marketplace.reconciliation.states import StatementState


def stripe_agrees(session: Session) -> Iterator[Drift]:
    """P2: the ledger's Stripe balance is Stripe's, per currency, as of the last fetch."""
    for side in differences.stripe_sides(session):
        if side.as_of and side.difference:
            subject = f"1100 {side.currency}, as of {moment(side.as_of)}"
            yield Drift(subject, str(side.stripe), str(side.stripe + side.difference))


def bank_agrees(session: Session) -> Iterator[Drift]:
    """P3: the ledger's bank balance and what is itemised make the closing balance of the statement."""
    for side in differences.bank_sides(session):
        if side.as_of and side.remainder:
            yield Drift(
                f"{side.code} {side.currency}, as of {side.as_of}",
                str(side.bank),
                str(side.bank + side.remainder),
            )
    rows = session.execute(
        sa.select(BankAccount, BankStatement)
        .join(BankStatement, BankStatement.bank_account_id == BankAccount.id)
        .where(BankStatement.state.in_((StatementState.GAP, StatementState.CONTRADICTS)))
        .order_by(BankStatement.id)
    )
    for account, statement in rows:
        yield Drift(
            f"statement {statement.number} of {account.mask}",
            StatementState.ACCEPTED.value,
            " ".join(statement.problems) or statement.state.value,
        )


def accounts_agree(session: Session) -> Iterator[Drift]:
    """P6: what we remember of each connected account is its Stripe balance, account by account."""
    for side in differences.account_sides(session):
        subject = f"9110 {side.account} {side.currency}, as of {moment(side.as_of)}"
        yield Drift(subject, str(side.stripe), str(side.stripe + side.difference))


def money_is_covered(session: Session) -> Iterator[Drift]:
    """P8: what lies at Stripe and in the client bank account, and what is under contest, covers what clients
    and experts are owed. What a client owes lowers nothing that is owed to others.

    What experts wait for because their client works on credit is an exposure, which the page of credit lines
    shows: it is short, and nobody else's money has paid for it.
    """
    for currency in queries.currencies(session):
        found = covered.look(session, currency)
        lent = covered.lent(session, currency, found.unpaid) if found.short > 0 else 0
        if found.short > lent:
            yield Drift(f"cover in {currency}", f"at least {found.owed - lent}", str(found.there))


WIRES = sa.text("""
    SELECT f.reference, f.net,
        count(l.id) AS lines, coalesce(sum(s.amount), 0) AS arrived, coalesce(sum(-p.amount), 0) AS credited
    FROM fundings f
    LEFT JOIN statement_match_lines l ON l.funding_id = f.id AND l.live
    LEFT JOIN statement_match_lines b ON b.match_id = l.match_id AND b.live
    LEFT JOIN statement_lines s ON s.id = b.statement_line_id
    LEFT JOIN postings o ON o.id = b.posting_id
    LEFT JOIN postings p ON p.entry_id = o.entry_id AND p.id <> o.id
    WHERE f.rail = 'wire'
    GROUP BY f.id
    HAVING (f.state = 'paid') <> (count(DISTINCT l.id) = 1)
        OR f.state = 'paid' AND (
            coalesce(sum(s.amount), 0) <> f.net OR coalesce(sum(-p.amount), 0) <> f.net
        )
    ORDER BY f.id
""")
UNAPPLIED = sa.text("""
    SELECT a.key, a.currency, sum(b.amount) AS held, s.amount AS arrived
    FROM ledger_accounts a
    JOIN ledger_balances b ON b.account_id = a.id
    LEFT JOIN statement_lines s
        ON a.key = 'statement_line\\:' || s.public_id || '\\:unapplied' AND s.currency = a.currency
    WHERE a.code = '2030'
    GROUP BY a.id, s.id
    HAVING sum(b.amount) > 0
        OR a.key LIKE 'statement_line\\:%' AND sum(b.amount) NOT IN (0, -coalesce(s.amount, 0))
    ORDER BY a.id
""")


def wires_are_at_the_bank(session: Session) -> Iterator[Drift]:
    """W1: a request counts exactly when one bank line brought its money, as much as is credited."""
    for row in session.execute(WIRES):
        yield Drift(
            f"wire {row.reference}",
            f"one bank line of {row.net or 0}" if row.net else "no bank line",
            f"{row.arrived} arrived, {row.credited} credited",
        )


def unapplied_is_what_came(session: Session) -> Iterator[Drift]:
    """W2: unapplied cash is all of what its bank line brought, or nothing of it."""
    for row in session.execute(UNAPPLIED):
        yield Drift(f"2030 {row.key}", f"0 or {row.arrived or 0}", f"{-row.held} {row.currency}")


PROOFS = [
    Proof("P2", "The ledger's Stripe balance is Stripe's", stripe_agrees),
    Proof("P3", "The ledger's bank balance is the bank's", bank_agrees),
    Proof("P6", "Experts' Stripe balances are as remembered", accounts_agree),
    Proof("W1", "Wires that count are at the bank", wires_are_at_the_bank),
    Proof("W2", "Unapplied cash is what the bank brought", unapplied_is_what_came),
    Proof("P8", "What is owed is covered", money_is_covered),
    *REVALUING,
]
before_close.extend(PROOFS)
asked_before_close.extend((closing.statements_reach_the_end, closing.items_are_cleared, booking.is_revalued))
