"""Approving a week: its lines become money that is owed to the expert."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs, ledger
from marketplace.accounts.grants import actor_for
from marketplace.actor import SITE, Actor
from marketplace.contracts import find, reservations, timesheets
from marketplace.contracts.approving.away import acting_for
from marketplace.contracts.approving.models import EndedAs, FirstApproval
from marketplace.contracts.approving.standing import end, standing
from marketplace.contracts.disputes import opening
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.lines import freeze, lines_of
from marketplace.contracts.models import Approval, Reservation, Timesheet
from marketplace.contracts.states import TIMESHEET_MOVES, TimesheetState, move
from marketplace.contracts.weeks import week_of
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs.find import there
from marketplace.gigs.members import tell
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.money import Money

# Minor units by which the pay, the fee and its tax of a line can exceed what was reserved for it.
ROUNDED = 3


@use_case
def approve_timesheet(
    session: Session,
    actor: Actor,
    timesheet_public_id: uuid.UUID,
    seen_version: int,
    questions: Sequence[Question] = (),
) -> Approval:
    """Approve the week that was seen, without the lines that are questioned. Pay, fee and its tax leave the
    reserved money, those of questioned lines for 2120; what is left of it returns.

    Raises Refused when the week changed since, is already approved, or needs two people, which
    `approving.steps` knows; NotAllowed for the expert's own; Invalid for a question without a reason, or
    about something else than a paid line of the week.
    """
    sheet = find.timesheet(session, actor, timesheet_public_id, lock=True)
    timesheets.require_approver(actor, sheet)
    timesheets.require_seen(sheet, seen_version)
    if sheet.two_people:
        raise Refused(_("This week needs two people. Open it, and give the first approval there."))
    return _approve(session, actor, sheet, questions)


def approve_as_second(session: Session, actor: Actor, sheet: Timesheet, first: FirstApproval) -> Approval:
    """Approve what the first of two decided. The caller holds the lock and has checked who and what."""
    return _approve(session, actor, sheet, first.asked, first)


def approve_overdue(session: Session) -> int:
    """Approve, by the site, every week whose deadline has passed without an answer; how many."""
    overdue = sa.select(Timesheet.id).where(
        Timesheet.state == TimesheetState.SUBMITTED, Timesheet.approve_by <= clock.now()
    )
    ids = session.scalars(overdue).all()
    return jobs.one_by_one(session, _approve_if_overdue, ids)


def settle(session: Session, sheet: Timesheet) -> None:
    """Submit and approve, by the site, what it measured itself and what was agreed before. Needs the lock."""
    if any(line.pay for line in lines_of(sheet)):
        timesheets.submit_measured(session, sheet)
        _approve(session, SITE, sheet)


@use_case
def _approve_if_overdue(session: Session, timesheet_id: int) -> bool:
    sheet = session.get_one(Timesheet, timesheet_id)
    find.hold(session, sheet.contract_id)
    session.refresh(sheet, with_for_update={"of": Timesheet})
    late = sheet.approve_by is not None and sheet.approve_by <= clock.now()
    if sheet.state is not TimesheetState.SUBMITTED or not late:
        return False
    first = standing(session, sheet)
    _approve(session, SITE, sheet, first.asked if first else (), first)
    if first:
        end(session, SITE, first, EndedAs.DEADLINE)
    return True


def _approve(
    session: Session,
    actor: Actor,
    sheet: Timesheet,
    questions: Sequence[Question] = (),
    first: FirstApproval | None = None,
) -> Approval:
    """With a `first` approval the questions are those of whoever gave it, who stands behind them."""
    timesheets.require_stopped(sheet)
    lines = lines_of(sheet)
    questioned = opening.questioned(lines, questions)
    stands_in = acting_for(session, actor, sheet.contract, first) if actor.person_id else None
    move(sheet, TimesheetState.APPROVED, TIMESHEET_MOVES)
    sheet.version += 1
    approval = freeze(
        session, actor, sheet, [line for line in lines if line.entry.id not in questioned],
        for_person_id=stands_in.person_id if stands_in else None,
        first=(first.id, first.person_id) if first else None,
    )  # fmt: skip
    asker = actor_for(session, first.person_id) if first else actor
    disputes = [
        opening.open_dispute(session, asker, sheet, line, questioned[line.entry.id])
        for line in lines
        if line.entry.id in questioned
    ]
    _post(session, actor, approval, disputes, len(lines), _reservation(session, sheet))
    session.flush()
    audit.record(
        session, actor, "timesheet.approved", "timesheet", sheet.public_id, disputed=len(disputes),
        for_person=stands_in.person.public_id if stands_in else None,
        approval=approval.public_id, pay=approval.expert_amount, fee=approval.fee_amount,
        tax=approval.tax_amount,
    )  # fmt: skip
    if approval.expert_amount:
        _tell(session, sheet, approval)
    return approval


def _reservation(session: Session, sheet: Timesheet) -> Reservation:
    week = week_of(sheet.week_start_at, sheet.zone)
    return there(reservations.of_week(session, sheet.contract, week))


def _post(
    session: Session,
    actor: Actor,
    approval: Approval,
    disputes: Sequence[TimeDispute],
    lines: int,
    reservation: Reservation,
) -> None:
    """Take pay, fee and its tax out of what was reserved, and give back the rest.

    Lines are rounded one by one, so together they may exceed what the week reserved by a part of a cent
    each. The client never pays more than was reserved: that remainder is ours, on 5080.
    """
    contract = reservation.contract
    withheld = sum(each.expert_amount + each.fee_amount + each.tax_amount for each in disputes)
    spent = approval.expert_amount + approval.fee_amount + approval.tax_amount + withheld
    if spent == 0:
        raise Refused(_("These entries come to nothing, so there is nothing to approve."))
    taken = min(spent, reservation.amount)
    if spent - taken > ROUNDED * lines:
        raise Refused(
            _(
                "More time is entered for this week than is reserved for it. Ask an operator to look at it: "
                "nothing of it is lost."
            )
        )
    entry = NewEntry(
        source=f"approval:{approval.public_id}",
        event="approved",
        currency=contract.currency,
        lines=[
            (chart.project_reserved(contract.project.public_id), taken),
            (chart.rounding(), spent - taken),
            (chart.expert_payable(contract.person.public_id), -approval.expert_amount),
            (chart.client_fees(), -approval.fee_amount),
            (chart.tax_payable(), -approval.tax_amount),
            (chart.disputed(contract.project.public_id), -withheld),
        ],
        occurred_at=approval.at,
        memo=_("A paid test approved") if contract.test_id else _("A week's work approved"),
    )
    ledger.post_many(session, actor, [entry, *reservations.close(reservation, taken)])


def _tell(session: Session, sheet: Timesheet, approval: Approval) -> None:
    contract = sheet.contract
    tell(
        session,
        contract.person_id,
        "timesheet.approved",
        f"/timesheets/{sheet.public_id}",
        lambda: (
            _("%(pay)s approved", pay=Money(approval.expert_amount, contract.currency)),
            _("%(gig)s, week from %(monday)s.", gig=contract.gig.title, monday=day(sheet.starts_on)),
        ),
    )
