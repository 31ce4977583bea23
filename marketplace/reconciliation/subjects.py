"""What each open item is about, in the reader's words: which line, movement, account or entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.accounts.models import Person
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry
from marketplace.ledger.sources import link_for
from marketplace.payments.models import ConnectedAccount
from marketplace.reconciliation.models import (
    BankAccount,
    BankStatement,
    OpenItem,
    StatementLine,
    StripeTransaction,
)

STRIPE_SIDE = "stripe:balance"
BANK_SIDES = {chart.bank_operating().code: "bank:operating", chart.bank_client().code: "bank:client"}


class Subject(NamedTuple):
    """What a thing is called, and what tells it from others of its kind, if anything does."""

    label: str
    detail: str


def named(session: Session, items: Iterable[OpenItem]) -> dict[str, Subject]:
    """The subjects of the items by their keys, read together; one that nobody here names is left out."""
    by_kind: dict[str, list[str]] = {}
    for item in items:
        kind, _colon, rest = item.subject.partition(":")
        by_kind.setdefault(kind, []).append(rest)
    found = {
        STRIPE_SIDE: Subject(_("The balance at Stripe, account 1100"), ""),
        BANK_SIDES["1010"]: Subject(_("The money at the bank, account 1010"), ""),
        BANK_SIDES["1020"]: Subject(_("Clients’ money at the bank, account 1020"), ""),
    }
    for kind, ids in by_kind.items():
        if kind in _READERS:
            found |= {f"{kind}:{key}": subject for key, subject in _READERS[kind](session, ids)}
    return found


Named = Iterable[tuple[object, Subject]]


def _lines(session: Session, ids: Sequence[str]) -> Named:
    rows = session.scalars(sa.select(StatementLine).where(StatementLine.public_id.in_(ids)))
    for line in rows:
        detail = " · ".join(part for part in (line.counterparty, line.text) if part)
        yield line.public_id, Subject(_("Bank line of %(day)s", day=day(line.booked_on)), detail)


def _statements(session: Session, ids: Sequence[str]) -> Named:
    rows = session.scalars(
        sa.select(BankStatement)
        .where(BankStatement.public_id.in_(ids))
        .options(joinedload(BankStatement.account))
    )
    for statement in rows:
        label = _("Statement %(number)s of account %(mask)s",
                  number=statement.number, mask=statement.account.mask)  # fmt: skip
        yield statement.public_id, Subject(label, " ".join(statement.problems))


def _bank_accounts(session: Session, ids: Sequence[str]) -> Named:
    for account in session.scalars(sa.select(BankAccount).where(BankAccount.public_id.in_(ids))):
        label = _("Bank account %(mask)s", mask=account.mask)
        yield account.public_id, Subject(label, _("what it held before its first statement"))


def _entries(session: Session, ids: Sequence[str]) -> Named:
    for entry in session.scalars(sa.select(JournalEntry).where(JournalEntry.public_id.in_(ids))):
        yield (
            entry.public_id,
            Subject(
                entry.memo or link_for(entry.source).label, _("booked on %(day)s", day=day(entry.booked_on))
            ),
        )


def _transactions(session: Session, ids: Sequence[str]) -> Named:
    rows = session.scalars(sa.select(StripeTransaction).where(StripeTransaction.stripe_id.in_(ids)))
    for each in rows:
        label = _("A movement at Stripe: %(type)s", type=each.type.replace("_", " "))
        detail = " · ".join(part for part in (each.stripe_id, each.source, each.account) if part)
        yield each.stripe_id, Subject(label, detail)


def _connected(session: Session, ids: Sequence[str]) -> Named:
    rows = session.execute(
        sa.select(ConnectedAccount.stripe_id, Person.full_name)
        .join(ConnectedAccount.person)
        .where(ConnectedAccount.stripe_id.in_(ids))
    )
    for stripe_id, name in rows:
        yield stripe_id, Subject(_("%(name)s’s account at Stripe", name=name), str(stripe_id))


_READERS: dict[str, Callable[[Session, Sequence[str]], Named]] = {
    "statement_line": _lines,
    "bank_statement": _statements,
    "bank_account": _bank_accounts,
    "entry": _entries,
    "stripe": _transactions,
    "account": _connected,
}
