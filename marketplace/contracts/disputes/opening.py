"""Questioning lines of a week: their money waits apart, and the expert is told why."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.contracts.disputes.models import TimeDispute, Turn
from marketplace.contracts.lines import Line
from marketplace.contracts.models import Timesheet
from marketplace.contracts.states import DisputeState, TurnAct
from marketplace.db import new_id
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision
from marketplace.reasons.statements import state as state_reasons

ANSWER_WITHIN = timedelta(days=7)
SUBJECT = "time_dispute"


@dataclass(frozen=True)
class Question:
    """Why an entry (public id) is not approved as it is, and for how many of its minutes the client would
    pay."""

    entry: uuid.UUID
    reason_code: str
    explanation: str
    offered_minutes: int = 0


def questioned(lines: Sequence[Line], questions: Sequence[Question]) -> dict[int, Question]:
    """The question about each line, by the internal id of its entry. Raises Invalid for one about another
    entry, and for an offer of all of the line or less than nothing."""
    entries = {line.entry.public_id: line for line in lines if line.pay}
    for question in questions:
        if question.entry not in entries:
            raise Invalid(_("This entry is not a paid line of the week. Look at the week again."))
        if not 0 <= question.offered_minutes < entries[question.entry].minutes:
            raise Invalid(
                _("Offer fewer minutes than were entered, or approve the line as it is."), field="minutes"
            )
    return {entries[question.entry].entry.id: question for question in questions}


def open_dispute(
    session: Session, actor: Actor, sheet: Timesheet, line: Line, question: Question
) -> TimeDispute:
    """Set a line apart, with a statement of reasons. Its money is moved by the approval of the others.

    Raises Invalid for a reason or an explanation that is missing.
    """
    public_id = new_id()
    state_reasons(
        session,
        actor,
        person_id=sheet.contract.person_id,
        subject_kind=SUBJECT,
        subject_id=public_id,
        decision=Decision.WITHHELD,
        reason_code=question.reason_code,
        explanation=question.explanation,
        evidence={
            "timesheet": f"/timesheets/{sheet.public_id}",
            "time_dispute": f"/disputes/{public_id}",
        },
    )
    dispute = TimeDispute(
        public_id=public_id,
        timesheet=sheet,
        contract=sheet.contract,
        entry=line.entry,
        opened_by=actor.id,
        opened_at=clock.now(),
        minutes=line.minutes,
        rate=line.rate,
        expert_amount=line.pay,
        fee_amount=line.fee,
        tax_amount=line.tax,
        tax_decision=line.tax_decision,
        offered_minutes=question.offered_minutes,
        asked_minutes=line.minutes,
        state=DisputeState.ASKED,
        due_at=clock.now() + ANSWER_WITHIN,
    )
    session.add(dispute)
    take_turn(session, actor, dispute, TurnAct.QUESTIONED, question.explanation, question.offered_minutes)
    audit.record(session, actor, "dispute.opened", SUBJECT, dispute.public_id, minutes=line.minutes)
    return dispute


def take_turn(
    session: Session, actor: Actor, dispute: TimeDispute, act: TurnAct, text: str, minutes: int | None = None
) -> None:
    """Write down what was said or done."""
    turn = Turn(person_id=actor.person_id, at=clock.now(), act=act, text=text, minutes=minutes)
    dispute.turns.append(turn)
    session.flush()
