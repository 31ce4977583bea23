"""Experts who are owed an approved week each, many at once: written by SQL after one made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE
from marketplace.contracts.approvals import approve_timesheet
from marketplace.ledger import NewEntry, chart
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.states import TransfersState
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week

WHEN = MONDAY + timedelta(days=4)
# The hand-made rows have small ids; those of the crowd begin here.
FIRST = 1_000_000
AT_ONCE = 1_000
# Of each table a row like the first, for each of the crowd, with these columns of its own.
OWN = {
    "people": {"full_name": "'Expert ' || n", "email": "'expert' || n || '@example.org'"},
    "connected_accounts": {"person_id": "%(first)s + n", "stripe_id": "'acct_crowd' || n"},
    "applications": {"person_id": "%(first)s + n"},
    "offers": {"person_id": "%(first)s + n", "application_id": "%(first)s + n"},
    "contracts": {"person_id": "%(first)s + n", "offer_id": "%(first)s + n"},
    "timesheets": {"contract_id": "%(first)s + n"},
    "approvals": {"timesheet_id": "%(first)s + n"},
}


def owed(session: Session, owner: psycopg.Connection, number: int) -> Deal:
    """So many experts, each owed a week's pay, with an account that is ready; and the deal of the first."""
    deal = _one(session)
    for table, own in OWN.items():
        _many(owner, table, own, number)
    owner.execute("ANALYZE")
    _book(session, owner, deal)
    owner.execute("ANALYZE")
    owner.execute("CHECKPOINT")
    return deal


def _one(session: Session) -> Deal:
    with clock.at(MONDAY):
        deal = a_deal(session, funds=10**12)
        account = ConnectedAccount(
            person_id=deal.expert.id, stripe_id="acct_crowd0", country="US", created_at=clock.now(),
            transfers=TransfersState.ACTIVE, requirements=[], owes={},
        )  # fmt: skip
        session.add(account)
        session.commit()
    with clock.at(MONDAY + timedelta(days=1)):
        sheet = a_submitted_week(session, deal, MONDAY)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    return deal


def _many(owner: psycopg.Connection, table: str, own: dict[str, str], number: int) -> None:
    names = [row[0] for row in owner.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
        " ORDER BY ordinal_position", [table]
    )]  # fmt: skip
    made = {"id": "%(first)s + n", "public_id": "uuidv7()", **own}
    columns = ", ".join(made.get(name, f"r.{name}") for name in names)
    owner.execute(
        f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE SELECT {columns} "
        f"FROM (SELECT * FROM {table} WHERE id < %(first)s ORDER BY id DESC LIMIT 1) AS r, "
        "generate_series(1, %(number)s::int) AS n",
        {"first": FIRST, "number": number},
    )


def _book(session: Session, owner: psycopg.Connection, deal: Deal) -> None:
    """What was approved is owed in the books too."""
    entries = list(_entries(session, deal))
    for start in range(0, len(entries), AT_ONCE):
        ledger.post_many(session, SITE, entries[start : start + AT_ONCE])
        session.commit()
        # As the server does by itself while its tables grow, so that nothing is planned for empty ones.
        owner.execute("ANALYZE ledger_accounts, ledger_balances, journal_entries")


def _entries(session: Session, deal: Deal) -> Iterator[NewEntry]:
    rows = session.execute(
        sa.text("""
            SELECT a.public_id, p.public_id, a.expert_amount, a.fee_amount
            FROM approvals a JOIN people p ON p.id = a.id WHERE a.id > :first ORDER BY a.id
        """),
        {"first": FIRST},
    ).all()
    funds = chart.project_funds(deal.project.public_id)
    for approval, person, pay, fee in rows:
        lines = [(funds, pay + fee), (chart.expert_payable(person), -pay), (chart.client_fees(), -fee)]
        yield NewEntry(f"approval:{approval}", "approved", "USD", lines, MONDAY, "A week's work approved")
