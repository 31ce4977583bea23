"""Bringing a tool's file: looked at first, taken in afterwards, and the same again changes nothing."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts import find, limits
from marketplace.contracts.models import Contract
from marketplace.contracts.usage.models import UsageDay, UsageImport
from marketplace.contracts.usage.reading import RefusedRow, Row, decode, read
from marketplace.db import use_case
from marketplace.errors import Invalid
from marketplace.gigs.find import visible
from marketplace.i18n import gettext as _
from marketplace.text import line

# A file that was looked at and not taken in is forgotten after a day.
KEPT = timedelta(days=1)
Key = tuple[int, date]


@dataclass(frozen=True)
class Brought:
    """A row for a contract that its bringer may bring it for; `before` is what stands there now, if any."""

    row: Row
    contract: Contract
    before: UsageDay | None


@dataclass(frozen=True)
class Sorted:
    """What the rows of a file would do."""

    new: list[Brought]
    changed: list[Brought]
    same: list[Brought]
    refused: list[RefusedRow]


@use_case
def bring_usage(session: Session, actor: Actor, name: str, data: bytes) -> UsageImport:
    """Keep a file to be looked at; nothing counts yet. Raises Invalid when nothing in it can be read."""
    actor.require(*CLIENT, Role.OPERATOR)
    text = decode(data)
    rows, refused = read(text)
    if not rows and not refused:
        raise Invalid(_("There is no row below the header of this file."), field="file")
    made = UsageImport(
        person_id=actor.id,
        name=line(name)[:200],
        sha256=hashlib.sha256(data).digest(),
        text=text,
        at=clock.now(),
    )
    session.add(made)
    session.flush()
    return made


def taken(where: sa.ColumnElement[bool]) -> sa.Select[UsageImport]:
    """Those of these files that were taken in."""
    return sa.select(UsageImport).where(where, UsageImport.taken_at.is_not(None))


def look(session: Session, actor: Actor, found: UsageImport) -> Sorted | None:
    """What taking it in would do now; None when it was taken in."""
    if found.text is None:
        return None
    rows, refused = read(found.text)
    return _sorted(session, actor, rows, refused)


@use_case
def take_usage(session: Session, actor: Actor, import_public_id: uuid.UUID) -> UsageImport:
    """Take a file in. What another file said of a day before is kept as replaced; a second time does nothing.

    Raises NotFound for a file of somebody else.
    """
    found = visible(session, actor, UsageImport, import_public_id, lock=True)
    if found.text is None:
        return found
    rows, refused = read(found.text)
    for contract in sorted(_contracts(session, actor, rows).values(), key=lambda each: each.id):
        find.hold(session, contract.id)
    done = _sorted(session, actor, rows, refused)
    _write(session, found, done)
    found.text, found.taken_at = None, clock.now()
    found.new_rows, found.changed_rows = len(done.new), len(done.changed)
    found.same_rows, found.refused_rows = len(done.same), len(done.refused)
    session.flush()
    audit.record(
        session, actor, "usage.imported", "usage_import", found.public_id,
        new=len(done.new), changed=len(done.changed), refused=len(done.refused),
    )  # fmt: skip
    return found


@use_case
def forget_untaken(session: Session) -> int:
    """Forget the files that were only looked at; how many."""
    old = sa.delete(UsageImport).where(UsageImport.taken_at.is_(None), UsageImport.at <= clock.now() - KEPT)
    return len(session.scalars(old.returning(UsageImport.id)).all())


def _sorted(session: Session, actor: Actor, rows: Sequence[Row], refused: Iterable[RefusedRow]) -> Sorted:
    contracts = _contracts(session, actor, rows)
    before = _standing(session, [each.id for each in contracts.values()], rows)
    done = Sorted([], [], [], list(refused))
    seen: dict[Key, int] = {}
    for row in rows:
        contract = contracts.get(row.contract)
        why = _why_not(contract, row, seen)
        if contract is None or why:
            done.refused.append(RefusedRow(row.line, why or ""))
            continue
        seen[contract.id, row.day] = row.line
        _put(done, Brought(row, contract, before.get((contract.id, row.day))))
    done.refused.sort(key=lambda each: each.line)
    return done


def _put(done: Sorted, brought: Brought) -> None:
    row, before = brought.row, brought.before
    if before is None:
        done.new.append(brought)
    elif (before.minutes, before.items) == (row.minutes, row.items):
        done.same.append(brought)
    else:
        done.changed.append(brought)


def _contracts(session: Session, actor: Actor, rows: Iterable[Row]) -> dict[uuid.UUID, Contract]:
    """Those that the rows name, of the clients for whom one acts; all of them for an operator."""
    ours = Contract.organization_id.in_(actor.organizations(*CLIENT))
    query = sa.select(Contract).where(
        Contract.public_id.in_({row.contract for row in rows}),
        Contract.test_id.is_(None),
        sa.true() if actor.has(Role.OPERATOR) else ours,
    )
    return {each.public_id: each for each in session.scalars(query)}


def _standing(session: Session, contracts: Sequence[int], rows: Sequence[Row]) -> Mapping[Key, UsageDay]:
    days = [row.day for row in rows]
    if not days:
        return {}
    query = sa.select(UsageDay).where(
        UsageDay.contract_id.in_(contracts),
        UsageDay.day.between(min(days), max(days)),
        UsageDay.replaced_at.is_(None),
    )
    return {(each.contract_id, each.day): each for each in session.scalars(query)}


def _why_not(contract: Contract | None, row: Row, seen: Mapping[Key, int]) -> str | None:
    if contract is None:
        return _("There is no contract of yours with this id.")
    if (contract.id, row.day) in seen:
        return _("This day of the contract stands in line %(line)s already.", line=seen[contract.id, row.day])
    if row.day > clock.today(contract.time_zone):
        return _("This day has not begun where the contract is kept.")
    if row.day < limits.begins(contract).astimezone(contract.zone).date():
        return _("The contract had not begun on this day.")
    if contract.ended_at is not None and row.day > contract.ended_at.astimezone(contract.zone).date():
        return _("The contract was over on this day.")
    return None


def _write(session: Session, found: UsageImport, done: Sorted) -> None:
    for each in done.changed:
        assert each.before is not None
        each.before.replaced_at = clock.now()
    # What stood there goes first, or two would stand for one day.
    session.flush()
    session.add_all(
        UsageDay(
            contract_id=each.contract.id,
            import_id=found.id,
            day=each.row.day,
            minutes=each.row.minutes,
            items=each.row.items,
        )
        for each in (*done.new, *done.changed)
    )
    session.flush()
