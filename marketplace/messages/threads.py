"""Finding a thread, for those who take part in it and nobody else."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import CLIENT, Actor, Role
from marketplace.errors import NotAllowed, NotFound
from marketplace.i18n import gettext as _
from marketplace.messages.kinds import Kind, Parties, Side, kinds
from marketplace.messages.models import Addressee, Message, Thread


@dataclass(frozen=True)
class Standing:
    """From where a person looks at the thread of a subject. `thread_id` is None until somebody has written.

    Who is only `addressed` sees the announcements that went to them, and answers none.
    """

    kind: str
    subject_id: uuid.UUID
    person_id: int
    side: Side
    parties: Parties
    thread_id: int | None
    may_write: bool
    addressed: bool = False

    @property
    def path(self) -> str:
        """The page of the thread, at its newest message."""
        return path_of(self.kind, self.subject_id)

    @property
    def takes_part(self) -> bool:
        """Is it written for this person too? An operator may only look."""
        return self.may_write or self.side is not Side.OPERATOR

    @property
    def with_operators(self) -> bool:
        """Do operators write here too?"""
        return kinds[self.kind].operators_write

    @property
    def announces(self) -> bool:
        """Is it a thread of announcements?"""
        return kinds[self.kind].audience is not None

    @property
    def seen(self) -> sa.ColumnElement[bool]:
        """The messages of this thread that the person may read."""
        here = Message.thread_id == self.thread_id
        if not self.addressed:
            return here
        return here & Message.id.in_(
            sa.select(Addressee.message_id).where(Addressee.person_id == self.person_id)
        )


def path_of(kind: str, subject_id: uuid.UUID) -> str:
    """The page of a subject's thread, at its newest message."""
    return f"/messages/{kind}/{subject_id}#newest"


def stand(session: Session, actor: Actor, kind: str, subject_id: uuid.UUID) -> Standing:
    """Where the actor stands with the thread of a subject, begun or not. Raises NotFound for strangers."""
    known = kinds.get(kind)
    if known is None:
        raise _nothing_here()
    parties = known.parties(session, actor, [subject_id]).get(subject_id)
    side = side_of(parties, actor) if parties else None
    thread = session.scalars(sa.select(Thread).filter_by(subject_kind=kind, subject_id=subject_id)).first()
    thread_id = thread.id if thread else None
    if parties and side:
        may = _may_write(known, side, parties, actor)
        return Standing(kind, subject_id, actor.id, side, parties, thread_id, may)
    if thread and _is_addressed(session, thread, actor):
        sides = Parties(thread.person_id, thread.organization_id)
        return Standing(kind, subject_id, actor.id, Side.EXPERT, sides, thread_id, False, addressed=True)
    raise _nothing_here()


def writing(session: Session, actor: Actor, kind: str, subject_id: uuid.UUID) -> Standing:
    """As `stand`, for somebody who writes there. Raises NotFound, and NotAllowed for who only reads."""
    standing = stand(session, actor, kind, subject_id)
    if not standing.may_write:
        raise NotAllowed(_("You can read these messages, but not write here."))
    return standing


def side_of(parties: Parties, actor: Actor) -> Side | None:
    """The actor's side; None for somebody who is on none."""
    if parties.person_id is not None and parties.person_id == actor.person_id:
        return Side.EXPERT
    if parties.organization_id in actor.organizations(*CLIENT):
        return Side.CLIENT
    return Side.OPERATOR if actor.has(Role.OPERATOR) else None


def hold(session: Session, standing: Standing) -> Thread:
    """Lock the thread until the transaction ends, and read it anew; there is one afterwards."""
    query = sa.select(Thread).filter_by(subject_kind=standing.kind, subject_id=standing.subject_id)
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    found = session.scalars(query).first()
    if found is None:
        # Of two who write first at the same moment the second waits here, and finds it below.
        session.execute(insert(Thread).values(_first(standing)).on_conflict_do_nothing())
        found = session.scalars(query).one()
    return found


def _first(standing: Standing) -> dict[str, object]:
    return {
        "subject_kind": standing.kind,
        "subject_id": standing.subject_id,
        "person_id": standing.parties.person_id,
        "organization_id": standing.parties.organization_id,
        "last_at": clock.now(),
    }


def _may_write(known: Kind, side: Side, parties: Parties, actor: Actor) -> bool:
    if side is Side.CLIENT:
        return actor.has(*known.writers, organization_id=parties.organization_id)
    return side is Side.EXPERT or known.operators_write


def _is_addressed(session: Session, thread: Thread, actor: Actor) -> bool:
    query = sa.exists().where(
        Addressee.person_id == actor.id,
        Addressee.message_id == Message.id,
        Message.thread_id == thread.id,
    )
    return bool(session.scalar(sa.select(query)))


def _nothing_here() -> NotFound:
    return NotFound(_("There is no such page, or it is not yours to see."))
