"""Releasing a batch: what it pays moves from owed to in flight, and the worker begins to send."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms, audit, clock, jobs, ledger
from marketplace.actor import Actor, Role
from marketplace.alarms.stops import Stops
from marketplace.db import use_case
from marketplace.errors import NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.payments import covered, items, payees, words
from marketplace.payments.contents import Contents, contents
from marketplace.payments.frozen import fingerprint
from marketplace.payments.models import PayoutBatch, PayoutItem, item_key
from marketplace.payments.payees import Door, Payee, any_of
from marketplace.payments.runs import confirming, themselves
from marketplace.payments.setup import holding
from marketplace.payments.setup.stops import stop
from marketplace.payments.states import BatchState, Blocker, ItemState, move
from marketplace.payments.tax import books, taxing
from marketplace.payments.tax.states import Why
from marketplace.payments.tax.taxing import Tax

# Drifts that stop sending: entries out of balance, a client's or an expert's account below zero.
GUARDS = ("P1", "P4", "P5")
AT_ONCE = 1_000


@use_case
def release_batch(
    session: Session, actor: Actor, public_id: uuid.UUID, seen: str | None = None
) -> PayoutBatch:
    """Let a prepared batch go: what it pays moves from owed to in flight, and the worker begins to send.

    Above the limit the first of two only confirms it, and it stays prepared. `seen` is the hash of what the
    page showed. Whoever cannot be paid any more, or whose client works on credit and has not paid while the
    money is not there, is let go with the reason. Raises NotFound, NotAllowed, FreshFactorNeeded, or Refused
    when the books drift or something it pays is no longer what was shown.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    covered.take_turns(session)
    batch = items.hold(session, public_id)
    _require_second_person(batch.prepared_by, actor)
    if batch.state is not BatchState.PREPARED:
        raise Refused(_("This batch does not wait to be released any more. Look at it again."))
    confirming.require_seen(session, batch, seen)
    going, left_out = _still_going(session, batch)
    if not going:
        why = "; ".join(sorted({words.blocker(each) for each in _blockers(session, batch)}))
        raise Refused(
            _("Nobody in this batch can be paid now (%(why)s). Cancel it and prepare another.", why=why)
        )
    themselves.require_others(session, actor, batch)
    _require_sound_books(session)
    amount = sum(each.amount for each in going)
    if not confirming.may_go(session, actor, batch, amount, left_out=left_out > 0):
        return batch
    batch.released_by, batch.released_at = actor.id, clock.now()
    move(batch, BatchState.RELEASED)
    _fly(session, actor, batch, going)
    _go(session, going)
    audit.record(session, actor, "release", "payout_batch", batch.public_id, items=len(going), amount=amount)
    jobs.defer(session, "payments.send_batch", lock=f"batch:{batch.public_id}", batch=str(batch.public_id))
    return batch


class _Item(NamedTuple):
    """A prepared item as it was frozen, by internal ids, and then what is looked up for it."""

    id: int
    public_id: uuid.UUID
    person_id: int
    account_id: int | None
    amount: int
    withheld: int
    withheld_why: Why | None
    withheld_of: int | None
    frozen: bytes


class _Going(NamedTuple):
    """An item that goes: by internal id, and the public ids that the books name."""

    id: int
    public_id: uuid.UUID
    person: uuid.UUID
    amount: int
    withheld: int


def _require_second_person(prepared_by: int, actor: Actor) -> None:
    if prepared_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to release it. Ask a colleague."))


def _still_going(session: Session, batch: PayoutBatch) -> tuple[list[_Going], int]:
    """The items whose expert can still be paid; and how many are blocked, whose pay is offered again."""
    held, waiting = holding.holding(session), covered.waiting(session, batch.currency)
    going, blocked = [], defaultdict(list)
    for item, person, account, pays, tax in _prepared(session, batch):
        found = stop(person, account, held=item.account_id in held)
        if found is None and any(each.id in waiting for each in pays.hours):
            found = Blocker.CLIENT_OWES
        if found is None and tax.no_form:
            found = Blocker.TAX_FORM
        if found is not None:
            blocked[found].append(item.id)
        elif not _is_unchanged(item, person, account, pays):
            raise Refused(
                _("What %(name)s is to be paid has changed. Cancel the batch and prepare another.",
                  name=person.full_name)
            )  # fmt: skip
        elif not _is_withheld_still(item, tax):
            blocked[Blocker.TAX_CHANGED].append(item.id)
        else:
            going.append(_Going(item.id, item.public_id, person.public_id, item.amount, item.withheld))
    for blocker, ids in blocked.items():
        items.let_prepared_go(session, ids, ItemState.BLOCKED, blocker)
    return going, sum(map(len, blocked.values()))


def _prepared(
    session: Session, batch: PayoutBatch
) -> Iterator[tuple[_Item, Payee, Door | None, Contents, Tax]]:
    """The batch's prepared items as they stand, with whom and what each pays, and the tax due of it now."""
    rows = session.execute(
        sa.select(
            PayoutItem.id,
            PayoutItem.public_id,
            PayoutItem.person_id,
            PayoutItem.connected_account_id,
            PayoutItem.amount,
            PayoutItem.withheld,
            PayoutItem.withheld_why,
            PayoutItem.withheld_of,
            PayoutItem.frozen_sha256,
        )
        .where(PayoutItem.batch_id == batch.id, PayoutItem.state == ItemState.PREPARED)
        .order_by(PayoutItem.id)
    )
    for some in rows.partitions(AT_ONCE):
        found = list(map(_Item._make, some))
        people = payees.people(session, [each.person_id for each in found])
        accounts = payees.doors(session, [each.account_id for each in found if each.account_id])
        pays = contents(session, [each.id for each in found])
        tax = taxing.of(session, {each.person_id: pays[each.id] for each in found})
        for item in found:
            account = accounts.get(item.account_id or 0)
            yield item, people[item.person_id], account, pays[item.id], tax[item.person_id]


def _is_unchanged(item: _Item, person: Payee, account: Door | None, pays: Contents) -> bool:
    destination = account.stripe_id if account else None
    frozen = fingerprint(
        person.public_id, destination or "", pays.hours, pays.more, pays.again, item.withheld
    )
    return pays.amount == item.amount + item.withheld and frozen == item.frozen


def _is_withheld_still(item: _Item, tax: Tax) -> bool:
    """Is due what was frozen: how much, why, and of how much of the pay?"""
    due = tax.withheld
    return (due.amount, due.why, due.of) == (item.withheld, item.withheld_why, item.withheld_of or 0)


def _blockers(session: Session, batch: PayoutBatch) -> Sequence[Blocker]:
    query = sa.select(PayoutItem.blocker).filter_by(batch_id=batch.id).distinct()
    return [each for each in session.scalars(query) if each is not None]


def _require_sound_books(session: Session) -> None:
    alarms.require_none(session, Stops.SENDING)
    for proof in LEDGER_PROOFS:
        if proof.code in GUARDS and (drift := next(iter(proof.run(session)), None)):
            raise Refused(
                _(
                    "The books do not add up (%(code)s, %(subject)s: %(expected)s expected, "
                    "%(found)s found), so nothing is paid until that is explained.",
                    code=proof.code,
                    subject=drift.subject,
                    expected=drift.expected,
                    found=drift.found,
                )
            )


def _fly(session: Session, actor: Actor, batch: PayoutBatch, going: Sequence[_Going]) -> None:
    """Move what is paid from owed to in flight, and what is withheld to what is owed to the tax office, under
    a lock that no second batch gets past."""
    needs = {chart.expert_payable(each.person): each.amount + each.withheld for each in going}
    ledger.require_covers(session, batch.currency, needs)
    for some in _at_once(going):
        entries = [_entry(batch, each) for each in some]
        kept = [
            books.kept_back(each.public_id, each.person, each.withheld, batch.currency)
            for each in some
            if each.withheld
        ]
        ledger.post_many(session, actor, [*entries, *kept])


def _entry(batch: PayoutBatch, item: _Going) -> NewEntry:
    lines = [
        (chart.expert_payable(item.person), item.amount),
        (chart.expert_in_flight(item.person), -item.amount),
    ]
    return NewEntry(
        item_key(item.public_id), "released", batch.currency, lines, clock.now(), _("Payout released")
    )


def _go(session: Session, going: Sequence[_Going]) -> None:
    for some in _at_once(going):
        session.execute(
            sa.update(PayoutItem)
            .where(PayoutItem.id == any_of([each.id for each in some]))
            .values(state=ItemState.RELEASED, changed_at=clock.now())
            .execution_options(synchronize_session=False)
        )


def _at_once(going: Sequence[_Going]) -> Iterator[Sequence[_Going]]:
    return (going[start : start + AT_ONCE] for start in range(0, len(going), AT_ONCE))
