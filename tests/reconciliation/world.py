"""A little money at Stripe and at the bank, with the ledger's side of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.models import Person
from marketplace.actor import SITE, Actor, Role
from marketplace.ledger import chart
from marketplace.ledger.chart import Account
from marketplace.payments.facts import Balance, BalanceTransaction
from marketplace.payments.models import ConnectedAccount, ConnectedPayout, Sweep
from marketplace.payments.outcomes import GatewayRefused
from marketplace.payments.states import SweepState, TransfersState
from marketplace.reconciliation import statements
from marketplace.reconciliation.models import StatementLine
from marketplace.reconciliation.statements import Imported
from tests.factories.accounts import a_person, an_actor
from tests.reconciliation.camt import Entry, Statement, document

MONDAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 17, tzinfo=UTC)


@dataclass
class FakeStripe:
    """What the gateway answers: transactions and balances by account, contents by payout."""

    transactions: dict[str | None, list[BalanceTransaction]] = field(default_factory=dict)
    pending: int = 0
    contents: dict[str, list[BalanceTransaction]] = field(default_factory=dict)
    asked: list[tuple[str | None, datetime]] = field(default_factory=list)
    refused: set[str | None] = field(default_factory=set)

    def moved(self, account: str | None, kind: str, source: str, net: int, at: datetime = NOON) -> str:
        """Something moves a balance; the transaction's id."""
        found = BalanceTransaction(
            id=f"txn_{uuid.uuid4().hex[:12]}",
            type=kind,
            reporting_category=kind,
            amount=net,
            fee=0,
            net=net,
            currency="USD",
            source=source,
            created_at=at,
            available_on=at,
        )
        self.transactions.setdefault(account, []).append(found)
        return found.id

    def balance(self, account: str | None = None) -> Balance:
        if account in self.refused:
            raise GatewayRefused("account_invalid", "This account is closed.")
        total = sum(each.net for each in self.transactions.get(account, []))
        return Balance({"USD": {"card": total - self.pending}}, {"USD": self.pending})

    def balance_transactions(
        self, account: str | None = None, *, since: datetime
    ) -> list[BalanceTransaction]:
        self.asked.append((account, since))
        return [each for each in self.transactions.get(account, []) if each.created_at >= since]

    def payout_contents(self, payout: str, account: str) -> list[BalanceTransaction]:
        return self.contents[payout]

    def breathe(self) -> None:
        """Nothing to wait for."""


def finance(session: Session) -> tuple[Actor, Actor]:
    """Fin, who prepares, and Gil, who releases."""
    fin = an_actor(session, a_person(session, "Fin Farrell", Role.FINANCE_PREPARER))
    return fin, an_actor(session, a_person(session, "Gil Garnier", Role.FINANCE_RELEASER))


def post(session: Session, source: str, event: str, lines: Sequence[tuple[Account, int]]) -> None:
    """One entry at noon on Monday, committed."""
    ledger.post(
        session,
        SITE,
        source=source,
        event=event,
        currency="USD",
        lines=lines,
        occurred_at=NOON,
        memo="",
    )
    session.commit()


def a_sweep(
    session: Session,
    people: tuple[Actor, Actor],
    amount: int = 90_000,
    *,
    trace: str | None = "TR0042",
    arrival: date = MONDAY + timedelta(days=2),
) -> Sweep:
    """A sweep that Stripe paid out, with its entry."""
    sweep = Sweep(
        currency="USD",
        amount=amount,
        state=SweepState.SENT,
        prepared_by=people[0].id,
        prepared_at=NOON,
        released_by=people[1].id,
        released_at=NOON,
        attempt=1,
        tries=1,
        first_tried_at=NOON,
        stripe_id=f"po_{uuid.uuid4().hex[:12]}",
        arrival_date=arrival,
        trace_id=trace,
    )
    session.add(sweep)
    session.flush()
    lines = [(chart.payouts_in_transit(), amount), (chart.stripe_balance(), -amount)]
    post(session, f"sweep:{sweep.public_id}", "sent", lines)
    return sweep


def an_account(session: Session, person: Person, stripe_id: str = "acct_ana") -> ConnectedAccount:
    """An expert's account at Stripe."""
    made = ConnectedAccount(
        person_id=person.id,
        stripe_id=stripe_id,
        country="US",
        transfers=TransfersState.ACTIVE,
        requirements=[],
        created_at=NOON,
        refreshed_at=NOON,
    )
    session.add(made)
    session.commit()
    return made


def a_payout(
    session: Session, account: ConnectedAccount, amount: int, stripe_id: str = "po_ana"
) -> ConnectedPayout:
    """A payout of an expert's account to their bank, itemised by Stripe, with its memo entry."""
    payout = ConnectedPayout(
        stripe_id=stripe_id,
        connected_account_id=account.id,
        amount=amount,
        currency="USD",
        status="paid",
        created_at=NOON,
        arrival_date=MONDAY + timedelta(days=2),
        trace_id=None,
        failure_code=None,
        reconciliation_status="completed",
        fetched_at=clock.now(),
    )
    session.add(payout)
    held = chart.expert_held(account.person.public_id)
    post(
        session, f"connected_payout:{stripe_id}", "created", [(chart.held_contra(), amount), (held, -amount)]
    )
    return payout


def bank_says(
    session: Session,
    fin: Actor,
    *entries: Entry,
    opening: int = 0,
    on: date = MONDAY + timedelta(days=2),
) -> Imported:
    """A day's statement comes in."""
    data = document(Statement(on, opening, entries))
    return statements.import_statement(session, fin, f"{on}.xml", data)


def line(session: Session, text: str) -> StatementLine:
    """The line that says `text`."""
    return session.query(StatementLine).filter_by(text=text).one()
