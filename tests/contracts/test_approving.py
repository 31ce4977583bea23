"""From a submitted week to what is owed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger, money
from marketplace.accounts.grants import actor_for, give
from marketplace.actor import SITE, Role
from marketplace.contracts import lines, queries
from marketplace.contracts.approvals import approve_overdue, approve_timesheet
from marketplace.contracts.entries import add_entries, change_entry, remove_entry
from marketplace.contracts.models import Approval, TimeEntry, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.states import Source, TimeKind, TimesheetState
from marketplace.contracts.timer import start_timer
from marketplace.contracts.timesheets import resubmit, return_timesheet, submit_forgotten, submit_timesheet
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.ledger import chart
from marketplace.notifications.models import Notification
from marketplace.reasons.models import Statement
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, an_entry, work
from tests.factories.gigs import a_client, an_expert

TUESDAY = MONDAY + timedelta(days=1)
WEDNESDAY = MONDAY + timedelta(days=2)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_it_works(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY, 60)
        assert sheet.approve_by == WEDNESDAY + timedelta(days=5)
        approval = approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    assert (approval.expert_amount, approval.fee_amount) == (150_00, 30_00)
    assert approval.person_id == deal.approver.id
    assert sheet.state is TimesheetState.APPROVED
    expert = chart.expert_payable(deal.contract.person.public_id)
    assert ledger.balance(session, expert, "USD") == -150_00
    no_drift(session)


def test_each_line_is_kept_as_it_was_priced(
    session: Session, deal: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock.at(WEDNESDAY):
        an_entry(session, deal, TUESDAY + timedelta(hours=3), 7)
        sheet = a_submitted_week(session, deal, TUESDAY, 60)
        asked = lines.lines_of(sheet)
        monkeypatch.setattr(lines, "_attested", lambda *_about: [[7, 5], []])
        approval = approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)

    kept = [
        (x.time_entry_id, x.part, x.minutes, x.rate, x.expert_amount, x.fee_amount, x.fee_bps, x.tax_amount,
         x.tax_decision_id, x.credential_attestation_ids)
        for x in approval.lines
    ]  # fmt: skip
    assert kept == [
        (x.entry.id, 0, x.minutes, x.rate, x.pay, x.fee, x.fee_bps, x.tax, None, checks)
        for x, checks in zip(asked, [[7, 5], []], strict=True)
    ]
    assert [each.minutes for each in approval.lines] == [60, 7]
    assert approval.lines_sha256 == lines.fingerprint(asked, [[7, 5], []])
    assert approval.lines_sha256 != lines.fingerprint(asked, [[7], [5]])


def test_the_journal_row_by_row(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY, 60)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    [entry] = ledger.entries_for(session, f"approval:{approval.public_id}")
    assert [(p.account.code, p.amount) for p in entry.postings] == [
        ("2020", 180_00),
        ("2100", -150_00),
        ("4010", -30_00),
    ]
    week = f"reservation:{deal.contract.public_id}:2026-06-01"
    assert [
        (e.event, [(p.account.code, p.amount) for p in e.postings]) for e in ledger.entries_for(session, week)
    ] == [
        ("reserved", [("2010", 1_800_00), ("2020", -1_800_00)]),
        ("returned", [("2010", -1_620_00), ("2020", 1_620_00)]),
    ]


def test_each_line_is_rounded_once_and_the_remainder_is_ours(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, rate=133_33, hours=1)
    with clock.at(WEDNESDAY):
        works = [work(TUESDAY + timedelta(minutes=6 * n), 6) for n in range(10)]
        entries = add_entries(session, deal.expert, deal.contract.public_id, works)
        sheet = entries[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert [(line.expert_amount, line.fee_amount) for line in approval.lines] == [(13_33, 2_67)] * 10
    reserved = 133_33 + money.share(133_33, 2_000)
    assert approval.expert_amount + approval.fee_amount == 160_00 == reserved
    no_drift(session)


def test_a_remainder_over_what_was_reserved_is_borne_by_the_site(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, rate=133_35, hours=1)
    with clock.at(WEDNESDAY):
        works = [work(TUESDAY + timedelta(minutes=2 * n), 2) for n in range(30)]
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    over = approval.expert_amount + approval.fee_amount - (133_35 + money.share(133_35, 2_000))
    assert over > 0
    assert ledger.balance(session, chart.rounding(), "USD") == over
    no_drift(session)


def test_a_second_approval_hears_that_it_is_done(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        seen = sheet.version
        approve_timesheet(session, deal.client, sheet.public_id, seen)
        with pytest.raises(Refused, match="already approved"):
            approve_timesheet(session, deal.approver, sheet.public_id, seen)
    assert session.scalar(sa.select(sa.func.count()).select_from(Approval)) == 1


def test_what_changed_since_it_was_opened_is_not_approved(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        with pytest.raises(Refused, match="changed since"):
            approve_timesheet(session, deal.client, sheet.public_id, sheet.version - 1)


def test_a_submitted_week_is_not_written_in(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        [entry] = sheet.entries
        for attempt in (
            lambda: an_entry(session, deal, TUESDAY + timedelta(hours=2)),
            lambda: remove_entry(session, deal.expert, entry.public_id, 1),
            lambda: start_timer(session, deal.expert, deal.contract.public_id, "review"),
        ):
            with pytest.raises(Refused, match="already submitted"):
                attempt()


def test_the_database_keeps_approved_time(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    sheet.entries[0].removed_at = WEDNESDAY
    with pytest.raises(DBAPIError, match="is approved"):
        session.flush()


def test_an_empty_week_or_a_running_timer_is_not_submitted(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        entry = an_entry(session, deal, TUESDAY)
        sheet = entry.timesheet
        timer = start_timer(session, deal.expert, deal.contract.public_id, "review")
        with pytest.raises(Refused, match="timer is still running"):
            submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        assert timer.timesheet is sheet


def test_returned_corrected_and_approved(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        with pytest.raises(Invalid):
            return_timesheet(session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "")
        return_timesheet(
            session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "You worked on Monday."
        )
        assert sheet.state is TimesheetState.RETURNED
        statement = session.scalars(sa.select(Statement).filter_by(subject_id=sheet.public_id)).one()
        assert statement.person_id == deal.expert.id
        change_entry(session, deal.expert, sheet.entries[0].public_id, 1, work(MONDAY, 45))
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert approval.expert_amount == 112_50
    no_drift(session)


def test_an_upheld_appeal_submits_it_again(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        return_timesheet(
            session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "You worked on Monday."
        )
        resubmit(session, SITE, sheet.public_id)
        assert sheet.state is TimesheetState.SUBMITTED
        resubmit(session, SITE, sheet.public_id)


def test_an_upheld_appeal_submits_what_a_running_timer_counted(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        return_timesheet(
            session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "You worked on Monday."
        )
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(WEDNESDAY + timedelta(hours=2)):
        use_case(resubmit)(session, SITE, sheet.public_id)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert approval.expert_amount == 3 * 150_00
    no_drift(session)


def test_a_week_in_which_a_timer_runs_is_not_approved(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        session.add(_a_timer_beside_the_rules(sheet))
        session.commit()
        with pytest.raises(Refused, match="still running"):
            approve_timesheet(session, deal.client, sheet.public_id, sheet.version)


def _a_timer_beside_the_rules(sheet: Timesheet) -> TimeEntry:
    return TimeEntry(
        contract=sheet.contract,
        timesheet=sheet,
        person_id=sheet.contract.person_id,
        started_at=clock.now(),
        kind=TimeKind.PAID,
        source=Source.TIMER,
        task_kind="review",
        note="",
        version=1,
    )


def test_a_week_that_its_expert_forgets_is_submitted_for_them(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = an_entry(session, deal, TUESDAY).timesheet
    over = sheet.week_end_at
    with clock.at(over + timedelta(days=7, minutes=-1)):
        assert submit_forgotten(session) == 0
    with clock.at(over + timedelta(days=7)):
        assert submit_forgotten(session) == 1
        assert submit_forgotten(session) == 0
        assert sheet.state is TimesheetState.SUBMITTED
        told = session.scalars(sa.select(Notification.title).filter_by(person_id=deal.expert.id)).all()
        assert "Your week was submitted for you" in told
    with clock.at(over + timedelta(days=12)):
        assert approve_overdue(session) == 1
    no_drift(session)


def test_a_week_without_paid_time_is_not_submitted_by_anybody(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        entry = an_entry(session, deal, TUESDAY)
        remove_entry(session, deal.expert, entry.public_id, 1)
    with clock.at(MONDAY + timedelta(days=30)):
        assert submit_forgotten(session) == 0


def test_the_deadline_approves(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
    with clock.at(WEDNESDAY + timedelta(days=4)):
        assert approve_overdue(session) == 0
    with clock.at(WEDNESDAY + timedelta(days=5)):
        assert approve_overdue(session) == 1
        assert approve_overdue(session) == 0
    session.refresh(sheet)
    assert sheet.approval is not None
    assert sheet.approval.person_id is None
    no_drift(session)


def test_who_may_approve(session: Session, deal: Deal) -> None:
    rival, _organization = a_client(session, "Rival AI")
    fin = an_actor(session, a_person(session, "Fin Finance", Role.FINANCE_RELEASER))
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        with pytest.raises(NotFound):
            approve_timesheet(session, rival, sheet.public_id, sheet.version)
        for other in (deal.expert, fin):
            with pytest.raises(NotAllowed):
                approve_timesheet(session, other, sheet.public_id, sheet.version)


def test_an_expert_who_joins_the_client_does_not_approve_their_own_time(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        give(session, SITE, deal.contract.person, Role.CLIENT_APPROVER, deal.contract.organization)
        session.commit()
        both = actor_for(session, deal.expert.id)
        with pytest.raises(NotAllowed, match="your own time"):
            approve_timesheet(session, both, sheet.public_id, sheet.version)
        assert session.scalars(queries.waiting_for_approval(both)).all() == []
        assert session.scalars(queries.waiting_for_approval(deal.client)).all() == [sheet]


def test_weeks_roll_on_by_the_clock(session: Session, deal: Deal) -> None:
    next_monday = MONDAY + timedelta(days=7)
    with clock.at(MONDAY):
        assert roll_weeks(session) == 0
    with clock.at(next_monday):
        assert roll_weeks(session) == 1
        assert roll_weeks(session) == 0
    no_drift(session)
    with clock.at(next_monday + timedelta(days=2)):
        assert roll_weeks(session) == 1
        assert roll_weeks(session) == 0
        assert queries.burn_down(session, deal.project).reserved.amount == 2 * 1_800_00
    no_drift(session)


def test_a_week_with_work_in_it_keeps_its_money_until_it_is_approved(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        entry = an_entry(session, deal, TUESDAY)
    with clock.at(MONDAY + timedelta(days=30)):
        roll_weeks(session)
        sheet = entry.timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        assert queries.burn_down(session, deal.project).spent.amount == 0
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert queries.burn_down(session, deal.project).spent.amount == 180_00
    no_drift(session)


def test_funds_that_run_out_are_told_once_a_week(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, funds=2 * 1_800_00)
    with clock.at(MONDAY + timedelta(days=7)):
        assert roll_weeks(session) == 0
        assert roll_weeks(session) == 0
    told = session.scalars(sa.select(Notification).filter_by(kind="reservation.short")).all()
    assert {notice.person_id for notice in told} == {deal.expert.id, deal.client.id}
    assert len(told) == 2
    assert "$0.00 free" in told[0].body


def test_the_burn_down_adds_up(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    found = queries.burn_down(session, deal.project)
    assert found.funded.amount == 10_000_00
    assert found.spent.amount == 180_00
    assert found.spent + found.reserved + found.free == found.funded
    assert [amount.amount for _monday, amount in found.by_week] == [180_00]


def test_lines_for_a_payout_name_what_they_pay(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY, 90)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    [line] = queries.lines_for_payable(session, [approval.id])
    assert (line.gig_title, line.client, line.minutes, line.expert_amount) == (
        deal.gig.title,
        "Northwind AI",
        90,
        225_00,
    )
    assert an_expert(session, "Bea Expert").id != line.contract.person_id
