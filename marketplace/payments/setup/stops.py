"""Why nothing may be sent to somebody now, asked when a batch is prepared, released, and again as each item
is sent: an account may be closed, changed or below zero meanwhile (F21, F22, F62, F63)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms
from marketplace.accounts.models import Person
from marketplace.payments.models import ConnectedAccount, PayoutItem
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
    accounts = session.scalars(
        sa.select(ConnectedAccount)
        .filter_by(person_id=item.person_id)
        .order_by(ConnectedAccount.id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).all()
    account = next((each for each in accounts if each.id == item.connected_account_id), None)
    person = session.get_one(Person, item.person_id, populate_existing=True)
    held = account is not None and holding.hold_of(session, account.id) is not None
    found = stop(person, account, held=held)
    if found is None and account is not None and account.stripe_id in alarms.accounts(session):
        return Blocker.ACCOUNT_DIFFERS
    return found


def code_of(item: PayoutItem, blocker: Blocker) -> str:
    """The reason with which its pay is owed again, one of `words.refusal`."""
    if blocker is Blocker.PERSON_CLOSED:
        return "person_closed"
    closed = item.account is not None and item.account.ended_at is not None
    return "account_closed" if closed else "insufficient_capabilities_for_transfer"
