"""Approving a week that may need two people: the first decides, another confirms the very same lines.

Only the second moves money. The deadline stays: silence approves, and what the first questioned stays
questioned.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.contracts import approvals, find, timesheets
from marketplace.contracts.approving import rules
from marketplace.contracts.approving.away import acting_for
from marketplace.contracts.approving.models import EndedAs, FirstApproval
from marketplace.contracts.approving.standing import digest, end, end_open, standing
from marketplace.contracts.disputes import opening
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.lines import lines_of
from marketplace.contracts.models import Approval, Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs.members import tell
from marketplace.i18n import day, zoned
from marketplace.i18n import gettext as _
from marketplace.reasons import codes
from marketplace.reasons.statements import LEAST_EXPLANATION
from marketplace.text import paragraph


@use_case
def approve_week(
    session: Session,
    actor: Actor,
    timesheet_public_id: uuid.UUID,
    seen_version: int,
    questions: Sequence[Question] = (),
) -> Approval | FirstApproval:
    """Approve the week that was seen: at once, or as the first of two where the client's rule asks for two.

    Two who approve all of it at the same moment have both looked at the same lines: together they are the
    two. Raises as `approvals.approve_timesheet`; Refused when oneself was the first, or when the first
    decided something else than what is approved here.
    """
    sheet = _deciding(session, actor, timesheet_public_id, seen_version)
    if not sheet.two_people:
        return approvals.approve_timesheet(session, actor, timesheet_public_id, seen_version, questions)
    first = standing(session, sheet)
    if first is None:
        return _begin(session, actor, sheet, questions)
    _require_another(actor, first)
    if questions or first.questions:
        raise Refused(
            _("A colleague gave the first approval meanwhile. Look at what they decided, then confirm it.")
        )
    return _confirm(session, actor, sheet, first)


@use_case
def confirm_week(
    session: Session,
    actor: Actor,
    timesheet_public_id: uuid.UUID,
    seen_version: int,
    first_public_id: uuid.UUID,
) -> Approval:
    """Confirm, as the second, exactly what the first decided. Raises as `approve_week`; Refused when what
    was seen does not stand any more."""
    sheet = _deciding(session, actor, timesheet_public_id, seen_version)
    first = _seen(session, sheet, first_public_id)
    _require_another(actor, first)
    return _confirm(session, actor, sheet, first)


@use_case
def send_back(
    session: Session, actor: Actor, timesheet_public_id: uuid.UUID, first_public_id: uuid.UUID, note: str
) -> FirstApproval:
    """Give it back to the first with a note; the week waits for a first approval again.

    Raises Refused when it does not stand any more or is one's own, Invalid without a note.
    """
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    timesheets.require_approver(actor, sheet)
    first = _seen(session, sheet, first_public_id)
    _require_another(actor, first)
    said = paragraph(note)
    if len(said) < LEAST_EXPLANATION:
        raise Invalid(_("Write in a sentence or two what your colleague should look at."), field="note")
    end(session, actor, first, EndedAs.SENT_BACK, said)
    audit.record(session, actor, "timesheet.sent_back", "timesheet", sheet.public_id, first=first.public_id)
    tell(
        session,
        first.person_id,
        "timesheet.sent_back",
        f"/timesheets/{sheet.public_id}",
        lambda: (_("%(who)s did not confirm your first approval", who=actor.name), f"{_named(sheet)} {said}"),
    )
    return first


@use_case
def take_back(
    session: Session, actor: Actor, timesheet_public_id: uuid.UUID, first_public_id: uuid.UUID
) -> FirstApproval:
    """Take one's own first approval back. Raises Refused when it does not stand any more."""
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    timesheets.require_approver(actor, sheet)
    first = _seen(session, sheet, first_public_id)
    if first.person_id != actor.person_id:
        raise Refused(_("Only who gave the first approval takes it back. You can send it back with a note."))
    end(session, actor, first, EndedAs.TAKEN_BACK)
    audit.record(session, actor, "timesheet.taken_back", "timesheet", sheet.public_id, first=first.public_id)
    return first


def _deciding(session: Session, actor: Actor, timesheet_public_id: uuid.UUID, seen_version: int) -> Timesheet:
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    timesheets.require_approver(actor, sheet)
    timesheets.require_seen(sheet, seen_version)
    return sheet


def _begin(session: Session, actor: Actor, sheet: Timesheet, questions: Sequence[Question]) -> FirstApproval:
    if sheet.state is not TimesheetState.SUBMITTED:
        raise Refused(_("This week does not wait for an answer any more."))
    lines = lines_of(sheet)
    opening.questioned(lines, questions)
    _require_reasons(questions)
    end_open(session, actor, sheet, EndedAs.CHANGED)
    stands_in = acting_for(session, actor, sheet.contract)
    first = FirstApproval(
        public_id=new_id(),
        timesheet=sheet,
        version=sheet.version,
        lines_sha256=digest(lines),
        questions=[{**asdict(each), "entry": str(each.entry)} for each in questions],
        person_id=actor.id,
        for_person_id=stands_in.person_id if stands_in else None,
        at=clock.now(),
    )
    session.add(first)
    session.flush()
    audit.record(
        session, actor, "timesheet.first_approved", "timesheet", sheet.public_id,
        first=first.public_id, version=sheet.version, questioned=len(questions),
        for_person=stands_in.person.public_id if stands_in else None,
    )  # fmt: skip
    _ask_others(session, actor, sheet)
    return first


def _confirm(session: Session, actor: Actor, sheet: Timesheet, first: FirstApproval) -> Approval:
    approval = approvals.approve_as_second(session, actor, sheet, first)
    end(session, actor, first, EndedAs.CONFIRMED)
    return approval


def _seen(session: Session, sheet: Timesheet, first_public_id: uuid.UUID) -> FirstApproval:
    first = standing(session, sheet)
    if sheet.state is TimesheetState.APPROVED:
        raise Refused(_("This week is already approved."))
    if first is None or first.public_id != first_public_id:
        raise Refused(_("That first approval does not stand any more. Look at the week again."))
    return first


def _require_another(actor: Actor, first: FirstApproval) -> None:
    if first.person_id == actor.person_id:
        raise Refused(_("You gave the first approval. Somebody else has to give the second."))


def _require_reasons(questions: Sequence[Question]) -> None:
    """They become statements with the second approval, when it is too late to ask for a better reason."""
    for question in questions:
        codes.sentence(opening.SUBJECT, question.reason_code)
        if len(paragraph(question.explanation)) < LEAST_EXPLANATION:
            raise Invalid(
                _("Explain in a sentence or two what you saw, so that the person can answer it."),
                field="explanation",
            )


def _ask_others(session: Session, actor: Actor, sheet: Timesheet) -> None:
    deadline = sheet.approve_by

    def say() -> tuple[str, str]:
        return (
            _("A week of %(expert)s needs your approval too", expert=sheet.contract.person.full_name),
            _(
                "%(week)s %(who)s gave the first approval; a second person confirms it, or sends it back. "
                "Without an answer it counts as approved on %(when)s.",
                week=_named(sheet),
                who=actor.name,
                when=zoned(deadline) if deadline else "",
            ),
        )

    for person_id in rules.deciders(session, sheet.contract):
        if person_id != actor.person_id:
            tell(session, person_id, "timesheet.second", f"/timesheets/{sheet.public_id}", say)


def _named(sheet: Timesheet) -> str:
    return _("%(gig)s, week from %(monday)s.", gig=sheet.contract.gig.title, monday=day(sheet.starts_on))
