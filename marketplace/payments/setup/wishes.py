"""From how much on an expert wants to be paid, and the wish to be paid before the next pay day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.models import PayoutItem
from marketplace.payments.payees import any_of
from marketplace.payments.setup.models import PayoutMinimum, PayoutRequest
from marketplace.payments.states import ItemState
from marketplace.settings import current

MOST = 10_000_00


@use_case
def set_minimum(session: Session, actor: Actor, amount: int, currency: str) -> None:
    """Be paid from `amount` minor units on. Raises Invalid below the operator's smallest payment."""
    actor.require(Role.EXPERT)
    least = current().payout_minimum
    if amount < least:
        raise Invalid(
            _("The smallest payment here is %(least)s.", least=Money(least, currency)), field="minimum"
        )
    if amount > MOST:
        raise Invalid(_("Choose at most %(most)s.", most=Money(MOST, currency)), field="minimum")
    chosen = {"amount": amount, "changed_at": clock.now()}
    session.execute(
        insert(PayoutMinimum)
        .values(person_id=actor.id, currency=currency, **chosen)
        .on_conflict_do_update(index_elements=["person_id", "currency"], set_=chosen)
    )
    person = session.get_one(Person, actor.id)
    audit.record(
        session, actor, "choose", "payout_minimum", person.public_id, amount=amount, currency=currency
    )


@use_case
def ask_now(session: Session, actor: Actor) -> PayoutRequest:
    """Ask to be in the next batch, whatever one's own minimum. Asking twice is asking once."""
    actor.require(Role.EXPERT)
    session.execute(
        insert(PayoutRequest)
        .values(public_id=new_id(), person_id=actor.id, asked_at=clock.now())
        .on_conflict_do_nothing()
    )
    found = open_request(session, actor.id)
    if found is None:
        raise Refused(_("Your wish was just taken up. Look at the page again."))
    audit.record(session, actor, "ask", "payout_request", found.public_id)
    return found


@use_case
def take_back(session: Session, actor: Actor) -> None:
    """Wait for the pay day after all."""
    actor.require(Role.EXPERT)
    found = open_request(session, actor.id)
    if found is None:
        raise Refused(_("There is nothing to take back. Your wish may have been taken up already."))
    found.withdrawn_at = clock.now()
    audit.record(session, actor, "withdraw", "payout_request", found.public_id)


def open_request(session: Session, person_id: int) -> PayoutRequest | None:
    """The wish of a person (internal id) that no batch has taken up."""
    return session.scalars(
        sa.select(PayoutRequest).where(PayoutRequest.person_id == person_id, _open())
    ).first()


def asking(session: Session) -> set[int]:
    """Who wants to be paid now, by internal id."""
    return set(session.scalars(sa.select(PayoutRequest.person_id).where(_open())))


def how_many_ask(session: Session) -> int:
    """How many experts want to be paid before the next pay day."""
    return session.scalar(sa.select(sa.func.count()).select_from(PayoutRequest).where(_open())) or 0


def minimums(session: Session, currency: str) -> Mapping[int, int]:
    """Minor units by person (internal id) of those who chose; never below the operator's least."""
    least = current().payout_minimum
    rows = session.execute(
        sa.select(PayoutMinimum.person_id, PayoutMinimum.amount).where(PayoutMinimum.currency == currency)
    )
    return {person: max(amount, least) for person, amount in rows}


def minimum_of(session: Session, person_id: int, currency: str) -> int:
    """From how many minor units on the person is paid."""
    chosen = session.scalar(
        sa.select(PayoutMinimum.amount).where(
            PayoutMinimum.person_id == person_id, PayoutMinimum.currency == currency
        )
    )
    return max(chosen or 0, current().payout_minimum)


def take_up(session: Session, batch_id: int) -> None:
    """Those whom the batch pays: what they wished is done."""
    paid = sa.select(PayoutItem.person_id).where(
        PayoutItem.batch_id == batch_id, PayoutItem.state == ItemState.PREPARED
    )
    session.execute(
        sa.update(PayoutRequest).where(PayoutRequest.person_id.in_(paid), _open()).values(batch_id=batch_id)
    )


def give_back(session: Session, items: Sequence[int]) -> None:
    """These items (internal ids) are not paid after all: the wishes of their people are open again, unless
    they made others."""
    newer = sa.orm.aliased(PayoutRequest)
    open_again = sa.exists().where(
        newer.person_id == PayoutRequest.person_id, newer.batch_id.is_(None), newer.withdrawn_at.is_(None)
    )
    session.execute(
        sa.update(PayoutRequest)
        .where(
            PayoutRequest.batch_id == PayoutItem.batch_id,
            PayoutRequest.person_id == PayoutItem.person_id,
            PayoutItem.id == any_of(items),
            ~open_again,
        )
        .values(batch_id=None)
    )


def _open() -> sa.ColumnElement[bool]:
    return sa.and_(PayoutRequest.batch_id.is_(None), PayoutRequest.withdrawn_at.is_(None))
