"""Setting a fee: one person of finance proposes it with a reason, another accepts it.

A fee begins with a day on which nobody has worked and that no reserved week reaches, so what was approved,
worked or reserved keeps the fee that it had.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts.fees import queries
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.fees.schedule import applies
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs import find as find_gig
from marketplace.gigs.members import tell_client
from marketplace.gigs.models import Project
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.text import paragraph

SHORTEST_REASON = 10
MOST = 10_000
# Nobody can say what a fee is in years.
AT_MOST_AHEAD = timedelta(days=400)


@dataclass(frozen=True)
class FeeDraft:
    """`fee_bps` in hundredths of a per cent, None to end the scope's own fee; `client` or `project` (public
    ids) for whom it is, neither for all clients."""

    from_on: date
    fee_bps: int | None
    reason: str
    client: uuid.UUID | None = None
    project: uuid.UUID | None = None


@use_case
def propose_fee(session: Session, actor: Actor, draft: FeeDraft) -> FeeChange:
    """Write down a fee that counts once somebody else has accepted it.

    Raises Invalid for a day, a fee or a reason that cannot be; Refused when the same scope has one that
    waits, or one that begins on the same day.
    """
    actor.require(*FINANCE)
    _lock(session)
    change = FeeChange(
        organization_id=queries.organization(session, draft.client).id if draft.client else None,
        project_id=find_gig.project(session, actor, draft.project).id if draft.project else None,
        from_on=draft.from_on,
        fee_bps=draft.fee_bps,
        reason=paragraph(draft.reason),
        state=OfferState.MADE,
        made_by=actor.id,
        made_at=clock.now(),
    )
    _check(session, change)
    if _same_scope(session, change, FeeChange.state == OfferState.MADE):
        raise Refused(_("A fee for the same clients waits for a second person. Decide about that one first."))
    session.add(change)
    session.flush()
    audit.record(
        session, actor, "fee.proposed", "fee", change.public_id,
        from_on=change.from_on, fee_bps=change.fee_bps,
    )  # fmt: skip
    return change


@use_case
def accept_fee(session: Session, actor: Actor, public_id: uuid.UUID) -> FeeChange:
    """Let it count, as a second person with a fresh second factor. The clients whom it is about are told.

    Raises NotAllowed for one's own; Invalid when its day has come too near meanwhile.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    _lock(session)
    change = queries.change(session, public_id, lock=True)
    if change.made_by == actor.id:
        raise NotAllowed(_("You proposed this fee, so somebody else has to accept it. Ask a colleague."))
    _check(session, change)
    _decide(session, actor, change, OfferState.ACCEPTED)
    _tell(session, change)
    return change


@use_case
def decline_fee(session: Session, actor: Actor, public_id: uuid.UUID) -> FeeChange:
    """Say no to what a colleague proposed, or take back one's own. Nothing changes."""
    actor.require(*FINANCE)
    change = queries.change(session, public_id, lock=True)
    own = change.made_by == actor.id
    _decide(session, actor, change, OfferState.WITHDRAWN if own else OfferState.DECLINED)
    return change


def first_day(session: Session, organization_id: int | None = None, project_id: int | None = None) -> date:
    """The first day from which a fee of this scope can be new."""
    # Where the day begins first.
    today = clock.today("Pacific/Kiritimati")
    return queries.earliest(session, organization_id, project_id, today)


def _lock(session: Session) -> None:
    """Whoever reserves or prices work at this moment is waited for, and waits."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(queries.LOCK)))


def _check(session: Session, change: FeeChange) -> None:
    if change.fee_bps is not None and not 0 <= change.fee_bps <= MOST:
        raise Invalid(_("A fee is between 0 and 100 per cent of the pay."), field="fee")
    if len(change.reason) < SHORTEST_REASON:
        raise Invalid(_("Say why in a sentence, which stays with the fee."), field="reason")
    first = first_day(session, change.organization_id, change.project_id)
    if change.from_on < first:
        raise Invalid(
            _(
                "%(day)s at the earliest: what is worked or reserved already keeps its fee.",
                day=day(first),
            ),
            field="from_on",
        )
    if change.from_on > first + AT_MOST_AHEAD:
        raise Invalid(_("Choose a day within the next year."), field="from_on")
    same_day = (FeeChange.state == OfferState.ACCEPTED, FeeChange.from_on == change.from_on)
    if _same_scope(session, change, *same_day):
        raise Refused(_("A fee for the same clients begins on this day already. Choose another day."))
    if change.fee_bps is None:
        _require_wider(session, change)


def _require_wider(session: Session, change: FeeChange) -> None:
    """Something has to apply instead of what ends, or contracts would fall back on what they began with."""
    if change.organization_id is None and change.project_id is None:
        raise Invalid(_("The fee of all clients cannot end. Give the fee that follows."), field="fee")
    organization_id = _organization(session, change)
    breadth = 0 if change.project_id else 1
    known = queries.accepted(session, organization_id, change.project_id)
    wider = [each for each in known if each.breadth > breadth]
    if applies(wider, change.from_on) is None:
        raise Refused(
            _("No wider fee is in force on that day. Set the fee of all clients first, then end this one.")
        )


def _organization(session: Session, change: FeeChange) -> int | None:
    if change.project_id is None:
        return change.organization_id
    return session.get_one(Project, change.project_id).organization_id


def _same_scope(session: Session, change: FeeChange, *where: sa.ColumnElement[bool]) -> bool:
    query = sa.select(FeeChange.id).where(
        FeeChange.organization_id.is_not_distinct_from(change.organization_id),
        FeeChange.project_id.is_not_distinct_from(change.project_id),
        *where,
    )
    with session.no_autoflush:
        return session.scalars(query.limit(1)).first() is not None


def _decide(session: Session, actor: Actor, change: FeeChange, to: OfferState) -> None:
    move(change, to, OFFER_MOVES)
    change.decided_by, change.decided_at = actor.id, clock.now()
    session.flush()
    audit.record(session, actor, f"fee.{to}", "fee", change.public_id)


def _tell(session: Session, change: FeeChange) -> None:
    """The administrators of each client that has a contract which it is about, or may come to have one."""
    path = f"/projects/{change.project.public_id}/funds" if change.project else "/contracts"

    def say() -> tuple[str, str]:
        if change.fee_bps is None:
            what = _("A fee of your own ends")
        else:
            what = _("Our fee becomes %(fee)s %% of the pay", fee=queries.percent(change.fee_bps))
        return what, _(
            "For work from %(day)s on. Earlier work keeps its fee, and each contract and each open offer "
            "says which applies.",
            day=day(change.from_on),
        )

    for client in queries.clients_of(session, change.organization_id, change.project_id):
        tell_client(session, client, "fee.changed", path, say)
