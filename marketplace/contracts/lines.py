"""The lines of a week: entries priced, and written down as they are approved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace import clock, money
from marketplace.actor import Actor
from marketplace.contracts import limits
from marketplace.contracts.fees.schedule import split
from marketplace.contracts.models import Approval, ApprovedLine, Contract, TimeEntry, Timesheet
from marketplace.contracts.states import TimeKind
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.credentials.gate import Checked, checks_of, judge
from marketplace.db import new_id


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
    return [
        _line(sheet.contract, entry)
        for entry in sheet.entries
        if entry.kind is TimeKind.PAID and entry.minutes
    ]


def freeze(
    session: Session,
    actor: Actor,
    sheet: Timesheet,
    lines: Sequence[Line],
    *,
    dispute_id: int | None = None,
    part: int = 0,
) -> Approval:
    """Write down what is approved of a week; with a dispute (internal id), what is awarded of its line."""
    checks = checks_of(session, [sheet.contract.person_id]).get(sheet.contract.person_id, [])
    approved = [
        ApprovedLine(
            time_entry_id=line.entry.id,
            part=part,
            minutes=line.minutes,
            rate=line.rate,
            expert_amount=line.pay,
            fee_amount=line.fee,
            fee_bps=line.fee_bps,
            tax_amount=line.tax,
            tax_decision_id=line.tax_decision.id if line.tax_decision else None,
            credential_attestation_ids=_attested(sheet.contract, line.entry, checks),
        )
        for line in lines
    ]
    approval = Approval(
        public_id=new_id(),
        timesheet=sheet,
        dispute_id=dispute_id,
        person_id=actor.person_id,
        at=clock.now(),
        lines_sha256=fingerprint(approved, {entry.id: entry for entry in sheet.entries}),
        expert_amount=sum(line.expert_amount for line in approved),
        fee_amount=sum(line.fee_amount for line in approved),
        tax_amount=sum(line.tax_amount for line in approved),
        lines=approved,
    )
    session.add(approval)
    return approval


def fingerprint(lines: list[ApprovedLine], entries: dict[int, TimeEntry]) -> bytes:
    """SHA-256 over the lines as they were approved: what, when, how long, at what rate, for how much; with
    the tax where there was one."""
    rows = [
        [
            str(entries[line.time_entry_id].public_id),
            entries[line.time_entry_id].started_at.isoformat(),
            line.minutes,
            line.rate,
            line.expert_amount,
            line.fee_amount,
            line.credential_attestation_ids,
            *([line.tax_amount] if line.tax_amount else []),
        ]
        for line in lines
    ]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).digest()


def _line(contract: Contract, entry: TimeEntry) -> Line:
    rate = contract.rate_at(entry.started_at)
    pay = money.for_minutes(rate, entry.minutes)
    fee_bps, tax = contract.fee_at(entry.started_at), contract.tax_at(entry.started_at)
    parts = split(pay, fee_bps, tax.rate_bps if tax else 0)
    return Line(entry, entry.minutes, rate, pay, parts.fee, fee_bps, parts.tax, tax)


def _attested(contract: Contract, entry: TimeEntry, checks: list[Checked]) -> list[int]:
    """The checks on which this hour rests: for each requirement the one that counted when it began."""
    held = [
        judge(checks, (), each, entry.started_at).attestation for each in limits.requirements(contract.gig)
    ]
    return [attestation.id for attestation in held if attestation is not None]
