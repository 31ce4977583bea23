"""The lines of a week: entries priced, and written down as they are approved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, money
from marketplace.actor import Actor
from marketplace.contracts import limits
from marketplace.contracts.fees.schedule import split
from marketplace.contracts.models import Approval, Contract, TimeEntry, Timesheet
from marketplace.contracts.states import TimeKind
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.credentials.gate import checks_of, judge
from marketplace.db import array, new_id

# All lines in one statement of one text: row by row it takes longer to read the statement than to do it.
KEEP = sa.text("""
    INSERT INTO approved_lines (approval_id, part, time_entry_id, minutes, rate, expert_amount, fee_amount,
        fee_bps, tax_amount, tax_decision_id, credential_attestation_ids)
    SELECT :approval, :part, entry, minutes, rate, pay, fee, fee_bps, tax, decision,
        CAST(attested AS bigint[])
    FROM unnest(
        CAST(:entries AS bigint[]), CAST(:minutes AS bigint[]), CAST(:rates AS bigint[]),
        CAST(:pay AS bigint[]), CAST(:fees AS bigint[]), CAST(:fee_bps AS bigint[]),
        CAST(:taxes AS bigint[]), CAST(:decisions AS bigint[]), CAST(:attested AS text[])
    ) WITH ORDINALITY AS t (entry, minutes, rate, pay, fee, fee_bps, tax, decision, attested, place)
    ORDER BY place
""")


@dataclass(frozen=True)
class Line:
    """An entry priced: whole minutes at a rate an hour; pay, fee and its tax each rounded once (minor units).

    `fee_bps` is the fee in force on the day on which it begins, `tax_decision` what is decided about the tax.
    """

    entry: TimeEntry
    minutes: int
    rate: int
    pay: int
    fee: int
    fee_bps: int
    tax: int = 0
    tax_decision: TaxDecision | None = None

    @property
    def total(self) -> int:
        """What the client pays for it."""
        return self.pay + self.fee + self.tax


def lines_of(sheet: Timesheet) -> list[Line]:
    """The paid entries of a week, priced by the contract's rate at their start and its rounding rule."""
    contract = sheet.contract
    return [
        _line(contract, entry, minutes)
        for entry in sheet.entries
        if entry.kind is TimeKind.PAID and (minutes := entry.minutes)
    ]


def freeze(
    session: Session,
    actor: Actor,
    sheet: Timesheet,
    lines: Sequence[Line],
    *,
    dispute_id: int | None = None,
    part: int = 0,
    for_person_id: int | None = None,
    first: tuple[int, int] | None = None,
) -> Approval:
    """Write down what is approved of a week; with a dispute (internal id), what is awarded of its line.
    `for_person_id` was away; `first` is the first of two approvals, and whose it is (internal ids)."""
    attested = _attested(session, sheet.contract, lines)
    first_id, first_person_id = first or (None, None)
    approval = Approval(
        public_id=new_id(),
        timesheet=sheet,
        dispute_id=dispute_id,
        person_id=actor.person_id,
        for_person_id=for_person_id,
        first_id=first_id,
        first_person_id=first_person_id,
        at=clock.now(),
        lines_sha256=fingerprint(lines, attested),
        expert_amount=sum(line.pay for line in lines),
        fee_amount=sum(line.fee for line in lines),
        tax_amount=sum(line.tax for line in lines),
    )
    session.add(approval)
    session.flush()
    if lines:
        session.execute(KEEP, {"approval": approval.id, "part": part, **_columns(lines, attested)})
    return approval


def fingerprint(lines: Sequence[Line], attested: Sequence[list[int]]) -> bytes:
    """SHA-256 over the lines as they are approved: what, when, how long, at what rate, for how much, on which
    checks; with the tax where there is one."""
    rows = [
        [
            str(line.entry.public_id),
            line.entry.started_at.isoformat(),
            line.minutes,
            line.rate,
            line.pay,
            line.fee,
            checks,
            *([line.tax] if line.tax else []),
        ]
        for line, checks in zip(lines, attested, strict=True)
    ]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).digest()


def _columns(lines: Sequence[Line], attested: Sequence[list[int]]) -> dict[str, object]:
    """The lines as KEEP takes them."""
    return {
        "entries": array(line.entry.id for line in lines),
        "minutes": array(line.minutes for line in lines),
        "rates": array(line.rate for line in lines),
        "pay": array(line.pay for line in lines),
        "fees": array(line.fee for line in lines),
        "fee_bps": array(line.fee_bps for line in lines),
        "taxes": array(line.tax for line in lines),
        "decisions": array(line.tax_decision.id if line.tax_decision else None for line in lines),
        "attested": [array(checks) for checks in attested],
    }


def _line(contract: Contract, entry: TimeEntry, minutes: int) -> Line:
    start = entry.started_at
    on, rate = start.astimezone(contract.zone).date(), contract.rate_at(start)
    pay, fee_bps, tax = money.for_minutes(rate, minutes), contract.fee_on(on), contract.tax_on(on)
    parts = split(pay, fee_bps, tax.rate_bps if tax else 0)
    return Line(entry, minutes, rate, pay, parts.fee, fee_bps, parts.tax, tax)


def _attested(session: Session, contract: Contract, lines: Sequence[Line]) -> list[list[int]]:
    """The checks on which each hour rests: for each requirement the one that counted when it began."""
    asked = limits.requirements(contract.gig)
    if not asked:
        return [[] for _line in lines]
    checks = checks_of(session, [contract.person_id]).get(contract.person_id, [])
    held = [[judge(checks, (), each, line.entry.started_at).attestation for each in asked] for line in lines]
    return [[each.id for each in of_line if each is not None] for of_line in held]
