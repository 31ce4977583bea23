"""Withheld tax is paid to the tax office from our own bank account: one prepares, another books it.

The money itself lies at Stripe, where pay goes out from. What was paid from our bank is ours there, so the
next sweep takes it along with our fees.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import audit, clock, ledger
from marketplace.accounts.models import Person
from marketplace.actor import FINANCE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
from marketplace.payments.states import TransferState
from marketplace.payments.tax.models import Remittance, RemittanceItem
from marketplace.payments.tax.states import RemittanceState, Why, move_remittance
from marketplace.settings import current
from marketplace.text import line

LOCK = 0x7461787061
MOST = 140


@dataclass(frozen=True)
class Waiting:
    """What was withheld and is not paid to the tax office, of one kind in one currency."""

    why: Why
    money: Money
    payments: int
    people: int


@use_case
def prepare(
    session: Session, actor: Actor, why: Why, currency: str, paid_on: date, reference: str
) -> Remittance:
    """Write down that all that waits of one kind was paid on a day, under the tax office's `reference`.

    Raises NotAllowed, Invalid, or Refused when nothing waits.
    """
    actor.require(Role.FINANCE_PREPARER)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    if paid_on > clock.today(str(current().books_zone)):
        raise Invalid(_("Choose a day that has passed, or today."), field="paid_on")
    kept = line(reference)
    if not kept or len(kept) > MOST:
        raise Invalid(_("Give the reference of the payment, in at most 140 characters."), field="reference")
    items = session.scalars(_unpaid(why, currency).order_by(PayoutItem.id)).all()
    if not items:
        raise Refused(_("Nothing that was withheld waits to be paid."))
    made = Remittance(
        why=why, currency=currency, amount=sum(item.withheld for item in items), paid_on=paid_on,
        reference=kept, state=RemittanceState.PREPARED, prepared_by=actor.id, prepared_at=clock.now(),
    )  # fmt: skip
    made.items = [RemittanceItem(item=item, amount=item.withheld) for item in items]
    session.add(made)
    session.flush()
    audit.record(
        session, actor, "prepare", "tax_remittance", made.public_id, amount=made.amount, payments=len(items)
    )
    return made


@use_case
def book(session: Session, actor: Actor, public_id: uuid.UUID) -> Remittance:
    """Book a payment that a colleague prepared. Raises NotFound, NotAllowed, FreshFactorNeeded or Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    made = _locked(session, public_id)
    if made.prepared_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to book it. Ask a colleague."))
    move_remittance(made, RemittanceState.BOOKED)
    made.booked_by, made.booked_at = actor.id, clock.now()
    owed = of_each(made)
    ledger.require_covers(
        session, made.currency, {chart.withheld(person.public_id): amount for person, amount in owed}
    )
    # A day of the books is booked at its noon, which is on the same day everywhere that matters.
    noon = clock.midnight(made.paid_on, str(current().books_zone)) + timedelta(hours=12)
    ledger.post(
        session,
        actor,
        source=f"tax_remittance:{public_id}",
        event="remitted",
        currency=made.currency,
        lines=[
            *((chart.withheld(person.public_id), amount) for person, amount in owed),
            (chart.bank_operating(), -made.amount),
        ],
        occurred_at=min(noon, clock.now()),
        memo=_("Withheld tax paid to the tax office"),
    )
    audit.record(session, actor, "book", "tax_remittance", public_id, amount=made.amount)
    return made


@use_case
def cancel(session: Session, actor: Actor, public_id: uuid.UUID) -> Remittance:
    """Drop what was prepared and not booked; its payments wait again."""
    actor.require(*FINANCE)
    made = _locked(session, public_id)
    move_remittance(made, RemittanceState.CANCELLED)
    for each in made.items:
        each.ended_at = clock.now()
    audit.record(session, actor, "cancel", "tax_remittance", public_id)
    return made


def waiting(session: Session) -> list[Waiting]:
    """What was withheld of payments that were sent, and is not paid to the tax office."""
    unpaid = _unpaid().subquery()
    rows = session.execute(
        sa.select(
            unpaid.c.withheld_why,
            PayoutBatch.currency,
            sa.func.sum(unpaid.c.withheld),
            sa.func.count(),
            sa.func.count(unpaid.c.person_id.distinct()),
        )
        .join(PayoutBatch, PayoutBatch.id == unpaid.c.batch_id)
        .group_by(unpaid.c.withheld_why, PayoutBatch.currency)
        .order_by(unpaid.c.withheld_why, PayoutBatch.currency)
    )
    return [
        Waiting(Why(why), Money(int(amount), currency), payments, people)
        for why, currency, amount, payments, people in rows
    ]


def every(actor: Actor) -> sa.Select[Remittance]:
    """All payments to the tax office, for finance."""
    actor.require(*FINANCE)
    return sa.select(Remittance).options(joinedload(Remittance.preparer), joinedload(Remittance.booker))


def one(session: Session, actor: Actor, public_id: uuid.UUID) -> Remittance:
    """One of them, with what it takes. Raises NotFound."""
    query = every(actor).where(Remittance.public_id == public_id).options(_with_items())
    return there(session.scalars(query).one_or_none())


def of_each(made: Remittance) -> Sequence[tuple[Person, int]]:
    """Whose tax it pays, and minor units of each."""
    sums: dict[Person, int] = defaultdict(int)
    for each in made.items:
        sums[each.item.person] += each.amount
    return sorted(sums.items(), key=lambda pair: pair[0].id)


def _with_items() -> sa.orm.interfaces.ORMOption:
    return selectinload(Remittance.items).joinedload(RemittanceItem.item).joinedload(PayoutItem.person)


def _unpaid(why: Why | None = None, currency: str | None = None) -> sa.Select[PayoutItem]:
    query = (
        sa.select(PayoutItem)
        .join(PayoutItem.batch)
        .where(
            PayoutItem.withheld > 0,
            sa.exists().where(Transfer.payout_item_id == PayoutItem.id, Transfer.state == TransferState.SENT),
            ~sa.exists().where(
                RemittanceItem.payout_item_id == PayoutItem.id, RemittanceItem.ended_at.is_(None)
            ),
        )
    )
    if why is not None:
        query = query.where(PayoutItem.withheld_why == why, PayoutBatch.currency == currency)
    return query


def _locked(session: Session, public_id: uuid.UUID) -> Remittance:
    return there(
        session.scalars(
            sa.select(Remittance)
            .filter_by(public_id=public_id)
            .with_for_update(of=Remittance)
            .options(_with_items())
            .execution_options(populate_existing=True)
        ).one_or_none()
    )
