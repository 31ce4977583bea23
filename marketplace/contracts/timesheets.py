"""Submitting a week, and returning it."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts import find
from marketplace.contracts.models import Timesheet
from marketplace.contracts.states import TIMESHEET_MOVES, TimeKind, TimesheetState, move
from marketplace.contracts.terms import APPROVAL_DAYS
from marketplace.db import use_case
from marketplace.errors import NotAllowed, Refused
from marketplace.gigs.members import tell_client
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision
from marketplace.reasons.statements import state as state_reasons

APPROVE_WITHIN = timedelta(days=APPROVAL_DAYS)


@use_case
def submit_timesheet(
    session: Session, actor: Actor, timesheet_public_id: uuid.UUID, seen_version: int
) -> Timesheet:
    """Hand a week to the client as it is. Raises Refused when it changed, is empty, or a timer runs in it."""
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    if sheet.contract.person_id != actor.person_id:
        raise NotAllowed(_("Only the expert submits a week."))
    require_seen(sheet, seen_version)
    if any(entry.ended_at is None for entry in sheet.entries):
        raise Refused(_("A timer is still running in this week. Stop it, then submit."))
    if not any(entry.kind is TimeKind.PAID for entry in sheet.entries):
        raise Refused(_("There is no paid time in this week yet, so there is nothing to submit."))
    move(sheet, TimesheetState.SUBMITTED, TIMESHEET_MOVES)
    sheet.submitted_at = clock.now()
    sheet.approve_by = clock.now() + APPROVE_WITHIN
    sheet.version += 1
    session.flush()
    audit.record(session, actor, "timesheet.submitted", "timesheet", sheet.public_id, version=sheet.version)
    _tell_client(session, sheet)
    return sheet


@use_case
def return_timesheet(
    session: Session,
    actor: Actor,
    timesheet_public_id: uuid.UUID,
    seen_version: int,
    reason_code: str,
    explanation: str,
) -> Timesheet:
    """Give a week back to be corrected, with a statement of reasons. Raises Refused when it changed since."""
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    require_approver(actor, sheet)
    require_seen(sheet, seen_version)
    move(sheet, TimesheetState.RETURNED, TIMESHEET_MOVES)
    sheet.version += 1
    session.flush()
    state_reasons(
        session,
        actor,
        person_id=sheet.contract.person_id,
        subject_kind="timesheet",
        subject_id=sheet.public_id,
        decision=Decision.RETURNED,
        reason_code=reason_code,
        explanation=explanation,
        evidence={"timesheet": f"/timesheets/{sheet.public_id}"},
    )
    audit.record(session, actor, "timesheet.returned", "timesheet", sheet.public_id, version=sheet.version)
    return sheet


def require_approver(actor: Actor, sheet: Timesheet) -> None:
    """Raise NotAllowed unless `actor` approves for this client and is not the expert."""
    actor.require(*CLIENT, organization_id=sheet.contract.organization_id)
    if actor.person_id == sheet.contract.person_id:
        raise NotAllowed(_("Somebody else has to approve your own time."))


def require_seen(sheet: Timesheet, seen_version: int) -> None:
    """Raise Refused when the week is not the one that was looked at."""
    if sheet.state is TimesheetState.APPROVED:
        raise Refused(_("This week is already approved."))
    if sheet.version != seen_version:
        raise Refused(_("This week was changed since you opened it. Look at it again, then decide."))


def resubmit(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """An appeal against returning a week was upheld: it is submitted again as it is."""
    sheet = find.timesheet_of_appeal(session, public_id)
    if sheet.state is not TimesheetState.RETURNED:
        return
    move(sheet, TimesheetState.SUBMITTED, TIMESHEET_MOVES)
    sheet.submitted_at = clock.now()
    sheet.approve_by = clock.now() + APPROVE_WITHIN
    sheet.version += 1
    audit.record(session, actor, "timesheet.submitted", "timesheet", public_id, version=sheet.version)


def _tell_client(session: Session, sheet: Timesheet) -> None:
    contract = sheet.contract
    tell_client(
        session,
        contract.organization_id,
        "timesheet.submitted",
        f"/timesheets/{sheet.public_id}",
        lambda: (
            _("%(expert)s submitted a week", expert=contract.person.full_name),
            _(
                "%(gig)s, week from %(monday)s. Approve it or return it with a reason within five days.",
                gig=contract.gig.title,
                monday=day(sheet.starts_on),
            ),
        ),
        Role.CLIENT_ADMIN,
        Role.CLIENT_APPROVER,
    )
