"""Preparing a batch: who is paid what, and who cannot be paid now. A hundred thousand experts take seconds,
because they are read and written a thousand at a time, as plain rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import array, use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.payments import covered, payees, unpaid
from marketplace.payments.contents import Contents
from marketplace.payments.frozen import fingerprint
from marketplace.payments.models import PayoutBatch
from marketplace.payments.payees import Door, Payee
from marketplace.payments.setup import holding, wishes
from marketplace.payments.setup.stops import stop
from marketplace.payments.states import BatchState, Blocker
from marketplace.payments.tax import taxing
from marketplace.payments.tax.taxing import Tax
from marketplace.payments.tax.withholding import NOTHING, Withheld
from marketplace.settings import current

AT_ONCE = 1_000
# What a blocked item would pay is kept to be looked at, and ended at once: another may pay it.
WRITE = sa.text("""
    WITH item AS (
        INSERT INTO payout_items (public_id, batch_id, person_id, connected_account_id, amount, withheld,
            withheld_why, withheld_of, tax_form_id, state, blocker, frozen_sha256, changed_at)
        SELECT uuidv7(), :batch, person_id, account_id, amount, withheld, why, of, form,
            CASE WHEN blocker IS NULL THEN 'prepared' ELSE 'blocked' END, blocker, decode(frozen, 'hex'), :now
        FROM unnest(
            CAST(:people AS bigint[]), CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]),
            CAST(:withheld AS bigint[]), CAST(:why AS text[]), CAST(:of AS bigint[]),
            CAST(:forms AS bigint[]), CAST(:blockers AS text[]), CAST(:frozen AS text[])
        ) WITH ORDINALITY
            AS t (person_id, account_id, amount, withheld, why, of, form, blocker, frozen, place)
        ORDER BY place
        RETURNING id, person_id, CASE WHEN blocker IS NOT NULL THEN changed_at END AS ended_at
    ), hours AS (
        INSERT INTO payout_item_approvals (payout_item_id, approval_id, amount, ended_at)
        SELECT item.id, approval_id, amount, ended_at
        FROM unnest(
            CAST(:hours_of AS bigint[]), CAST(:approvals AS bigint[]), CAST(:pay AS bigint[])
        ) AS t (person_id, approval_id, amount) JOIN item USING (person_id)
    ), again AS (
        INSERT INTO payout_item_reversals (payout_item_id, reversal_id, amount, ended_at)
        SELECT item.id, reversal_id, amount, ended_at
        FROM unnest(
            CAST(:again_of AS bigint[]), CAST(:reversals AS bigint[]), CAST(:again AS bigint[])
        ) AS t (person_id, reversal_id, amount) JOIN item USING (person_id)
    )
    INSERT INTO payout_item_adjustments (payout_item_id, adjustment_id, amount, ended_at)
    SELECT item.id, adjustment_id, amount, ended_at
    FROM unnest(
        CAST(:more_of AS bigint[]), CAST(:adjustments AS bigint[]), CAST(:more AS bigint[])
    ) AS t (person_id, adjustment_id, amount) JOIN item USING (person_id)
""")


@use_case
def prepare_batch(
    session: Session, actor: Actor, cut_off_at: datetime, currency: str | None = None
) -> PayoutBatch:
    """Gather what was approved up to `cut_off_at` (UTC) and nobody was paid for, one item for each expert.

    Without a `currency` it is that of what waits, where this is one. Experts who cannot be paid now are
    listed with the reason, and stay owed. Raises NotAllowed, Invalid or Refused.
    """
    actor.require(Role.FINANCE_PREPARER)
    now = clock.now()
    if cut_off_at > now:
        raise Invalid(_("Choose a moment that has passed."), field="cut_off")
    covered.take_turns(session)
    currency = currency or _the_one(session)
    batch = PayoutBatch(currency=currency, cut_off_at=cut_off_at, prepared_by=actor.id, prepared_at=now)
    batch.state = BatchState.PREPARED
    session.add(batch)
    session.flush()
    listed, items, amount = 0, 0, 0
    for some in _some_at_once(session, unpaid.going_out(session, currency, cut_off_at), currency):
        _write(session, batch, some)
        going = [each.amount for each in some if each.blocker is None]
        listed, items, amount = listed + len(some), items + len(going), amount + sum(going)
    if not listed:
        raise Refused(_("Nothing that was approved by then is waiting to be paid."))
    wishes.take_up(session, batch.id)
    audit.record(
        session, actor, "prepare", "payout_batch", batch.public_id,
        cut_off_at=cut_off_at, items=items, amount=amount, currency=currency,
    )  # fmt: skip
    return batch


def _the_one(session: Session) -> str:
    waiting = unpaid.currencies(session) or [current().books_currency]
    if len(waiting) > 1:
        raise Invalid(_("Choose one: a batch pays in one currency."), field="currency")
    return waiting[0]


@dataclass(frozen=True, slots=True)
class _Pay:
    """One person, what they are paid for, where, what is withheld of it, and what stands in the way."""

    person: Payee
    contents: Contents
    account: Door | None
    withheld: Withheld
    blocker: Blocker | None
    form: int | None

    @property
    def amount(self) -> int:
        """What is sent."""
        return self.contents.amount - self.withheld.amount


def _some_at_once(
    session: Session, owed: Iterator[tuple[int, Contents]], currency: str
) -> Iterator[list[_Pay]]:
    held, least = holding.holding(session), _least(session, currency)
    while some := dict(islice(owed, AT_ONCE)):
        people, accounts = payees.people(session, list(some)), payees.doors_of(session, list(some))
        tax = taxing.of(session, some)
        yield [
            _pay(people[person], contents, accounts.get(person), held, least, tax[person])
            for person, contents in some.items()
        ]


def _pay(
    person: Payee,
    contents: Contents,
    account: Door | None,
    held: Iterable[int],
    least: Mapping[int, int],
    tax: Tax,
) -> _Pay:
    if person.busy:
        blocker: Blocker | None = Blocker.IN_ANOTHER_BATCH
    else:
        blocker = stop(person, account, held=account is not None and account.id in held)
    if blocker is None and tax.no_form:
        blocker = Blocker.TAX_FORM
    if blocker is None and contents.amount < least.get(person.id, current().payout_minimum):
        blocker = Blocker.BELOW_MINIMUM
    if contents.amount <= tax.withheld.amount:
        # Nothing would be left to send, so all of it waits, and nothing is withheld of it.
        return _Pay(person, contents, account, NOTHING, blocker or Blocker.BELOW_MINIMUM, tax.form)
    return _Pay(person, contents, account, tax.withheld, blocker, tax.form)


def _least(session: Session, currency: str) -> dict[int, int]:
    """From how many minor units on somebody is paid who chose, or who asks to be paid now."""
    asking = dict.fromkeys(wishes.asking(session), current().payout_minimum)
    return {**wishes.minimums(session, currency), **asking}


def _write(session: Session, batch: PayoutBatch, some: Sequence[_Pay]) -> None:
    hours = [each for pay in some for each in pay.contents.hours]
    more = [each for pay in some for each in pay.contents.more]
    again = [each for pay in some for each in pay.contents.again]
    columns: dict[str, Iterable[object]] = {
        "people": (each.person.id for each in some),
        "accounts": (each.account.id if each.account else None for each in some),
        "amounts": (each.amount for each in some),
        "withheld": (each.withheld.amount for each in some),
        "why": (each.withheld.why for each in some),
        "of": (each.withheld.of if each.withheld.why else None for each in some),
        "forms": (each.form for each in some),
        "blockers": (each.blocker for each in some),
        "frozen": map(_frozen, some),
        "hours_of": (each.owner for each in hours),
        "approvals": (each.id for each in hours),
        "pay": (each.expert_amount for each in hours),
        "more_of": (each.owner for each in more),
        "adjustments": (each.id for each in more),
        "more": (each.amount for each in more),
        "again_of": (each.owner for each in again),
        "reversals": (each.id for each in again),
        "again": (each.amount for each in again),
    }
    arrays = {name: array(values) for name, values in columns.items()}
    session.execute(WRITE, {"batch": batch.id, "now": clock.now(), **arrays})


def _frozen(pay: _Pay) -> str:
    destination, pays = (pay.account.stripe_id if pay.account else None) or "", pay.contents
    withheld = pay.withheld.amount
    return fingerprint(pay.person.public_id, destination, pays.hours, pays.more, pays.again, withheld).hex()
