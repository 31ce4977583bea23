"""Why nothing may be sent to somebody now, asked when a batch is prepared, released, and again as each item
is sent: an account may be closed, changed or below zero meanwhile (F21, F22, F62, F63)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms
from marketplace.accounts.models import Person
from marketplace.payments.models import ConnectedAccount, PayoutItem
from marketplace.payments.payees import any_of
from marketplace.payments.setup import holding
from marketplace.payments.states import Blocker

# With these an item waits until they are over; with the others its pay is owed again, and offered anew.
WAITS = (Blocker.BANK_CHANGED, Blocker.NEGATIVE_BALANCE, Blocker.ACCOUNT_DIFFERS)


class Somebody(Protocol):
    """What of a person counts here."""

    @property
    def closed_at(self) -> datetime | None: ...


class Account(Protocol):
    """What of a connected account counts here."""

    @property
    def ready(self) -> bool: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def owes(self) -> object: ...


def stop(person: Somebody, account: Account | None, *, held: bool) -> Blocker | None:
    """What stands between the person and a transfer to the account."""
    if person.closed_at is not None:
        return Blocker.PERSON_CLOSED
    if account is None:
        return Blocker.NO_ACCOUNT
    if not account.ready or account.ended_at is not None:
        return Blocker.NOT_READY
    if held:
        return Blocker.BANK_CHANGED
    return Blocker.NEGATIVE_BALANCE if account.owes else None


def stop_of(session: Session, item: PayoutItem) -> Blocker | None:
    """The same for an item about to be sent; no change of a bank account of the person is noted, or denied,
    meanwhile."""
    return stops_of(session, [item]).get(item.id)


def stops_of(session: Session, items: Sequence[PayoutItem]) -> dict[int, Blocker]:
    """What stops each of these items, by internal id, under the same lock; nothing for those that go."""
    ids = [item.person_id for item in items]
    accounts = session.scalars(
        sa.select(ConnectedAccount)
        .where(ConnectedAccount.person_id == any_of(ids))
        .order_by(ConnectedAccount.id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).all()
    by_id = {account.id: account for account in accounts}
    query = sa.select(Person).where(Person.id == any_of(ids)).execution_options(populate_existing=True)
    people = {person.id: person for person in session.scalars(query)}
    held, differ = holding.holding(session), alarms.accounts(session)
    found = {}
    for item in items:
        account = by_id.get(item.connected_account_id or 0)
        why = stop(people[item.person_id], account, held=account is not None and account.id in held)
        if why is None and account is not None and account.stripe_id in differ:
            why = Blocker.ACCOUNT_DIFFERS
        if why is not None:
            found[item.id] = why
    return found


def code_of(item: PayoutItem, blocker: Blocker) -> str:
    """The reason with which its pay is owed again, one of `words.refusal`."""
    if blocker is Blocker.PERSON_CLOSED:
        return "person_closed"
    closed = item.account is not None and item.account.ended_at is not None
    return "account_closed" if closed else "insufficient_capabilities_for_transfer"
