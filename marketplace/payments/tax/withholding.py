"""What is withheld of a payment.

Of a US person's pay 24 % (backup withholding, IRC 3406) while there is no number yet, the tax office has said
so, or, whatever form was signed since, a B-notice is open. Of a foreign person's pay 30 %, or the rate that
finance noted from a Form 8233 (IRC 1441), but only of what was worked in the US (IRC 861(a)(3)); of work
elsewhere nothing.

Rounding: once for each payment and rate, on the sum, half up to the minor unit, and never more than the
highest of the rates takes of all. So splitting a payment into
lines changes nothing, and the sum of what is withheld is never off by more than half a cent a payment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, ApprovedLine, Contract, TimeEntry, Timesheet
from marketplace.payments.tax import standing
from marketplace.payments.tax.models import TaxForm, UsWork
from marketplace.payments.tax.states import FormKind, NumberKind, Why

BACKUP_BPS = 2_400


@dataclass(frozen=True)
class Withheld:
    """`amount` of `of`, both in minor units; `why` is None where nothing is due."""

    why: Why | None = None
    of: int = 0
    amount: int = 0


NOTHING = Withheld()


def share(amount: int, bps: int) -> int:
    """`bps` hundredths of a per cent of an amount above zero, half up to the minor unit."""
    return (amount * bps + 5_000) // 10_000


@dataclass(frozen=True)
class Pay:
    """What a payment is for, by internal ids, and its sum in minor units, without what was paid before."""

    amount: int
    approvals: Sequence[int]
    adjustments: Sequence[int]


def due(session: Session, pay: Mapping[int, Pay], forms: Mapping[int, TaxForm]) -> dict[int, Withheld]:
    """What is withheld of the pay of each person (internal id) by their `forms` that count; people of whom
    nothing is are left out."""
    noticed = standing.noticed(session, list(pay))
    found = {
        person: Withheld(Why.BACKUP, pay[person].amount, share(pay[person].amount, BACKUP_BPS))
        for person, form in forms.items()
        if pay[person].amount > 0 and (person in noticed or (form.kind is FormKind.W9 and _backup(form)))
    }
    foreign = {p for p, form in forms.items() if form.kind is FormKind.W8BEN and p not in noticed}
    return found | _of_us_work(session, {person: pay[person] for person in foreign})


def _backup(form: TaxForm) -> bool:
    return form.told_by_irs or form.number_kind is NumberKind.APPLIED_FOR


def _of_us_work(session: Session, pay: Mapping[int, Pay]) -> dict[int, Withheld]:
    stays: dict[int, list[UsWork]] = defaultdict(list)
    for stay in session.scalars(standing.declared(list(pay))):
        stays[stay.person_id].append(stay)
    of_rate: dict[int, dict[int, int]] = {person: defaultdict(int) for person in stays}
    for person, on, amount in _earned(session, {person: pay[person] for person in stays}):
        for stay in stays[person]:
            if stay.from_on <= on <= stay.until_on:
                of_rate[person][stay.rate_bps] += amount
    found = {}
    for person, sums in of_rate.items():
        bases = cut({rate: amount for rate, amount in sums.items() if amount > 0}, pay[person].amount)
        if bases:
            found[person] = of_bases(bases)
    return found


def of_bases(bases: Mapping[int, int]) -> Withheld:
    """What is withheld of work in the US, in minor units by their rate."""
    of = sum(bases.values())
    tax = sum(share(amount, rate) for rate, amount in bases.items())
    # Roundings of several rates never add up to more than the highest of them takes of all.
    return Withheld(Why.NRA, of, min(tax, share(of, max(bases))))


def cut(bases: Mapping[int, int], paid: int) -> dict[int, int]:
    """What was worked in the US, by its rate, in minor units: where a correction of other work leaves less to
    pay than that, as much as is paid, from each in proportion."""
    whole, so_far, left = sum(bases.values()), 0, {}
    paid = min(whole, paid)
    for rate, amount in sorted(bases.items()):
        before = so_far * paid // whole
        so_far += amount
        left[rate] = so_far * paid // whole - before
    return {rate: amount for rate, amount in left.items() if amount > 0}


def _earned(session: Session, pay: Mapping[int, Pay]) -> list[tuple[int, date, int]]:
    """Whose, on which day of the contract's zone, and how much, of lines and of what came besides them."""
    hours = session.execute(
        sa.select(Contract.person_id, TimeEntry.started_at, Contract.time_zone, ApprovedLine.expert_amount)
        .join(ApprovedLine.entry)
        .join(Approval, Approval.id == ApprovedLine.approval_id)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .where(ApprovedLine.approval_id.in_([each for one in pay.values() for each in one.approvals]))
    ).all()
    at = sa.func.coalesce(Adjustment.decided_at, Adjustment.made_at)
    besides = session.execute(
        sa.select(Contract.person_id, at, Contract.time_zone, Adjustment.amount)
        .join(Adjustment.contract)
        .where(Adjustment.id.in_([each for one in pay.values() for each in one.adjustments]))
    ).all()
    return [(person, _day(moment, zone), int(amount)) for person, moment, zone, amount in (*hours, *besides)]


def _day(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()
