"""What must hold after every run, however it went: plain SQL and Stripe's own record side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import proofs
from tests.faults.oracle import PLATFORM, Oracle

ENDED_WELL = ("sent", "paid", "settled")
ENDED = (*ENDED_WELL, "failed", "blocked", "cancelled", "returned")


def broken(session: Session, oracle: Oracle) -> list[str]:
    """A sentence for each thing that is not as it must be."""
    found = [
        sentence
        for check in (
            _payables_are_paid_once, _transfers_are_known, _entries_balance, _balances_are_their_postings,
            _accounts_are_equal_to_stripe, _fundings_are_credited_once, _nothing_hangs, _steps_of_stripe,
        )
        for sentence in check(session, oracle)
    ]  # fmt: skip
    session.rollback()
    return found + [f"proof {line}" for line in proofs.failing(session)]


def _payables_are_paid_once(session: Session, oracle: Oracle) -> Iterator[str]:
    """By what Stripe sent, not by what we believe: each approved hour was paid by exactly one transfer."""
    at_stripe: dict[str, list[int]] = defaultdict(list)
    for sent in oracle.transfers():
        at_stripe[sent.item].append(sent.amount)
    owed = _rows(session, "SELECT id, expert_amount FROM approvals WHERE expert_amount > 0 ORDER BY id")
    items = defaultdict(list)
    for approval, item, amount in _rows(
        session,
        "SELECT pa.approval_id, i.public_id::text, i.amount FROM payout_item_approvals pa"
        " JOIN payout_items i ON i.id = pa.payout_item_id",
    ):
        items[approval].append((item, amount))
    for approval, _amount in owed:
        times = sum(len(at_stripe[item]) for item, _whole in items[approval])
        if times != 1:
            yield f"approval {approval} was paid {times} times"
        for item, whole in items[approval]:
            if at_stripe[item] not in ([], [whole]):
                yield f"item {item} of {whole} was sent as {at_stripe[item]}"
    total, paid = sum(amount for _id, amount in owed), sum(map(sum, at_stripe.values()))
    if total != paid:
        yield f"approved {total}, transferred {paid}"


def _transfers_are_known(session: Session, oracle: Oracle) -> Iterator[str]:
    ours = dict(_rows(session, "SELECT stripe_id, state FROM transfers WHERE stripe_id IS NOT NULL"))
    theirs = {sent.id for sent in oracle.transfers()}
    yield from (f"Stripe has the transfer {each} and we do not" for each in sorted(theirs - set(ours)))
    yield from (f"we have the transfer {each} and Stripe does not" for each in sorted(set(ours) - theirs))


def _entries_balance(session: Session, oracle: Oracle) -> Iterator[str]:
    rows = _rows(
        session,
        "SELECT entry_id, currency, SUM(amount) FROM postings GROUP BY 1, 2"
        " HAVING SUM(amount) <> 0 OR COUNT(*) < 2",
    )
    for entry, currency, amount in rows:
        yield f"entry {entry} is out of balance by {amount} {currency}"


def _balances_are_their_postings(session: Session, oracle: Oracle) -> Iterator[str]:
    rows = _rows(
        session,
        "SELECT a.key, COALESCE(b.kept, 0), COALESCE(p.posted, 0) FROM ledger_accounts a"
        " LEFT JOIN (SELECT account_id, SUM(amount) kept FROM ledger_balances GROUP BY 1) b"
        " ON b.account_id = a.id"
        " LEFT JOIN (SELECT account_id, SUM(amount) posted FROM postings GROUP BY 1) p"
        " ON p.account_id = a.id"
        " WHERE COALESCE(b.kept, 0) <> COALESCE(p.posted, 0)",
    )
    for key, kept, posted in rows:
        yield f"account {key} keeps {kept}, its postings make {posted}"


def _accounts_are_equal_to_stripe(session: Session, oracle: Oracle) -> Iterator[str]:
    """Our balance, and each expert's account, to the cent."""
    at_stripe = oracle.balances()
    ours = {PLATFORM: _balance(session, "1100", "")}
    for stripe_id, person in _rows(
        session,
        "SELECT c.stripe_id, p.public_id::text FROM connected_accounts c JOIN people p ON p.id = c.person_id"
        " WHERE c.stripe_id IS NOT NULL",
    ):
        ours[stripe_id] = _balance(session, "9110", person)
        for code, name in (("2100", "owed"), ("2110", "in flight")):
            if left := _balance(session, code, person):
                yield f"{-left} is still {name} to the expert of {stripe_id}"
    for account in sorted({*at_stripe, *ours}):
        if at_stripe.get(account, 0) != ours.get(account, 0):
            yield (
                f"{account} holds {at_stripe.get(account, 0)} at Stripe, {ours.get(account, 0)} in the books"
            )


def _fundings_are_credited_once(session: Session, oracle: Oracle) -> Iterator[str]:
    """Each page that was paid is one lot, booked once with what arrived."""
    booked = dict(
        _rows(
            session,
            "SELECT f.session_id, SUM(-p.amount) FROM fundings f"
            " JOIN journal_entries e ON e.source LIKE 'funding:' || f.public_id::text || '%'"
            " JOIN postings p ON p.entry_id = e.id JOIN ledger_accounts a ON a.id = p.account_id"
            " WHERE a.code = '2010' GROUP BY 1",
        )
    )
    for page in oracle.pages():
        expected = page.net if page.paid else 0
        if booked.get(page.id, 0) != expected:
            yield f"the page {page.id} brought {expected}, {booked.get(page.id, 0)} was credited"


def _nothing_hangs(session: Session, oracle: Oracle) -> Iterator[str]:
    """Every item is where it ends, or where a person can act on it."""
    for table in ("payout_items", "transfers", "payout_batches", "fundings"):
        ends = {"payout_items": ENDED, "transfers": ("sent", "failed"), "fundings": ("paid", "expired"),
                "payout_batches": ("settled", "sent", "cancelled")}[table]  # fmt: skip
        states = Counter(state for (state,) in _rows(session, f"SELECT state FROM {table}"))
        for state in sorted(set(states) - set(ends)):
            yield f"{states[state]} of {table} stay {state}"
    # A page that Stripe made and of which we never learnt was shown to nobody; that it expired stays listed.
    unseen = {page.id for page in oracle.pages() if not page.paid}
    unseen -= {session_id for (session_id,) in _rows(session, "SELECT session_id FROM fundings")}
    waiting = "SELECT error, kind, object_id FROM webhook_events WHERE applied_at IS NULL"
    for error, kind, object_id in _rows(session, waiting):
        if object_id not in unseen:
            yield f"an event {kind} was never applied: {error}"


def _steps_of_stripe(session: Session, oracle: Oracle) -> Iterator[str]:
    yield from (f"the local Stripe itself broke: {each}" for each in oracle.failed_steps())


def _balance(session: Session, code: str, owner: str) -> int:
    rows = _rows(
        session,
        "SELECT COALESCE(SUM(p.amount), 0) FROM postings p JOIN ledger_accounts a ON a.id = p.account_id"
        " WHERE a.code = :code AND a.currency = 'USD' AND a.key LIKE '%' || :owner || '%'",
        code=code, owner=owner,
    )  # fmt: skip
    return int(rows[0][0])


def _rows(session: Session, query: str, **values: object) -> list[Any]:
    return [tuple(row) for row in session.execute(sa.text(query), values)]
