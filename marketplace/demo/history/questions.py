"""Questioned lines: now and then a client does not see what an hour was for, and the two sort it out."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.disputes import ruling, turns
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import DisputeState, TimeKind, TimesheetState
from marketplace.demo.history.stage import WEEKS, Stage, trying
from marketplace.demo.world import LUMEN_PROJECT
from marketplace.gigs.models import Project

APPROVER, OPERATOR = "dev@demo.example", "opa@demo.example"
WHY = "The tool shows a third of these items on that day. Which others did you work on?"
BECAUSE = "The others came as a file by mail, and are in the folder of that Tuesday."
FOUND = "The folder holds about two thirds of the items that were entered."


def question(stage: Stage, sheet_id: int, approver_id: int) -> None:
    """Approve a week but for its second line, of which the client would pay a third."""
    sheet = stage.session.get_one(Timesheet, sheet_id)
    paid = [entry for entry in sheet.entries if entry.kind is TimeKind.PAID and entry.minutes > 30]
    if len(paid) < 2:
        return
    approver, public_id, version = stage.actor(approver_id), sheet.public_id, sheet.version
    asked = Question(paid[1].public_id, "work_not_found", WHY, paid[1].minutes // 3)
    trying(stage.session, lambda: approve_timesheet(stage.session, approver, public_id, version, [asked]))


def go_on(stage: Stage, week: int) -> None:
    """On Wednesday everybody takes their turn, if they do; what nobody answered has its deadline."""
    with stage.at(week, 2, 16):
        stage.each(_take_turn, _unsettled(stage))
    with stage.at(week, 6, 5):
        turns.settle_overdue(stage.session)


def leave_one(stage: Stage) -> None:
    """At the end a line of the cast's own company is questioned, and its expert has not answered yet."""
    with stage.at(WEEKS, 6, 23):
        waiting = (
            sa.select(Timesheet.id)
            .join(Timesheet.contract)
            .join(Contract.project)
            .where(Project.name == LUMEN_PROJECT, Timesheet.state == TimesheetState.SUBMITTED)
            .order_by(Timesheet.id)
        )
        if stage.session.scalar(_lumens().limit(1)) is not None:
            return
        for sheet_id in stage.session.scalars(waiting).all()[1:2]:
            question(stage, sheet_id, stage.by_email(APPROVER).id)


def _lumens() -> sa.Select[int]:
    """Those of the cast's own company to which nobody has answered."""
    unanswered = sa.select(TimeDispute.id).filter_by(state=DisputeState.ASKED)
    ours = sa.select(Contract.id).join(Contract.project).where(Project.name == LUMEN_PROJECT)
    return unanswered.where(TimeDispute.contract_id.in_(ours))


def _unsettled(stage: Stage) -> list[int]:
    waiting = sa.select(TimeDispute.id).where(
        TimeDispute.state.in_((DisputeState.ASKED, DisputeState.ANSWERED, DisputeState.RULING))
    )
    return list(stage.session.scalars(waiting.order_by(TimeDispute.id)))


def _take_turn(stage: Stage, dispute_id: int) -> None:
    dispute = stage.session.get_one(TimeDispute, dispute_id)
    draw = stage.chance("turn", dispute.state, dispute.opened_at, dispute.contract.person.email).random()
    session, public_id, minutes = stage.session, dispute.public_id, dispute.minutes
    expert, client = stage.actor(dispute.contract.person_id), stage.actor(dispute.opened_by)
    offered, asked = dispute.offered_minutes, dispute.asked_minutes
    match dispute.state:
        case DisputeState.ASKED if draw < 0.7:
            trying(session, lambda: turns.answer(session, expert, public_id, BECAUSE, minutes * 5 // 6))
        case DisputeState.ASKED if draw < 0.85:
            trying(session, lambda: turns.agree(session, expert, public_id, offered))
        case DisputeState.ANSWERED if draw < 0.6:
            trying(session, lambda: turns.agree(session, client, public_id, asked))
        case DisputeState.ANSWERED if draw < 0.9:
            trying(session, lambda: turns.ask_for_ruling(session, client, public_id, WHY))
        case DisputeState.RULING:
            operator = stage.by_email(OPERATOR)
            award = minutes * 2 // 3
            trying(session, lambda: ruling.rule(session, operator, public_id, award, "partly_shown", FOUND))
        case _:
            pass
