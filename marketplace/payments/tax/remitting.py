"""Withheld tax is paid to the tax office from our own bank account: one writes down which, and pays it; once
the bank's line is there, two people say that it is this payment, and so it is booked
(`reconciliation.tax_office`).

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
from marketplace.ledger.chart import Account
from marketplace.money import Money
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
from marketplace.payments.states import TransferState
from marketplace.payments.tax.models import Remittance, RemittanceItem
from marketplace.payments.tax.states import RemittanceState, Why, move_remittance
from marketplace.settings import current
from marketplace.text import line

LOCK = 0x7461787061
PREFIX = "tax_remittance:"
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
    session: Session, actor: Actor, why: Why, currency: str, until_on: date, reference: str
) -> Remittance:
    """Write down what of one kind is paid under the tax office's `reference`: all that waits of payments sent
    up to the end of a day of the books.

    Raises NotAllowed, Invalid, or Refused when nothing waits.
    """
    actor.require(Role.FINANCE_PREPARER)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    if until_on > clock.today(str(current().books_zone)):
        raise Invalid(_("Choose a day that has passed, or today."), field="until_on")
    kept = line(reference)
    if not kept or len(kept) > MOST:
        raise Invalid(_("Give the reference of the payment, in at most 140 characters."), field="reference")
    items = session.scalars(_unpaid(why, currency, until_on).order_by(PayoutItem.id)).all()
    if not items:
        raise Refused(_("Nothing that was withheld up to that day waits to be paid."))
    made = Remittance(
        why=why, currency=currency, amount=sum(item.withheld for item in items), until_on=until_on,
        reference=kept, state=RemittanceState.PREPARED, prepared_by=actor.id, prepared_at=clock.now(),
    )  # fmt: skip
    made.items = [RemittanceItem(item=item, amount=item.withheld) for item in items]
    session.add(made)
    session.flush()
    audit.record(
        session, actor, "prepare", "tax_remittance", made.public_id, amount=made.amount, payments=len(items)
    )
    return made


def to_book(session: Session, public_id: uuid.UUID, paid: Money, paid_on: date) -> Remittance:
    """One, locked, that a payment from our bank on a day was. Raises NotFound; Refused when it does not wait,
    is of another amount, or takes tax of payments that were sent later."""
    made = _locked(session, public_id)
    if made.state is not RemittanceState.PREPARED:
        raise Refused(_("This payment to the tax office does not wait any more. Look at it again."))
    if made.money != paid:
        raise Refused(
            _("%(asked)s was written down, and %(paid)s was paid. Cancel it, and write down what was paid.",
              asked=made.money, paid=paid)
        )  # fmt: skip
    if paid_on < _last_sent_on(session, made):
        raise Refused(_("It takes tax of payments that were sent after this day, so it was paid later."))
    return made


def booked(session: Session, actor: Actor, made: Remittance) -> list[tuple[Account, int]]:
    """It was paid, says somebody other than whoever prepared it: what its entry takes from 2310, in minor
    units. Raises NotAllowed, or NotCovered when less is kept."""
    if made.prepared_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to book it. Ask a colleague."))
    move_remittance(made, RemittanceState.BOOKED)
    made.booked_by, made.booked_at = actor.id, clock.now()
    owed = [(chart.withheld(person.public_id), amount) for person, amount in of_each(made)]
    ledger.require_covers(session, made.currency, dict(owed))
    audit.record(session, actor, "book", "tax_remittance", made.public_id, amount=made.amount)
    return owed


def take_back(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """What was booked was another payment: its tax waits again. Whoever calls took back the entry, and let
    two people decide so."""
    made = _locked(session, public_id)
    if made.state is RemittanceState.BOOKED:
        _let_go(made)
        audit.record(session, actor, "take_back", "tax_remittance", public_id, amount=made.amount)


def source(public_id: uuid.UUID) -> str:
    """What the ledger and decisions call one of them."""
    return f"{PREFIX}{public_id}"


def prepared(session: Session) -> Sequence[Remittance]:
    """Those that wait for the bank's line, the oldest first."""
    query = sa.select(Remittance).filter_by(state=RemittanceState.PREPARED).order_by(Remittance.id)
    return session.scalars(query).all()


@use_case
def cancel(session: Session, actor: Actor, public_id: uuid.UUID) -> Remittance:
    """Drop what was prepared and not booked; its payments wait again."""
    actor.require(*FINANCE)
    made = _locked(session, public_id)
    if made.state is RemittanceState.BOOKED:
        raise Refused(_("This is booked. Undo the match of its bank line, which takes two people."))
    _let_go(made)
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


def _let_go(made: Remittance) -> None:
    move_remittance(made, RemittanceState.CANCELLED)
    for each in made.items:
        each.ended_at = clock.now()


def _last_sent_on(session: Session, made: Remittance) -> date:
    last = session.scalar(
        sa.select(sa.func.max(Transfer.sent_at)).where(
            Transfer.payout_item_id.in_([each.payout_item_id for each in made.items]),
            Transfer.state == TransferState.SENT,
        )
    )
    assert last is not None
    return last.astimezone(current().books_zone).date()


def _with_items() -> sa.orm.interfaces.ORMOption:
    return selectinload(Remittance.items).joinedload(RemittanceItem.item).joinedload(PayoutItem.person)


def _unpaid(
    why: Why | None = None, currency: str | None = None, until_on: date | None = None
) -> sa.Select[PayoutItem]:
    sent = [Transfer.payout_item_id == PayoutItem.id, Transfer.state == TransferState.SENT]
    if until_on is not None:
        end = clock.midnight(until_on + timedelta(days=1), str(current().books_zone))
        sent.append(Transfer.sent_at < end)
    query = (
        sa.select(PayoutItem)
        .join(PayoutItem.batch)
        .where(
            PayoutItem.withheld > 0,
            sa.exists().where(*sent),
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
