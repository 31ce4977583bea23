"""What must hold between the ledger, Stripe and the bank, on what was last fetched and imported."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.i18n import moment
from marketplace.ledger import queries
from marketplace.ledger.periods import asked_before_close, before_close
from marketplace.proof import Drift, Proof
from marketplace.reconciliation import closing, differences
from marketplace.reconciliation.models import BankAccount, BankStatement
from marketplace.reconciliation.states import StatementState

COVER = ("1020", "1100", "1130", "1160")
OWED = ("2010", "2020", "2030", "2100", "2110", "2120", "2500", "2510")


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
                f"1010 {side.currency}, as of {side.as_of}", str(side.bank), str(side.bank + side.remainder)
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
    """P8: what lies at Stripe and in the client bank account covers what clients and experts are owed."""
    for currency in queries.currencies(session):
        lines = {line.code: line.amount for line in queries.trial_balance(session, currency)}
        cover = sum(lines.get(code, 0) for code in COVER)
        owed = -sum(lines.get(code, 0) for code in OWED)
        if cover < owed:
            yield Drift(f"cover in {currency}", f"at least {owed}", str(cover))


PROOFS = [
    Proof("P2", "The ledger's Stripe balance is Stripe's", stripe_agrees),
    Proof("P3", "The ledger's bank balance is the bank's", bank_agrees),
    Proof("P6", "Experts' Stripe balances are as remembered", accounts_agree),
    Proof("P8", "What is owed is covered", money_is_covered),
]
before_close.extend(PROOFS)
asked_before_close.extend((closing.statements_reach_the_end, closing.items_are_cleared))
