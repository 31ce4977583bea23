"""A week of ten lines, some of them questioned, made through the use cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.disputes import queries
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.entries import add_entries
from marketplace.contracts.models import Timesheet
from marketplace.contracts.timesheets import submit_timesheet
from tests.factories.contracts import MONDAY, Deal, work

TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)


def a_week_of_lines(session: Session, deal: Deal, lines: int = 10, minutes: int = 30) -> Timesheet:
    """A submitted week with so many entries."""
    works = [work(TUESDAY + timedelta(minutes=minutes * n), minutes, f"line {n}") for n in range(lines)]
    with clock.at(WEDNESDAY):
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        return submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)


def a_question(sheet: Timesheet, line: int, offered: int = 0) -> Question:
    """A question about one of its lines, by its place."""
    entry = sheet.entries[line]
    return Question(entry.public_id, "time_too_long", "A report like this takes ten minutes.", offered)


def questioned(
    session: Session, deal: Deal, sheet: Timesheet, *lines: int, offered: int = 0
) -> list[TimeDispute]:
    """The week approved without these lines."""
    with clock.at(WEDNESDAY):
        questions: Sequence[Question] = [a_question(sheet, line, offered) for line in lines]
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version, questions)
    disputes = queries.of_sheet(session, sheet)
    return [disputes[sheet.entries[line].id] for line in lines]
