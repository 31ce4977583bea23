"""Above the operator's limit a batch is released by two people, neither of whom prepared it.

The first confirms what the page showed, kept as a hash. The second releases it if that is still what the
batch holds. Whatever changed meanwhile voids the first confirmation, and both look again.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock
from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import SITE, Actor, Role
from marketplace.errors import NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.money import Money, exponent
from marketplace.payments.models import PayoutBatch
from marketplace.payments.runs.models import ReleaseConfirmation
from marketplace.payments.states import BatchState
from marketplace.settings import current

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


def limit(currency: str) -> Money:
    """Up to here one person releases a batch. The setting counts in the currency of the books."""
    kept, books = current().payout_limit, current().books_currency
    return Money(kept * 10 ** exponent(currency) // 10 ** exponent(books), currency)


def needs_two(amount: Money) -> bool:
    """Must a second person release so much too?"""
    return amount.amount > limit(amount.currency).amount


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


def still_counts(session: Session, first: ReleaseConfirmation) -> bool:
    """Does the batch still hold what was confirmed?"""
    return first.seen_sha256 == digest(session, first.batch)


def require_seen(session: Session, batch: PayoutBatch, seen: str | None) -> None:
    """What the person had before their eyes, as the page's hash, is what the batch holds. Raises Refused."""
    if seen is not None and seen != digest(session, batch).hex():
        raise Refused(_("The batch has changed since you opened this page. Look at it again."))


def may_go(session: Session, actor: Actor, batch: PayoutBatch, amount: int, *, left_out: bool) -> bool:
    """May the batch go now? If it needs two, the first is written down, and it waits for the second.

    `left_out`: some were let go just now, so what the person saw is not what would go. Needs the batch's
    lock. Raises NotAllowed to the same person twice.
    """
    if not needs_two(Money(amount, batch.currency)):
        return True
    first = first_of(session, batch)
    if first is not None and (left_out or not still_counts(session, first)):
        _void(session, first)
        first = None
    if left_out:
        return False
    if first is None:
        _confirm(session, actor, batch, amount)
        return False
    if first.person_id == actor.id:
        raise NotAllowed(_("You confirmed this batch, so somebody else has to release it. Ask a colleague."))
    return True


def who_may(session: Session, batch: PayoutBatch) -> Sequence[str]:
    """The names of those who could release it next: releasers who neither prepared nor confirmed it."""
    first = first_of(session, batch)
    done = [batch.prepared_by, *([first.person_id] if first else [])]
    return session.scalars(
        sa.select(Person.full_name)
        .distinct()
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(
            RoleGrant.role == Role.FINANCE_RELEASER,
            RoleGrant.ended_at.is_(None),
            Person.closed_at.is_(None),
            Person.id.not_in(done),
        )
        .order_by(Person.full_name)
    ).all()


def waiting_for(actor: Actor) -> sa.Select[PayoutBatch]:
    """Prepared batches that this person could confirm or release: for the desk of finance."""
    confirmed = sa.exists().where(
        ReleaseConfirmation.batch_id == PayoutBatch.id,
        ReleaseConfirmation.voided_at.is_(None),
        ReleaseConfirmation.person_id == actor.id,
    )
    may = actor.has(Role.FINANCE_RELEASER)
    return sa.select(PayoutBatch).where(
        PayoutBatch.state == BatchState.PREPARED,
        PayoutBatch.prepared_by != actor.id,
        sa.true() if may else sa.false(),
        ~confirmed,
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
