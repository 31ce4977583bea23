"""Reading a gig's guidelines, which is work like any other and paid as such."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.contracts import find, timer
from marketplace.contracts.models import Contract, GuidelinesReading
from marketplace.contracts.states import ContractState
from marketplace.db import use_case
from marketplace.errors import NotFound, Refused
from marketplace.gigs import guidelines
from marketplace.gigs.guidelines import Part
from marketplace.gigs.members import tell
from marketplace.gigs.models import Gig, Guidelines
from marketplace.gigs.states import TaskKind
from marketplace.i18n import gettext as _


@dataclass(frozen=True)
class Reading:
    """The version in force on a contract, and how far its expert is.

    `since` is the version that they read before, None when there is none; `parts` are what it says, beside
    that version. `begun` says that they are reading it now.
    """

    guidelines: Guidelines
    since: int | None
    parts: list[Part]
    begun: bool
    read_at: datetime | None


def of_contract(session: Session, contract: Contract) -> Reading:
    """The guidelines that a contract is worked by. Raises NotFound when its gig has none."""
    newest = guidelines.newest(session, contract.gig_id)
    if newest is None:
        raise NotFound(_("This gig has no guidelines."))
    mine = _readings(session, contract)
    now = mine.get(newest.version)
    read = [version for version, each in mine.items() if each.read_at and version < newest.version]
    before = mine[max(read)].guidelines if read else None
    return Reading(
        newest,
        before.version if before else None,
        guidelines.compared(before.text if before else newest.text, newest.text),
        begun=now is not None,
        read_at=now.read_at if now else None,
    )


def unread(session: Session, contracts: Iterable[Contract]) -> dict[int, Guidelines]:
    """Of the contracts (internal id) that can be worked on: the version that was not read yet."""
    active = {each.id: each for each in contracts if each.state is ContractState.ACTIVE}
    newest = guidelines.newest_of(session, [each.gig_id for each in active.values()])
    query = sa.select(GuidelinesReading.contract_id, GuidelinesReading.guidelines_id).where(
        GuidelinesReading.contract_id.in_(active), GuidelinesReading.read_at.is_not(None)
    )
    read = set(session.execute(query).all())
    return {
        id_: found
        for id_, contract in active.items()
        if (found := newest.get(contract.gig_id)) and found.text and (id_, found.id) not in read
    }


@use_case
def begin_reading(session: Session, actor: Actor, contract_public_id: uuid.UUID) -> GuidelinesReading:
    """Start to read the version in force, on the timer that runs for this contract, or on a new one.

    Raises Refused when a timer runs for another contract, or none can be started.
    """
    contract = find.own_contract(session, actor, contract_public_id)
    newest = of_contract(session, contract).guidelines
    running = timer.running(session, actor.id)
    if running is not None and running.contract_id != contract.id:
        raise Refused(
            _(
                "A timer is running for %(gig)s. Stop it first, so that reading is paid by whom it is for.",
                gig=running.contract.gig.title,
            )
        )
    reading = session.get(GuidelinesReading, (contract.id, newest.id)) or GuidelinesReading(
        contract_id=contract.id, guidelines_id=newest.id, begun_at=clock.now()
    )
    if running is None:
        note = _("Reading the guidelines, version %(version)s", version=newest.version)
        kind = contract.gig.task_kind or TaskKind.REVIEW
        reading.time_entry_id = timer.start_timer(session, actor, contract.public_id, kind.value, note).id
    session.add(reading)
    session.flush()
    return reading


@use_case
def finish_reading(
    session: Session, actor: Actor, contract_public_id: uuid.UUID, version: int
) -> GuidelinesReading:
    """Say that this version is read. A timer that was started for it stops.

    Raises Refused when there is a newer version, or it was never begun.
    """
    contract = find.own_contract(session, actor, contract_public_id)
    newest = of_contract(session, contract).guidelines
    if version != newest.version:
        raise Refused(_("The guidelines have changed meanwhile. Look at what is new."))
    reading = session.get(GuidelinesReading, (contract.id, newest.id))
    if reading is None:
        raise Refused(_("Start reading first, so that the time is paid."))
    if reading.read_at is None:
        reading.read_at = clock.now()
        audit.record(session, actor, "guidelines.read", "contract", contract.public_id, version=version)
    running = timer.running(session, actor.id)
    if running is not None and running.id == reading.time_entry_id:
        timer.stop_timer(session, actor)
    return reading


def tell_working(session: Session, gig: Gig, new: Guidelines) -> None:
    """Tell everybody who works on the gig."""
    for contract in session.scalars(
        sa.select(Contract).filter_by(gig_id=gig.id, state=ContractState.ACTIVE).order_by(Contract.id)
    ):
        tell(
            session,
            contract.person_id,
            "guidelines.changed",
            f"/contracts/{contract.public_id}/guidelines",
            lambda: (
                _("New guidelines, version %(version)s", version=new.version),
                _("%(gig)s. Reading what is new is paid like any other work.", gig=gig.title),
            ),
        )


def _readings(session: Session, contract: Contract) -> dict[int, GuidelinesReading]:
    query = sa.select(GuidelinesReading).filter_by(contract_id=contract.id)
    return {each.guidelines.version: each for each in session.scalars(query)}


guidelines.on_new.append(tell_working)
