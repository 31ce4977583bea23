"""Questioned lines: the rest is approved at once, and nobody can let the question lie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.grants import give
from marketplace.accounts.models import RoleGrant
from marketplace.actor import SITE, Actor, Role
from marketplace.contracts import figures, queries, tasks
from marketplace.contracts.approvals import approve_overdue, approve_timesheet
from marketplace.contracts.disputes import queries as of_disputes
from marketplace.contracts.disputes import turns
from marketplace.contracts.disputes.models import TimeDispute, Turn
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.disputes.ruling import rule
from marketplace.contracts.models import Approval, ApprovedLine
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.states import DisputeState, SettledBy, TimesheetState
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs.rates import Earned
from marketplace.ledger import NewEntry, chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.notifications.models import Notification
from marketplace.payments import batches
from marketplace.reasons import appeals
from marketplace.reasons.models import Outcome, Statement
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, person_of
from tests.factories.disputes import WEDNESDAY, a_question, a_week_of_lines, questioned
from tests.factories.gigs import a_client, an_expert

assert tasks  # What an upheld appeal undoes is said there.
TEXT = "I read every one of the forty slices twice."


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def opa(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))


@pytest.fixture
def dispute(session: Session, deal: Deal) -> TimeDispute:
    """One line of half an hour ($75.00 and a fee of $15.00) in dispute; the client offers ten minutes."""
    return questioned(session, deal, a_week_of_lines(session, deal), 3, offered=10)[0]


def days(number: float) -> datetime:
    return WEDNESDAY + timedelta(days=number)


def owed(session: Session, deal: Deal) -> int:
    return -ledger.balance(session, chart.expert_payable(deal.contract.person.public_id), "USD")


def apart(session: Session, deal: Deal) -> int:
    return -ledger.balance(session, chart.disputed(deal.project.public_id), "USD")


def free(session: Session, deal: Deal) -> int:
    return -ledger.balance(session, chart.project_funds(deal.project.public_id), "USD")


def no_drift(session: Session) -> None:
    assert [drift for proof in (*PROOFS, *LEDGER_PROOFS) for drift in proof.run(session)] == []


def test_two_lines_of_ten_wait_and_eight_are_paid(session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    before = free(session, deal)
    questioned(session, deal, sheet, 2, 7)
    assert sheet.state is TimesheetState.APPROVED
    assert sheet.approval is not None
    assert [line.time_entry_id for line in sheet.approval.lines] == [
        entry.id for n, entry in enumerate(sheet.entries) if n not in (2, 7)
    ]
    [(approval, _person)] = session.execute(batches.unpaid("USD")).all()
    assert approval.expert_amount == 8 * 75_00 == owed(session, deal)
    assert apart(session, deal) == 2 * 90_00
    # Reserved were ten hours, of which five were worked; the other five are free again.
    assert free(session, deal) - before == 1_800_00 - 10 * 90_00
    no_drift(session)


def test_the_journal_row_by_row(session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    [dispute] = questioned(session, deal, sheet, 0, offered=10)
    with clock.at(days(1)):
        turns.agree(session, deal.expert, dispute.public_id, 10)
    assert sheet.approval is not None
    [entry] = ledger.entries_for(session, f"approval:{sheet.approval.public_id}")
    assert [(p.account.code, p.amount) for p in entry.postings] == [
        ("2020", 900_00), ("2100", -675_00), ("4010", -135_00), ("2120", -90_00),
    ]  # fmt: skip
    [entry] = ledger.entries_for(session, f"approval:{sheet.approvals[1].public_id}")
    assert [(p.account.code, p.amount) for p in entry.postings] == [
        ("2120", 30_00), ("2100", -25_00), ("4010", -5_00),
    ]  # fmt: skip
    [entry] = ledger.entries_for(session, f"time_dispute:{dispute.public_id}")
    assert [(p.account.code, p.amount) for p in entry.postings] == [("2120", 60_00), ("2010", -60_00)]
    no_drift(session)


def test_the_expert_is_told_why_and_answers_on_the_page_of_the_dispute(
    session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    statement = session.scalars(sa.select(Statement).filter_by(subject_id=dispute.public_id)).one()
    assert (statement.subject_kind, statement.reason_code) == ("time_dispute", "time_too_long")
    assert statement.person_id == deal.expert.id
    with clock.at(days(1)), pytest.raises(Refused, match="answered on its own page"):
        appeals.appeal(session, deal.expert, statement.public_id, TEXT)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reason_code": "no_such"}, "one of the reasons"),
        ({"explanation": "short"}, "Explain in a sentence"),
        ({"offered_minutes": 30}, "Offer fewer minutes"),
        ({"offered_minutes": -1}, "Offer fewer minutes"),
    ],
)
def test_a_question_needs_a_reason_and_less_than_all(
    session: Session, deal: Deal, change: dict, sentence: str
) -> None:
    sheet = a_week_of_lines(session, deal)
    question = Question(**{**vars(a_question(sheet, 0)), **change})
    with clock.at(WEDNESDAY), pytest.raises(Invalid, match=sentence):
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version, [question])
    assert sheet.state is TimesheetState.SUBMITTED
    assert apart(session, deal) == 0


def test_only_lines_of_the_week_are_questioned(session: Session, deal: Deal, dispute: TimeDispute) -> None:
    with clock.at(MONDAY):
        other = a_deal(session, expert=an_expert(session, "Otto Other"))
    sheet = a_week_of_lines(session, other)
    strange = Question(dispute.entry.public_id, "time_too_long", "Not one of this week at all.")
    with clock.at(WEDNESDAY), pytest.raises(Invalid, match="not a paid line"):
        approve_timesheet(session, other.client, sheet.public_id, sheet.version, [strange])


def test_every_line_can_be_questioned(session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal, lines=2)
    disputes = questioned(session, deal, sheet, 0, 1)
    assert owed(session, deal) == 0
    assert session.execute(batches.unpaid("USD")).all() == []
    with clock.at(days(1)):
        for each in disputes:
            turns.agree(session, deal.client, each.public_id, 30)
    assert owed(session, deal) == 150_00
    no_drift(session)


def test_they_go_back_and_forth_and_agree(session: Session, deal: Deal, dispute: TimeDispute) -> None:
    public_id = dispute.public_id
    with clock.at(days(1)):
        turns.answer(session, deal.expert, public_id, TEXT, 25)
        assert dispute.state is DisputeState.ANSWERED
        with pytest.raises(Refused, match="not your turn"):
            turns.answer(session, deal.expert, public_id, TEXT, 24)
        for cannot in (10, 25, 31):
            with pytest.raises(Invalid, match="Offer more than"):
                turns.offer(session, deal.client, public_id, TEXT, cannot)
        turns.offer(session, deal.client, public_id, TEXT, 20)
        for cannot in (20, 31):
            with pytest.raises(Invalid, match="Ask for more than"):
                turns.answer(session, deal.expert, public_id, TEXT, cannot)
        with pytest.raises(Refused, match="another number"):
            turns.agree(session, deal.expert, public_id, 10)
        turns.agree(session, deal.expert, public_id, 20)
    assert (dispute.state, dispute.settled_by) == (DisputeState.SETTLED, SettledBy.AGREED)
    assert owed(session, deal) == 9 * 75_00 + 50_00
    assert apart(session, deal) == 0
    assert [turn.minutes for turn in dispute.turns] == [10, 25, 20, 20]
    with clock.at(days(2)), pytest.raises(Refused):
        turns.agree(session, deal.client, public_id, 25)
    no_drift(session)


def test_a_silent_client_pays_the_whole_line(session: Session, deal: Deal, dispute: TimeDispute) -> None:
    with clock.at(days(1)):
        turns.answer(session, deal.expert, dispute.public_id, TEXT)
    with clock.at(days(5.9)):
        assert turns.settle_overdue(session) == 0
    with clock.at(days(6)):
        assert turns.settle_overdue(session) == 1
        assert turns.settle_overdue(session) == 0
    assert (dispute.state, dispute.settled_by) == (DisputeState.SETTLED, SettledBy.DEADLINE)
    assert owed(session, deal) == 10 * 75_00
    no_drift(session)


def test_a_silent_expert_loses_nothing_and_a_silent_site_pays(
    session: Session, deal: Deal, opa: Actor, dispute: TimeDispute
) -> None:
    with clock.at(days(7)):
        assert turns.settle_overdue(session) == 1
    assert dispute.state is DisputeState.RULING
    told = sa.select(Notification.person_id).where(Notification.kind == "dispute.ruling")
    assert session.scalars(told).all() == [opa.id]
    with clock.at(days(21)):
        assert turns.settle_overdue(session) == 1
    assert dispute.settled_by is SettledBy.DEADLINE
    assert owed(session, deal) == 10 * 75_00
    no_drift(session)


def to_ruling(session: Session, deal: Deal, dispute: TimeDispute) -> None:
    with clock.at(days(1)):
        turns.ask_for_ruling(session, deal.expert, dispute.public_id, TEXT)


def ruled(session: Session, opa: Actor, dispute: TimeDispute, minutes: int) -> None:
    with clock.at(days(2)):
        rule(session, opa, dispute.public_id, minutes, "partly_shown", "The log shows twenty minutes of it.")


def test_a_ruling_pays_its_part_at_once_and_the_rest_waits_for_an_appeal(
    session: Session, deal: Deal, opa: Actor, dispute: TimeDispute
) -> None:
    to_ruling(session, deal, dispute)
    ruled(session, opa, dispute, 20)
    assert dispute.state is DisputeState.RULED
    assert owed(session, deal) == 9 * 75_00 + 50_00
    assert apart(session, deal) == 30_00
    no_drift(session)
    before = free(session, deal)
    with clock.at(days(15.9)):
        assert turns.settle_overdue(session) == 0
    with clock.at(days(16.1)):
        assert turns.settle_overdue(session) == 1
    assert (dispute.state, apart(session, deal)) == (DisputeState.SETTLED, 0)
    assert free(session, deal) - before == 30_00
    no_drift(session)


@pytest.mark.parametrize("outcome", Outcome)
def test_an_appeal_against_a_ruling(
    session: Session, deal: Deal, opa: Actor, dispute: TimeDispute, outcome: Outcome
) -> None:
    to_ruling(session, deal, dispute)
    ruled(session, opa, dispute, 20)
    statement = session.scalars(sa.select(Statement).filter_by(subject_kind="ruling")).one()
    otto = an_actor(session, a_person(session, "Otto Operator", Role.OPERATOR))
    with clock.at(days(15)):
        opened = appeals.appeal(session, deal.expert, statement.public_id, TEXT)
    with clock.at(days(17)):
        assert turns.settle_overdue(session) == 0
        with pytest.raises(Refused, match="Somebody else"):
            appeals.decide(session, opa, opened.public_id, outcome, TEXT)
        appeals.decide(session, otto, opened.public_id, outcome, TEXT)
        turns.settle_overdue(session)
    assert dispute.state is DisputeState.SETTLED
    assert apart(session, deal) == 0
    upheld = outcome is Outcome.UPHELD
    assert owed(session, deal) == 9 * 75_00 + (75_00 if upheld else 50_00)
    lines = session.scalars(sa.select(ApprovedLine).filter_by(time_entry_id=dispute.time_entry_id)).all()
    assert [(line.minutes, line.expert_amount) for line in lines] == [(20, 50_00), *([(10, 25_00)] * upheld)]
    no_drift(session)


def test_a_ruling_for_all_of_it_needs_no_reason_and_one_for_nothing_does(
    session: Session, deal: Deal, opa: Actor
) -> None:
    first, second = questioned(session, deal, a_week_of_lines(session, deal), 0, 1)
    for each in (first, second):
        to_ruling(session, deal, each)
    with clock.at(days(2)):
        rule(session, opa, first.public_id, 30)
        with pytest.raises(Invalid):
            rule(session, opa, second.public_id, 0)
        for cannot in (-1, 31):
            with pytest.raises(Invalid, match="Award at least"):
                rule(session, opa, second.public_id, cannot, "not_shown", TEXT)
        rule(session, opa, second.public_id, 0, "not_shown", "The tool knows nothing of this time.")
        with pytest.raises(Refused, match="any more"):
            rule(session, opa, second.public_id, 30)
    assert (first.state, second.state) == (DisputeState.SETTLED, DisputeState.RULED)
    assert owed(session, deal) == 9 * 75_00
    no_drift(session)


def test_who_may_do_what(session: Session, deal: Deal, opa: Actor, dispute: TimeDispute) -> None:
    stranger, other = an_expert(session, "Zed Stranger"), a_client(session, "Elsewhere")[0]
    public_id = dispute.public_id
    with clock.at(days(1)):
        for nobody in (stranger, other):
            with pytest.raises(NotFound):
                turns.answer(session, nobody, public_id, TEXT)
        with pytest.raises(NotAllowed):
            turns.answer(session, deal.client, public_id, TEXT)
        for act in (
            lambda: turns.offer(session, deal.expert, public_id, TEXT, 20),
            lambda: turns.agree(session, opa, public_id, 30),
            lambda: turns.ask_for_ruling(session, opa, public_id, TEXT),
        ):
            with pytest.raises(NotAllowed):
                act()
        with pytest.raises(Refused, match="not your turn"):
            turns.ask_for_ruling(session, deal.client, public_id, TEXT)
        turns.ask_for_ruling(session, deal.expert, public_id, TEXT)
        for side in (deal.client, deal.expert):
            with pytest.raises(NotAllowed):
                rule(session, side, public_id, 30)


def test_whoever_is_a_side_does_not_rule(session: Session, deal: Deal, dispute: TimeDispute) -> None:
    to_ruling(session, deal, dispute)
    for side in (deal.client, deal.expert):
        person = person_of(session, side)
        give(session, SITE, person, Role.OPERATOR)
        with pytest.raises(NotAllowed, match="neither side"):
            rule(session, an_actor(session, person), dispute.public_id, 30)


def test_the_deadline_of_the_week_questions_nothing(session: Session, deal: Deal) -> None:
    a_week_of_lines(session, deal)
    with clock.at(days(5)):
        assert approve_overdue(session) == 1
    assert session.scalars(sa.select(TimeDispute)).all() == []
    assert owed(session, deal) == 750_00


def test_disputed_money_is_shown_apart(session: Session, deal: Deal, dispute: TimeDispute) -> None:
    found = queries.burn_down(session, deal.project)
    assert (found.spent.amount, found.disputed.amount) == (9 * 90_00, 90_00)
    with clock.at(days(1)):
        turns.agree(session, deal.expert, dispute.public_id, 10)
    found = queries.burn_down(session, deal.project)
    assert (found.spent.amount, found.disputed.amount) == (9 * 90_00 + 30_00, 0)
    assert found.funded.amount == 10_000_00
    assert found.spent + found.reserved + found.free == found.funded


def test_the_database_keeps_what_was_questioned_and_said(
    session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    entry, turn = dispute.time_entry_id, dispute.turns[0].id
    for statement in (
        f"UPDATE time_entries SET removed_at = now() WHERE id = {entry}",
        f"UPDATE time_dispute_turns SET text = 'x' WHERE id = {turn}",
        f"DELETE FROM time_disputes WHERE id = {dispute.id}",
        f"UPDATE time_disputes SET minutes = 1 WHERE id = {dispute.id}",
        f"UPDATE time_disputes SET state = 'settled' WHERE id = {dispute.id}",
    ):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.text(statement))


def test_nothing_is_questioned_or_ruled_without_reasons(
    session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    change = "UPDATE time_disputes SET state = 'ruled', awarded_minutes = 0, settled_by = 'ruling'"
    with pytest.raises(DBAPIError, match="statement of reasons"), session.begin_nested():
        session.execute(sa.text(change))


def test_each_step_is_written_down(session: Session, deal: Deal, dispute: TimeDispute) -> None:
    with clock.at(days(7)):
        turns.settle_overdue(session)
    kept = session.scalars(sa.select(Turn).order_by(Turn.id)).all()
    assert [(turn.act, turn.person_id) for turn in kept] == [
        ("questioned", deal.client.id), ("ran_out", SITE.person_id),
    ]  # fmt: skip
    assert session.scalar(sa.select(sa.func.count()).select_from(Approval)) == 1


def test_what_a_page_has_loaded_before_does_not_hinder_the_lock(session: Session, deal: Deal) -> None:
    """A list loads a week with all that stands around it, and a row of those cannot be locked with it."""
    sheet = a_week_of_lines(session, deal)
    shown = session.scalars(queries.waiting_for_approval(deal.client)).unique().all()
    assert shown == [sheet]
    [dispute] = questioned(session, deal, sheet, 3)
    assert session.scalars(of_disputes.disputes_for(deal.expert)).all() == [dispute]
    with clock.at(days(1)):
        turns.agree(session, deal.client, dispute.public_id, 30)
    assert dispute.state is DisputeState.SETTLED


def test_a_ruling_never_falls_below_what_the_client_offered_and_the_client_hears_of_it(
    session: Session, deal: Deal, opa: Actor, dispute: TimeDispute
) -> None:
    to_ruling(session, deal, dispute)
    with clock.at(days(2)), pytest.raises(Invalid, match="at least the 0 h 10 min"):
        rule(session, opa, dispute.public_id, 9, "partly_shown", TEXT)
    ruled(session, opa, dispute, 10)
    told = sa.select(Notification.title).filter_by(person_id=deal.client.id, kind="dispute.settled")
    assert session.scalars(told).all() == ["There is a ruling about a questioned line"]


def test_whoever_was_ever_a_side_neither_rules_nor_decides_the_appeal(
    session: Session, deal: Deal, opa: Actor, dispute: TimeDispute
) -> None:
    to_ruling(session, deal, dispute)
    colleague = person_of(session, deal.approver)
    grant = session.scalars(sa.select(RoleGrant).filter_by(person_id=colleague.id)).one()
    grant.ended_at = clock.now()
    give(session, SITE, colleague, Role.OPERATOR)
    former = an_actor(session, colleague)
    with clock.at(days(2)), pytest.raises(NotAllowed, match="neither side"):
        rule(session, former, dispute.public_id, 20, "partly_shown", TEXT)
    ruled(session, opa, dispute, 20)
    statement = session.scalars(sa.select(Statement).filter_by(subject_kind="ruling")).one()
    with clock.at(days(3)):
        opened = appeals.appeal(session, deal.expert, statement.public_id, TEXT)
        with pytest.raises(Refused, match="Somebody else"):
            appeals.decide(session, former, opened.public_id, Outcome.DISMISSED, TEXT)


def test_what_the_site_bore_by_rounding_comes_back_to_it(session: Session) -> None:
    """Twenty lines, each rounded up, together exceed what was reserved by some cents that are the site's."""
    with clock.at(MONDAY):
        deal = a_deal(session, rate=150_01)
    disputes = questioned(session, deal, a_week_of_lines(session, deal, lines=20), *range(20))
    assert ledger.balance(session, chart.rounding(), "USD") > 0
    no_drift(session)
    with clock.at(days(1)):
        for each in disputes:
            turns.agree(session, deal.expert, each.public_id, 0)
    assert ledger.balance(session, chart.rounding(), "USD") == 0
    found = queries.burn_down(session, deal.project)
    assert (found.spent.amount, found.funded.amount) == (0, 10_000_00)
    no_drift(session)


def drifting(session: Session) -> set[str]:
    return {proof.code for proof in PROOFS for _drift in proof.run(session)}


@pytest.mark.parametrize(
    ("source", "between", "code"),
    [
        ("manual:1", lambda project: (chart.suspense(), chart.disputed(project)), "C6"),
        ("time_dispute:odd", lambda project: (chart.suspense(), chart.project_funds(project)), "C2"),
        ("approval:{approval}", lambda _project: (chart.rounding(), chart.suspense()), "C9"),
    ],
)
def test_money_that_is_elsewhere_than_it_should_be_is_drift(
    session: Session, deal: Deal, dispute: TimeDispute, source: str, between: Callable[..., tuple], code: str
) -> None:
    approval = session.scalars(sa.select(Approval)).one().public_id
    debit, credit = between(deal.project.public_id)
    odd = NewEntry(
        source=source.format(approval=approval), event="odd", currency="USD",
        lines=[(debit, 5_000_00), (credit, -5_000_00)], occurred_at=WEDNESDAY, memo="Odd",
    )  # fmt: skip
    assert drifting(session) == set()
    ledger.post_many(session, SITE, [odd])
    assert code in drifting(session)


def test_an_award_that_is_not_what_was_approved_is_drift(
    session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    with clock.at(days(1)):
        turns.agree(session, deal.expert, dispute.public_id, 10)
    assert drifting(session) == set()
    session.execute(sa.update(TimeDispute).values(awarded_minutes=11))
    assert "C7" in drifting(session)


def test_time_beyond_what_is_reserved_is_not_approved_at_the_sites_cost(
    session: Session, deal: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it came to be entered: the site never bears more than roundings."""
    monkeypatch.setattr("marketplace.contracts.limits.require_reserved", lambda *_: None)
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, WEDNESDAY - timedelta(days=1), 11 * 60)
        with pytest.raises(Refused, match="More time is entered for this week than is reserved"):
            approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert sheet.state is TimesheetState.SUBMITTED
    assert ledger.balance(session, chart.rounding(), "USD") == 0


def test_a_line_in_dispute_counts_in_the_effective_rate_once_it_is_settled(
    session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    assert figures.earned(session, [deal.gig.id]) == {deal.gig.id: Earned(1, 9 * 75_00, 9 * 30)}
    with clock.at(days(1)):
        turns.agree(session, deal.expert, dispute.public_id, 10)
    assert figures.earned(session, [deal.gig.id]) == {deal.gig.id: Earned(1, 9 * 75_00 + 25_00, 300)}
