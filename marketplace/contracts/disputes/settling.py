"""What becomes of the money of a questioned line: the expert is owed it, or the project has it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger, money
from marketplace.actor import Actor
from marketplace.contracts.adjustments import returning
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.fees.schedule import Split, split
from marketplace.contracts.limits import spell
from marketplace.contracts.lines import Line, freeze
from marketplace.contracts.states import DISPUTE_MOVES, DisputeState, SettledBy, move
from marketplace.gigs import projection
from marketplace.gigs.members import tell, tell_client
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.money import Money


def settle(session: Session, actor: Actor, dispute: TimeDispute, minutes: int, by: SettledBy) -> None:
    """Pay for so many minutes of the line, and give the rest back to the project: the end of the dispute."""
    dispute.awarded_minutes, dispute.settled_by = minutes, by
    _move(session, actor, dispute, DisputeState.SETTLED, None)
    _pay(session, actor, dispute, part_of(dispute, minutes))
    _give_back(session, actor, dispute)


def award(session: Session, actor: Actor, dispute: TimeDispute, minutes: int, appeal_until: datetime) -> None:
    """A ruling: pay for so many minutes of the line; the rest waits until an appeal is no longer possible."""
    dispute.awarded_minutes, dispute.settled_by = minutes, SettledBy.RULING
    _move(session, actor, dispute, DisputeState.RULED, appeal_until)
    _pay(session, actor, dispute, part_of(dispute, minutes))
    _tell(session, dispute)


def finish(session: Session, actor: Actor, dispute: TimeDispute) -> None:
    """No appeal is possible any more: what the ruling did not award goes back to the project."""
    _move(session, actor, dispute, DisputeState.SETTLED, None)
    _give_back(session, actor, dispute)


def award_rest(session: Session, actor: Actor, dispute: TimeDispute) -> None:
    """An appeal against the ruling was upheld: pay for what it had left out."""
    had = part_of(dispute, dispute.awarded_minutes or 0)
    minutes, whole = dispute.minutes, part_of(dispute, dispute.minutes)
    rest = replace(
        whole,
        minutes=minutes - had.minutes,
        pay=whole.pay - had.pay,
        fee=whole.fee - had.fee,
        tax=whole.tax - had.tax,
    )
    dispute.awarded_minutes, dispute.settled_by = minutes, SettledBy.APPEAL
    _move(session, actor, dispute, DisputeState.SETTLED, None)
    _pay(session, actor, dispute, rest, part=1)
    _tell(session, dispute)


def withheld(dispute: TimeDispute) -> int:
    """Pay, fee and its tax, in minor units, that nobody was awarded."""
    return part_of(dispute, dispute.minutes).total - part_of(dispute, dispute.awarded_minutes or 0).total


def part_of(dispute: TimeDispute, minutes: int) -> Line:
    """So many minutes of the line, priced; all of them as they were entered."""
    fee_bps, decided = dispute.contract.fee_at(dispute.entry.started_at), dispute.tax_decision
    if minutes == dispute.minutes:
        parts = Split(dispute.expert_amount, dispute.fee_amount, dispute.tax_amount)
    else:
        pay = money.for_minutes(dispute.rate, minutes)
        parts = split(pay, fee_bps, decided.rate_bps if decided else 0)
    return Line(dispute.entry, minutes, dispute.rate, parts.pay, parts.fee, fee_bps, parts.tax, decided)


def _move(
    session: Session, actor: Actor, dispute: TimeDispute, to: DisputeState, due_at: datetime | None
) -> None:
    move(dispute, to, DISPUTE_MOVES)
    dispute.due_at = due_at
    dispute.settled_at = clock.now() if to is DisputeState.SETTLED else None
    session.flush()
    audit.record(
        session, actor, f"dispute.{to}", "time_dispute", dispute.public_id,
        minutes=dispute.awarded_minutes, by=dispute.settled_by,
    )  # fmt: skip


def _pay(session: Session, actor: Actor, dispute: TimeDispute, line: Line, part: int = 0) -> None:
    if not line.pay:
        return
    contract = dispute.contract
    approval = freeze(session, actor, dispute.timesheet, [line], dispute_id=dispute.id, part=part)
    entry = NewEntry(
        source=f"approval:{approval.public_id}",
        event="approved",
        currency=contract.currency,
        lines=[
            (chart.disputed(contract.project.public_id), line.total),
            (chart.expert_payable(contract.person.public_id), -line.pay),
            (chart.client_fees(), -line.fee),
            (chart.tax_payable(), -line.tax),
        ],
        occurred_at=approval.at,
        memo=_("Questioned time, approved after all"),
    )
    ledger.post_many(session, actor, [entry])
    session.flush()


def _give_back(session: Session, actor: Actor, dispute: TimeDispute) -> None:
    """What was not awarded is the project's again. Both sides are told."""
    if rest := withheld(dispute):
        ours = min(rest, _rounding(session, dispute))
        ledger.post_many(session, actor, [_returning(dispute, rest, ours)])
        projection.push_project(session, dispute.contract.project_id)
    _tell(session, dispute)


def _rounding(session: Session, dispute: TimeDispute) -> int:
    """What of the week is still on 5080, in minor units: the site bore it when the week was approved, so what
    comes back is the site's first."""
    sheet = dispute.timesheet
    others = sa.select(TimeDispute.public_id).filter_by(timesheet_id=sheet.id)
    sources = [f"approval:{each.public_id}" for each in sheet.approvals]
    sources += [f"time_dispute:{each}" for each in session.scalars(others)]
    of_week = sum(
        posting.amount
        for entry in ledger.entries_of(session, sources)
        for posting in entry.postings
        if posting.account.key == chart.rounding().key
    )
    # Corrections of pay took theirs from the whole contract.
    return max(0, min(of_week, returning.borne(session, dispute.contract)))


def _returning(dispute: TimeDispute, amount: int, ours: int) -> NewEntry:
    contract = dispute.contract
    return NewEntry(
        source=f"time_dispute:{dispute.public_id}",
        event="returned",
        currency=contract.currency,
        lines=[
            (chart.disputed(contract.project.public_id), amount),
            (chart.rounding(), -ours),
            (chart.project_funds(contract.project.public_id), ours - amount),
        ],
        occurred_at=clock.now(),
        memo=_("Questioned time that is not paid, returned"),
    )


def _tell(session: Session, dispute: TimeDispute) -> None:
    path, contract = f"/disputes/{dispute.public_id}", dispute.contract
    line = part_of(dispute, dispute.awarded_minutes or 0)

    def say() -> tuple[str, str]:
        return (
            _("A questioned line is settled")
            if dispute.state is DisputeState.SETTLED
            else _("There is a ruling about a questioned line"),
            _(
                "%(gig)s: %(awarded)s of %(entered)s are paid, %(pay)s.",
                gig=contract.gig.title,
                awarded=spell(line.minutes),
                entered=spell(dispute.minutes),
                pay=Money(line.pay, contract.currency),
            ),
        )

    tell(session, contract.person_id, "dispute.settled", path, say)
    tell_client(session, contract.organization_id, "dispute.settled", path, say)
