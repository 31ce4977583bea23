"""Above the operator's limit a batch is released by two people, neither of whom prepared it.

The first confirms what the page showed, kept as a hash. The second releases it if that is still what the
batch holds, and the first may still release. Whatever changed meanwhile voids the first confirmation, and
both look again. The limit is of what one person lets go alone within a day, so that splitting avoids nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock
from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import SITE, Actor, Role
from marketplace.errors import NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.money import Money, exponent
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.runs import themselves
from marketplace.payments.runs.models import ReleaseConfirmation
from marketplace.payments.states import BatchState, ItemState
from marketplace.settings import current

# For so long the word of the first of two counts.
KEPT_FOR = timedelta(days=3)
# What one person let go alone in this time counts towards the limit.
ALONE_IN = timedelta(hours=24)
NOT_PAID = (ItemState.BLOCKED, ItemState.CANCELLED)

# What is shown of a batch, in one text: which payments, how much each, and what each was frozen as.
SEEN = sa.text("""
    SELECT sha256(convert_to(
        b.public_id || E'\\n' || b.currency || E'\\n' || coalesce(string_agg(
            i.public_id || ' ' || i.state || ' ' || i.amount || ' ' || encode(i.frozen_sha256, 'hex'),
            E'\\n' ORDER BY i.id
        ), ''), 'UTF8'
    ))
    FROM payout_batches b LEFT JOIN payout_items i ON i.batch_id = b.id
    WHERE b.id = :batch GROUP BY b.id
""")


class Lapsed(StrEnum):
    """Why the word of the first of two does not count any more."""

    CHANGED = "changed"
    NO_RELEASER = "no_releaser"
    TOO_OLD = "too_old"


def limit(currency: str) -> Money:
    """Up to here one person releases alone within a day. The setting counts in the currency of the books."""
    kept, books = current().payout_limit, current().books_currency
    return Money(kept * 10 ** exponent(currency) // 10 ** exponent(books), currency)


def needs_two(session: Session, actor: Actor, amount: Money) -> bool:
    """Must a second person release so much too, with what this one released alone in the last 24 hours?"""
    alone = released_alone(session, actor, amount.currency)
    return (amount + alone).amount > limit(amount.currency).amount


def released_alone(session: Session, actor: Actor, currency: str) -> Money:
    """What this person let go in the last 24 hours without a second. Exact under the lock that releases take
    turns with."""
    amount = session.scalar(
        sa.select(sa.func.sum(PayoutItem.amount))
        .join(PayoutItem.batch)
        .where(
            PayoutBatch.released_by == actor.person_id,
            PayoutBatch.currency == currency,
            PayoutBatch.released_at > clock.now() - ALONE_IN,
            PayoutItem.state.not_in(NOT_PAID),
            ~_confirmed(ReleaseConfirmation.person_id != actor.person_id),
        )
    )
    return Money(int(amount or 0), currency)


def digest(session: Session, batch: PayoutBatch) -> bytes:
    """The hash of what the batch holds now; what is not flushed yet counts."""
    session.flush()
    return bytes(session.execute(SEEN, {"batch": batch.id}).scalar_one())


def first_of(session: Session, batch: PayoutBatch) -> ReleaseConfirmation | None:
    """The confirmation that was not voided, if there is one."""
    return session.scalars(
        sa.select(ReleaseConfirmation)
        .where(ReleaseConfirmation.batch_id == batch.id, ReleaseConfirmation.voided_at.is_(None))
        .options(joinedload(ReleaseConfirmation.person), joinedload(ReleaseConfirmation.batch))
    ).one_or_none()


def counting(session: Session, batch: PayoutBatch) -> ReleaseConfirmation | None:
    """The same, if it still counts."""
    first = first_of(session, batch)
    return first if first is not None and lapsed(session, first) is None else None


def lapsed(session: Session, first: ReleaseConfirmation) -> Lapsed | None:
    """Why it does not count any more; None while it does. Whoever confirmed must still be here and one who
    may release, and the batch must hold what was confirmed, not too long ago."""
    if first.seen_sha256 != digest(session, first.batch):
        return Lapsed.CHANGED
    if session.scalar(_releasers().where(Person.id == first.person_id)) is None:
        return Lapsed.NO_RELEASER
    return Lapsed.TOO_OLD if first.at <= clock.now() - KEPT_FOR else None


def require_seen(session: Session, batch: PayoutBatch, seen: str | None) -> None:
    """What the person had before their eyes, as the page's hash, is what the batch holds. Raises Refused."""
    if seen is not None and seen != digest(session, batch).hex():
        raise Refused(_("The batch has changed since you opened this page. Look at it again."))


def may_go(session: Session, actor: Actor, batch: PayoutBatch, amount: int, *, left_out: bool) -> bool:
    """May the batch go now? If it needs two, the first is written down, and it waits for the second.

    `left_out`: some were let go just now, so what the person saw is not what would go. Needs the batch's
    lock, and that of all releases. Raises NotAllowed to the same person twice.
    """
    first = first_of(session, batch)
    if first is not None and (left_out or lapsed(session, first) is not None):
        _void(session, first)
        first = None
    if first is not None and first.person_id != actor.id:
        return True
    if not needs_two(session, actor, Money(amount, batch.currency)):
        if first is not None:
            _void(session, first)
        return True
    if left_out:
        return False
    if first is not None:
        raise NotAllowed(_("You confirmed this batch, so somebody else has to release it. Ask a colleague."))
    _confirm(session, actor, batch, amount)
    return False


def who_may(session: Session, batch: PayoutBatch) -> Sequence[str]:
    """The names of those who could release it next: releasers who neither prepared nor confirmed it, and whom
    it does not pay."""
    first = counting(session, batch)
    done = [batch.prepared_by, *([first.person_id] if first else [])]
    others = _releasers().where(Person.id.not_in(done), Person.id.not_in(themselves.paid_by(batch.id)))
    return session.scalars(others.with_only_columns(Person.full_name).order_by(Person.full_name)).all()


def waiting_for(actor: Actor) -> sa.Select[PayoutBatch]:
    """Prepared batches that this person could confirm or release: for the desk of finance."""
    mine = ReleaseConfirmation.person_id == actor.id
    may = actor.has(Role.FINANCE_RELEASER)
    return sa.select(PayoutBatch).where(
        PayoutBatch.state == BatchState.PREPARED,
        PayoutBatch.prepared_by != actor.id,
        sa.true() if may else sa.false(),
        ~_confirmed(mine, ReleaseConfirmation.at > clock.now() - KEPT_FOR),
        sa.literal(actor.id).not_in(themselves.paid_by(PayoutBatch.id)),
    )


def _confirmed(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        ReleaseConfirmation.batch_id == PayoutBatch.id, ReleaseConfirmation.voided_at.is_(None), *conditions
    )


def _releasers() -> sa.Select[int]:
    """The internal ids of those who may release now."""
    return (
        sa.select(Person.id)
        .distinct()
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(
            RoleGrant.role == Role.FINANCE_RELEASER,
            RoleGrant.ended_at.is_(None),
            Person.closed_at.is_(None),
        )
    )


def _confirm(session: Session, actor: Actor, batch: PayoutBatch, amount: int) -> None:
    assert actor.person_id is not None
    session.add(
        ReleaseConfirmation(
            batch_id=batch.id,
            person_id=actor.person_id,
            at=clock.now(),
            amount=amount,
            seen_sha256=digest(session, batch),
        )
    )
    audit.record(session, actor, "confirm", "payout_batch", batch.public_id, amount=amount)


def _void(session: Session, first: ReleaseConfirmation) -> None:
    first.voided_at = clock.now()
    session.flush()
    audit.record(session, SITE, "void", "payout_batch", first.batch.public_id, confirmed_by=first.person_id)
