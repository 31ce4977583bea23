"""A week of which lines were questioned, in parts: what is approved, what waits apart, what is not paid."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.settling import part_of
from marketplace.contracts.lines import lines_of
from marketplace.contracts.models import Timesheet
from marketplace.contracts.states import DisputeState
from marketplace.i18n import gettext as _
from marketplace.money import Money


@dataclass(frozen=True)
class Part:
    """Minutes of a week in one state, with their pay and fee."""

    label: str
    minutes: int
    pay: Money
    fee: Money


def parts_of(sheet: Timesheet, disputes: Collection[TimeDispute]) -> list[Part]:
    """The parts of a week, which together are what was entered; none where nothing was questioned."""
    return list(_parts(sheet, disputes)) if disputes else []


def entered(sheet: Timesheet) -> tuple[Money, Money]:
    """Pay and fee of all lines of a week as they were entered."""
    lines, currency = lines_of(sheet), sheet.contract.currency
    return Money(sum(line.pay for line in lines), currency), Money(sum(line.fee for line in lines), currency)


def _parts(sheet: Timesheet, disputes: Collection[TimeDispute]) -> Iterator[Part]:
    lines = [line for approval in sheet.approvals for line in approval.lines]
    if lines:
        yield _part(
            sheet, _("Approved"), [(line.minutes, line.expert_amount, line.fee_amount) for line in lines]
        )
    for label, settled in ((_("Questioned, waits apart"), False), (_("Not paid"), True)):
        rest = [_rest(each) for each in disputes if (each.state is DisputeState.SETTLED) is settled]
        if any(minutes for minutes, _pay, _fee in rest):
            yield _part(sheet, label, rest)


def _part(sheet: Timesheet, label: str, rows: Collection[tuple[int, int, int]]) -> Part:
    minutes, pay, fee = (sum(column) for column in zip(*rows, strict=True))
    currency = sheet.contract.currency
    return Part(label, minutes, Money(pay, currency), Money(fee, currency))


def _rest(dispute: TimeDispute) -> tuple[int, int, int]:
    """Minutes, pay and fee of its line that nobody has approved."""
    had = part_of(dispute, dispute.awarded_minutes or 0)
    return (
        dispute.minutes - had.minutes, dispute.expert_amount - had.pay, dispute.fee_amount - had.fee,
    )  # fmt: skip
