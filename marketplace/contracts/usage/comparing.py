"""What was entered beside what the tool counted, day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.usage.models import UsageDay
from marketplace.contracts.weeks import Week, week_on

# People begin a little before the tool does, and think between two pieces: a day may differ by so much,
# whichever is more. Said on every page that judges by it.
MINUTES_APART = 15
PERCENT_APART = 10


@dataclass(frozen=True)
class UsageOfDay:
    """Paid minutes entered on a day of the contract's zone, and minutes and pieces that the tool counted,
    None when no file says anything of that day."""

    day: date
    entered: int
    counted: int | None
    items: int | None

    @property
    def apart(self) -> int:
        """Minutes entered beyond those counted; less than zero when the tool counted more."""
        return self.entered - (self.counted or 0)

    @property
    def agrees(self) -> bool:
        """Are they so near each other that nobody has to look?"""
        within = max(MINUTES_APART, self.entered * PERCENT_APART // 100)
        return abs(self.apart) <= within


@dataclass(frozen=True)
class Compared:
    """A week of which some file says something."""

    days: Sequence[UsageOfDay]

    @property
    def differing(self) -> int:
        """Days on which the two are too far apart; one without a row in any file counts as nothing."""
        return sum(not day.agrees for day in self.days)

    @property
    def agrees(self) -> bool:
        """Do all of its days agree?"""
        return self.differing == 0

    @property
    def entered(self) -> int:
        """Paid minutes of the week."""
        return sum(day.entered for day in self.days)

    @property
    def counted(self) -> int:
        """Minutes that the tool counted in the week."""
        return sum(day.counted or 0 for day in self.days)


# Each day by its bounds in UTC, which `clock.midnight` knows also where the clocks change at midnight.
COMPARED = sa.text("""
    SELECT d.n, d.day, CAST(coalesce(e.minutes, 0) AS bigint) AS entered, u.minutes AS counted, u.items
    FROM unnest(
        CAST(:n AS bigint[]), CAST(:contracts AS bigint[]), CAST(:weeks AS timestamptz[]),
        CAST(:days AS date[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[])
    ) AS d (n, contract_id, week_start_at, day, begins, ends)
    LEFT JOIN timesheets s ON s.contract_id = d.contract_id AND s.week_start_at = d.week_start_at
    LEFT JOIN LATERAL (
        SELECT sum(floor(extract(epoch FROM least(ended_at, d.ends) - greatest(started_at, d.begins)) / 60))
            AS minutes
        FROM time_entries
        WHERE timesheet_id = s.id AND removed_at IS NULL AND kind = 'paid'
            AND ended_at > d.begins AND started_at < d.ends
    ) AS e ON true
    LEFT JOIN usage_days u ON u.contract_id = d.contract_id AND u.day = d.day AND u.replaced_at IS NULL
    ORDER BY d.n, d.day
""").columns(n=sa.BigInteger, day=sa.Date, entered=sa.BigInteger, counted=sa.BigInteger, items=sa.BigInteger)


def of_week(session: Session, contract: Contract, week: Week) -> Compared | None:
    """One week of a contract; None when no file says anything of it."""
    return _compared(session, [(contract.id, week)])[0]


def of_sheets(session: Session, sheets: Sequence[Timesheet]) -> dict[int, Compared]:
    """By the sheets' internal ids: the weeks of which some file says something."""
    weeks = [(each.contract_id, week_on(each.starts_on, each.zone)) for each in sheets]
    pairs = zip(sheets, _compared(session, weeks), strict=True)
    return {sheet.id: found for sheet, found in pairs if found is not None}


def earlier(session: Session, contract: Contract, week: Week) -> Sequence[UsageDay]:
    """What files said of a week before a later one said something else, the latest first."""
    query = sa.select(UsageDay).where(
        UsageDay.contract_id == contract.id,
        UsageDay.day.between(week.days[0], week.days[-1]),
        UsageDay.replaced_at.is_not(None),
    )
    return session.scalars(query.order_by(UsageDay.replaced_at.desc(), UsageDay.id.desc())).all()


def _compared(session: Session, weeks: Sequence[tuple[int, Week]]) -> list[Compared | None]:
    rows = [(n, id_, week, day) for n, (id_, week) in enumerate(weeks) for day in week.days]
    asked = {
        "n": [n for n, _id, _week, _day in rows],
        "contracts": [id_ for _n, id_, _week, _day in rows],
        "weeks": [week.start for _n, _id, week, _day in rows],
        "days": [day for _n, _id, _week, day in rows],
        "begins": [clock.midnight(day, week.zone) for _n, _id, week, day in rows],
        "ends": [clock.midnight(day + timedelta(days=1), week.zone) for _n, _id, week, day in rows],
    }
    days: Mapping[int, list[UsageOfDay]] = defaultdict(list)
    for row in session.execute(COMPARED, asked):
        days[row.n].append(UsageOfDay(row.day, row.entered, row.counted, row.items))
    return [_known(days[n]) for n in range(len(weeks))]


def _known(days: Sequence[UsageOfDay]) -> Compared | None:
    return Compared(days) if any(day.counted is not None for day in days) else None
