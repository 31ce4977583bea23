"""Above an amount two people approve a week: the second confirms the same lines, and money moves then."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.grants import end_role
from marketplace.accounts.models import RoleGrant
from marketplace.actor import Actor, Role
from marketplace.audit.models import AuditEvent
from marketplace.contracts import queries
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.approvals import approve_overdue, approve_timesheet
from marketplace.contracts.approving import rules, steps
from marketplace.contracts.approving.models import EndedAs, FirstApproval
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.entries import add_entry
from marketplace.contracts.models import Approval, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.timesheets import return_timesheet, submit_timesheet
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.notifications.models import Notification
from marketplace.reasons.models import Statement
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, work
from tests.factories.disputes import a_week_of_lines
from tests.factories.gigs import a_client
from tests.visitor import Visitor, words

TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
# Pay and fee of an hour.
HOUR = Money(180_00, "USD")
SAID = "The tool counted nothing on that day."


@pytest.fixture
def deal(session: Session) -> Deal:
    """Two people approve from 180 dollars on."""
    with clock.at(MONDAY):
        deal = a_deal(session)
        rules.set_rule(session, deal.client, deal.project.organization.public_id, HOUR)
        return deal


@pytest.fixture
def sheet(session: Session, deal: Deal) -> Timesheet:
    """A week of one hour, which comes to the amount exactly."""
    with clock.at(WEDNESDAY):
        return a_submitted_week(session, deal, TUESDAY)


@pytest.fixture
def third(session: Session, deal: Deal) -> Actor:
    """One more who approves for the client."""
    erin = a_person(session, "Erin Approver", Role.CLIENT_APPROVER, organization=deal.project.organization)
    return an_actor(session, erin)


def first_of(session: Session, sheet: Timesheet, who: Actor, *questions: Question) -> FirstApproval:
    with clock.at(WEDNESDAY):
        done = steps.approve_week(session, who, sheet.public_id, sheet.version, questions)
    assert isinstance(done, FirstApproval)
    return done


def owed(session: Session, deal: Deal) -> int:
    return -ledger.balance(session, chart.expert_payable(deal.contract.person.public_id), "USD")


def count(session: Session, kind: type) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(kind)) or 0


def told(session: Session, actor: Actor, kind: str) -> list[str]:
    return list(session.scalars(sa.select(Notification.title).filter_by(person_id=actor.id, kind=kind)))


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_money_moves_with_the_second_person(session: Session, deal: Deal, sheet: Timesheet) -> None:
    assert sheet.two_people
    first = first_of(session, sheet, deal.approver)
    assert (owed(session, deal), sheet.state) == (0, TimesheetState.SUBMITTED)
    assert told(session, deal.client, "timesheet.second") == ["A week of Ana Expert needs your approval too"]
    assert told(session, deal.approver, "timesheet.second") == []
    with clock.at(WEDNESDAY):
        approval = steps.confirm_week(session, deal.client, sheet.public_id, sheet.version, first.public_id)
    assert owed(session, deal) == 150_00
    assert (approval.person_id, approval.first_person_id) == (deal.client.id, deal.approver.id)
    assert (first.ended_as, first.ended_by) == (EndedAs.CONFIRMED, deal.client.id)
    acts = sa.select(AuditEvent.verb).where(AuditEvent.verb.startswith("timesheet."))
    assert list(session.scalars(acts.order_by(AuditEvent.id)))[-2:] == [
        "timesheet.first_approved", "timesheet.approved",
    ]  # fmt: skip
    no_drift(session)


def test_below_the_amount_one_is_enough(session: Session, deal: Deal) -> None:
    with clock.at(WEDNESDAY):
        small = a_submitted_week(session, deal, TUESDAY, 59)
        assert not small.two_people
        done = steps.approve_week(session, deal.approver, small.public_id, small.version)
    assert isinstance(done, Approval)


def test_nobody_is_both(session: Session, deal: Deal, sheet: Timesheet) -> None:
    first = first_of(session, sheet, deal.approver)
    for again in (
        lambda: steps.approve_week(session, deal.approver, sheet.public_id, sheet.version),
        lambda: steps.confirm_week(session, deal.approver, sheet.public_id, sheet.version, first.public_id),
        lambda: steps.send_back(session, deal.approver, sheet.public_id, first.public_id, SAID),
    ):
        with pytest.raises(Refused, match="You gave the first"):
            again()
    with pytest.raises(Refused, match="needs two people"):
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert count(session, Approval) == 0


@pytest.mark.parametrize("given", [False, True], ids=["without a first", "with one's own"])
def test_the_database_refuses_one_person_alone(
    session: Session, deal: Deal, sheet: Timesheet, given: bool
) -> None:
    first = first_of(session, sheet, deal.approver)
    session.add(
        Approval(
            timesheet_id=sheet.id,
            person_id=deal.approver.id,
            first_id=first.id if given else None,
            first_person_id=deal.approver.id if given else None,
            at=WEDNESDAY,
            lines_sha256=bytes(32),
            expert_amount=1,
            fee_amount=0,
        )
    )
    with pytest.raises(DBAPIError, match=r"two_people|needs two people"):
        session.flush()


def test_the_second_confirms_what_the_first_questioned(session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    entry = sheet.entries[0]
    first = first_of(session, sheet, deal.approver, Question(entry.public_id, "time_too_long", SAID, 10))
    assert (count(session, Statement), count(session, TimeDispute)) == (0, 0)
    with pytest.raises(Refused, match="Look at what they decided"):
        steps.approve_week(session, deal.client, sheet.public_id, sheet.version)
    with clock.at(WEDNESDAY):
        approval = steps.confirm_week(session, deal.client, sheet.public_id, sheet.version, first.public_id)
    [dispute] = session.scalars(sa.select(TimeDispute)).all()
    assert (dispute.entry, dispute.opened_by, dispute.offered_minutes) == (entry, deal.approver.id, 10)
    assert session.scalars(sa.select(Statement)).one().decided_by == deal.approver.id
    assert len(approval.lines) == len(sheet.entries) - 1
    no_drift(session)


def test_a_question_without_a_reason_is_not_kept_for_the_second(
    session: Session, deal: Deal, sheet: Timesheet
) -> None:
    entry = sheet.entries[0].public_id
    for wrong in (Question(entry, "no such", SAID), Question(entry, "time_too_long", "no")):
        with pytest.raises(Invalid):
            first_of(session, sheet, deal.approver, wrong)
    assert count(session, FirstApproval) == 0


def test_silence_approves_and_what_the_first_questioned_stays_questioned(
    session: Session, deal: Deal
) -> None:
    sheet = a_week_of_lines(session, deal)
    asked = Question(sheet.entries[0].public_id, "time_too_long", SAID)
    first = first_of(session, sheet, deal.approver, asked)
    with clock.at(WEDNESDAY + timedelta(days=5)):
        assert approve_overdue(session) == 1
    session.refresh(sheet)
    assert sheet.approval is not None
    assert (sheet.approval.person_id, sheet.approval.first_person_id) == (None, deal.approver.id)
    assert len(sheet.approval.lines) == len(sheet.entries) - 1
    assert session.scalars(sa.select(TimeDispute)).one().opened_by == deal.approver.id
    assert first.ended_as is EndedAs.DEADLINE
    no_drift(session)


def test_silence_approves_without_any_first_too(session: Session, deal: Deal, sheet: Timesheet) -> None:
    with clock.at(WEDNESDAY + timedelta(days=5)):
        assert approve_overdue(session) == 1
    assert owed(session, deal) == 150_00


def test_it_is_sent_back_to_the_first_with_a_note(
    session: Session, deal: Deal, sheet: Timesheet, third: Actor
) -> None:
    first = first_of(session, sheet, deal.approver)
    with pytest.raises(Invalid):
        steps.send_back(session, deal.client, sheet.public_id, first.public_id, "no")
    steps.send_back(session, deal.client, sheet.public_id, first.public_id, SAID)
    assert told(session, deal.approver, "timesheet.sent_back") == [
        "Carla Client did not confirm your first approval"
    ]
    with pytest.raises(Refused, match="does not stand any more"):
        steps.confirm_week(session, third, sheet.public_id, sheet.version, first.public_id)
    again = first_of(session, sheet, third)
    with clock.at(WEDNESDAY):
        steps.confirm_week(session, deal.approver, sheet.public_id, sheet.version, again.public_id)
    assert owed(session, deal) == 150_00


def test_the_first_takes_it_back_and_nobody_else_does(session: Session, deal: Deal, sheet: Timesheet) -> None:
    first = first_of(session, sheet, deal.approver)
    with pytest.raises(Refused, match="Only who gave"):
        steps.take_back(session, deal.client, sheet.public_id, first.public_id)
    steps.take_back(session, deal.approver, sheet.public_id, first.public_id)
    assert first.ended_as is EndedAs.TAKEN_BACK
    first_of(session, sheet, deal.client)


def test_a_week_that_changes_begins_again(session: Session, deal: Deal, sheet: Timesheet) -> None:
    first = first_of(session, sheet, deal.approver)
    with clock.at(WEDNESDAY):
        return_timesheet(session, deal.client, sheet.public_id, sheet.version, "entry_wrong", SAID)
        assert first.ended_as is EndedAs.RETURNED
        add_entry(session, deal.expert, deal.contract.public_id, work(TUESDAY + timedelta(hours=2)))
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        with pytest.raises(Refused, match="does not stand any more"):
            steps.confirm_week(session, deal.client, sheet.public_id, sheet.version, first.public_id)
    first_of(session, sheet, deal.client)


def test_a_first_of_another_version_is_not_confirmed(session: Session, deal: Deal, sheet: Timesheet) -> None:
    """Nothing of ours changes a week that waits; should something ever, the first holds no more."""
    first = first_of(session, sheet, deal.approver)
    sheet.version += 1
    session.commit()
    with pytest.raises(Refused, match="does not stand any more"):
        steps.confirm_week(session, deal.client, sheet.public_id, sheet.version, first.public_id)
    first_of(session, sheet, deal.client)
    assert first.ended_as is EndedAs.CHANGED


def test_only_an_admin_sets_the_amount_for_weeks_to_come(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(WEDNESDAY):
        before = a_submitted_week(session, deal, TUESDAY)
    organization = deal.project.organization.public_id
    rival, _theirs = a_client(session, "Rival AI")
    for who, refusal in ((deal.approver, NotAllowed), (deal.expert, NotFound), (rival, NotFound)):
        with pytest.raises(refusal):
            rules.set_rule(session, who, organization, HOUR)
    with pytest.raises(Invalid, match="above zero"):
        rules.set_rule(session, deal.client, organization, Money(0, "USD"))
    rules.set_rule(session, deal.client, organization, HOUR)
    [noted] = session.scalars(sa.select(AuditEvent).filter_by(verb="approval_rule.set"))
    assert noted.person_id == deal.client.id
    assert not before.two_people
    with clock.at(WEDNESDAY):
        steps.approve_week(session, deal.approver, before.public_id, before.version)
    rules.set_rule(session, deal.client, organization, None)
    rule = rules.rule_of(session, deal.contract.organization_id)
    assert rule is not None
    assert rule.amount is None


def test_it_cannot_be_set_where_one_person_decides(app: Flask, session: Session, deal: Deal) -> None:
    rival, organization = a_client(session, "Rival AI")
    with pytest.raises(Refused, match="Only one person"):
        rules.set_rule(session, rival, organization, HOUR)
    page = words(at_browser(app, session, rival).get(f"/team/{organization}/two-people"))
    assert "Only one person can approve in your company" in page
    assert "Set the amount" not in page


def test_who_is_left_alone_is_told_so(app: Flask, session: Session, deal: Deal, sheet: Timesheet) -> None:
    grant = session.scalars(sa.select(RoleGrant).filter_by(person_id=deal.approver.id, ended_at=None)).one()
    end_role(session, deal.client, grant.public_id)
    with clock.at(WEDNESDAY):
        browser = at_browser(app, session, deal.client)
        path = f"/timesheets/{sheet.public_id}"
        assert "with your approval alone it counts as approved at its deadline" in words(browser.get(path))
        browser.post(f"{path}/approval", version=sheet.version)
        assert "so it counts as approved at its deadline" in words(browser.get(path))


def test_both_do_it_on_the_pages(app: Flask, session: Session, deal: Deal, sheet: Timesheet) -> None:
    path = f"/timesheets/{sheet.public_id}"
    with clock.at(WEDNESDAY):
        dev, carla, ana = (at_browser(app, session, who) for who in (deal.approver, deal.client, deal.expert))
        assert "Yours is the first approval" in words(dev.get(path))
        assert "first of two approvals" in words(dev.post(f"{path}/approval", version=sheet.version))
        assert "Waiting for a second person" in words(dev.get("/timesheets/waiting"))
        assert "Take your first approval back" in words(dev.get(path))
        assert "Approved by one of two" in words(ana.get(path))
        assert "Dev" not in words(ana.get(path))
        assert "yours is the second approval, after Dev Approver" in words(carla.get("/timesheets/waiting"))
        seen = carla.get(path)
        assert "Dev Approver gave the first of two approvals" in words(seen)
        [confirming] = re.findall(rf'action="({path}/confirmation/[^"]+)"', seen.text)
        [sending] = re.findall(rf'action="({path}/first-approval/[^"]+/sending-back)"', seen.text)
        assert "Write in a sentence or two" in words(carla.post(sending, note="no"))
        assert "approved by two people" in words(carla.post(confirming, version=sheet.version))
        assert "First of two approvals Dev Approver" in words(carla.get(path))


def test_lines_are_questioned_as_the_first_on_the_page(app: Flask, session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    path = f"/timesheets/{sheet.public_id}"
    with clock.at(WEDNESDAY):
        dev, carla = at_browser(app, session, deal.approver), at_browser(app, session, deal.client)
        dev.get(f"{path}/lines")
        said = dev.post(
            f"{path}/lines", version=sheet.version, reason_1="time_too_long", explanation_1=SAID, minutes_1=5
        )
        assert "take effect when a colleague confirms them" in words(said)
        assert "You questioned: Tue" in words(dev.get(path))
        page = words(carla.get(path))
        assert "One line is questioned" in page
        assert SAID in page
        assert "Would pay for 0 h 05 min of it." in page
    assert count(session, TimeDispute) == 0


def test_what_waits_for_a_colleague_does_not_wait_for_oneself(
    session: Session, deal: Deal, sheet: Timesheet
) -> None:
    first_of(session, sheet, deal.approver)

    def ids(query: sa.Select[Timesheet]) -> list[int]:
        return [each.id for each in session.scalars(query).unique()]

    assert ids(queries.waiting_for_approval(deal.approver)) == []
    assert ids(queries.waiting_for_second(deal.approver)) == [sheet.id]
    assert ids(queries.waiting_for_approval(deal.client)) == [sheet.id]


def test_a_week_that_needed_two_needs_them_still_when_it_comes_back(
    session: Session, deal: Deal, sheet: Timesheet
) -> None:
    """Nobody changes the rule, returns the week, and approves it alone as it is submitted again."""
    with clock.at(WEDNESDAY):
        rules.set_rule(session, deal.client, deal.project.organization.public_id, None)
        why = "Please hand it in again with a note for each of the lines."
        return_timesheet(session, deal.client, sheet.public_id, sheet.version, "entry_wrong", why)
        session.refresh(sheet)
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
    assert sheet.two_people
    first_of(session, sheet, deal.client)


@pytest.mark.parametrize("parts", [(150_00,), (100_00, 50_00)])
def test_nobody_gives_alone_what_two_have_to_approve(
    session: Session, deal: Deal, parts: tuple[int, ...]
) -> None:
    """Neither in parts, nor by changing the rule first. What is less is given at once."""

    def give(amount: int, kind: Kind = Kind.BONUS, reason: str = "outstanding") -> Adjustment:
        draft = Draft(kind, amount, reason, SAID, uuid.uuid4())
        return adjust(session, deal.client, deal.contract.public_id, draft)

    with clock.at(WEDNESDAY):
        for part in parts[:-1]:
            give(part)
        rules.set_rule(session, deal.client, deal.project.organization.public_id, None)
        with pytest.raises(Refused, match=r"\$180\.00 on") as refused:
            give(parts[-1])
        assert "$180.00" in refused.value.sentence
        with pytest.raises(Refused, match=r"two people decide"):
            give(parts[-1], Kind.CORRECTION, "left_out")
        assert give(parts[-1] - 1).amount == parts[-1] - 1
    with clock.at(WEDNESDAY + timedelta(days=8)):
        assert give(500_00).amount == 500_00
