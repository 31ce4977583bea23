"""What happens when several people act at the same moment, on a database that really commits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Actor, Role
from marketplace.contracts import gaps, tasks
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.approving import rules
from marketplace.contracts.approving.steps import approve_week, confirm_week, take_back
from marketplace.contracts.disputes import turns
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.ruling import rule
from marketplace.contracts.entries import add_entry
from marketplace.contracts.models import Approval, Contract
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.states import DisputeState
from marketplace.contracts.timer import start_timer, stop_timer
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.qualification.writing import retire_test
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.reasons import appeals
from marketplace.reasons.models import Appeal, Statement
from tests.conftest import Committed
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, RATE, a_deal, a_submitted_week, an_offer, sign, work
from tests.factories.disputes import a_week_of_lines, questioned
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, fund
from tests.factories.sittings import a_test

assert tasks
pytestmark = pytest.mark.committed
TEXT = "I read every one of the forty slices twice."
WEDNESDAY = MONDAY + timedelta(days=2)


def at_once(committed: Committed, acts: list[Callable[[Session], object]]) -> list[str]:
    """Run each in a session and a thread of its own: `done`, or the sentence of the refusal."""

    def run(act: Callable[[Session], object]) -> str:
        with committed.session() as session, clock.at(WEDNESDAY):
            said = answer(act, session)
            # On a slow machine some wait for their turn longer than the database lets them, and are told so.
            while said.endswith("then retry."):
                said = answer(act, session)
            return said

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def answer(act: Callable[[Session], object], session: Session) -> str:
    try:
        act(session)
    except Refused as refusal:
        return refusal.sentence
    return "done"


def accepting(expert: Actor, offer: UUID) -> Callable[[Session], object]:
    return lambda session: accept_offer(session, expert, offer, expert.name)


def offers(committed: Committed, people: int, *, headcount: int, funds: int) -> list[tuple[Actor, UUID]]:
    """One gig, and an offer to each of `people`."""
    with committed.session() as session, clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, funds)
        gig = a_gig(session, client, project, headcount=headcount)
        experts = [an_expert(session, f"Expert {n}") for n in range(people)]
        return [(expert, an_offer(session, client, expert, gig).public_id) for expert in experts]


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_two_sign_for_the_last_place(committed: Committed) -> None:
    made = offers(committed, 2, headcount=1, funds=50_000_00)
    answers = at_once(committed, [accepting(*each) for each in made])
    assert answers.count("done") == 1
    assert sum("All places" in answer for answer in answers) == 1
    with committed.session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Contract)) == 1
        no_drift(session)


def test_twenty_sign_on_funds_for_five(committed: Committed) -> None:
    two_weeks = 2 * 10 * RATE * 120 // 100
    made = offers(committed, 20, headcount=20, funds=5 * two_weeks + 1)
    answers = at_once(committed, [accepting(*each) for each in made])
    assert answers.count("done") == 5
    assert sum("$0.01 free" in answer for answer in answers) == 15
    with committed.session() as session:
        [contract, *_others] = session.scalars(sa.select(Contract)).all()
        free = ledger.balance(session, chart.project_funds(contract.project.public_id), "USD")
        assert free == -1
        no_drift(session)


def test_two_bonuses_at_once_on_funds_for_one_give_one(committed: Committed) -> None:
    with committed.session() as session, clock.at(MONDAY):
        one = a_deal(session, funds=2 * 2 * 10 * RATE * 120 // 100 + 60_00)
        ben = an_expert(session, "Ben Other")
        two = sign(session, ben, an_offer(session, one.client, ben, one.gig))
        contracts = [(one.client, one.contract.public_id), (one.client, two.public_id)] * 2
        project = one.project.public_id
    bonus = Draft(Kind.BONUS, 50_00, "outstanding", TEXT, uuid4())
    answers = at_once(
        committed,
        [
            lambda session, client=client, contract=contract: adjust(
                session, client, contract, replace(bonus, key=uuid4())
            )
            for client, contract in contracts
        ],
    )
    assert answers.count("done") == 1
    assert sum("$0.00 is free in the project" in answer for answer in answers) == 3
    with committed.session() as session:
        assert session.scalars(sa.select(Adjustment.amount)).all() == [50_00]
        assert ledger.balance(session, chart.project_funds(project), "USD") == 0
        no_drift(session)


def test_one_form_clicked_four_times_at_once_gives_one_bonus(committed: Committed) -> None:
    with committed.session() as session, clock.at(MONDAY):
        deal = a_deal(session)
        client, contract = deal.client, deal.contract.public_id
    bonus = Draft(Kind.BONUS, 50_00, "outstanding", TEXT, uuid4())
    answers = at_once(committed, [lambda session: adjust(session, client, contract, bonus)] * 4)
    assert answers == ["done"] * 4
    with committed.session() as session:
        assert session.scalars(sa.select(Adjustment.amount)).all() == [50_00]
        no_drift(session)


def test_two_approve_the_same_week(committed: Committed) -> None:
    with committed.session() as session:
        with clock.at(MONDAY):
            deal = a_deal(session)
        with clock.at(WEDNESDAY):
            sheet = a_submitted_week(session, deal, MONDAY + timedelta(days=1))
        seen, version, people = sheet.public_id, sheet.version, (deal.client, deal.approver)
    answers = at_once(
        committed,
        [lambda session, who=who: approve_timesheet(session, who, seen, version) for who in people * 2],
    )
    assert answers.count("done") == 1
    assert answers.count("This week is already approved.") == 3
    with committed.session() as session:
        [approval] = session.scalars(sa.select(Approval)).all()
        assert len(ledger.entries_for(session, "approval:")) == 1
        assert approval.expert_amount == RATE
        no_drift(session)


def week_for_two(committed: Committed) -> tuple[list[Actor], UUID, int]:
    """Four who may approve, and a week that needs two of them."""
    with committed.session() as session:
        with clock.at(MONDAY):
            deal = a_deal(session)
            rules.set_rule(session, deal.client, deal.project.organization.public_id, Money(1, "USD"))
        others = [
            a_person(
                session, f"{name} Approver", Role.CLIENT_APPROVER, organization=deal.project.organization
            )
            for name in ("Erin", "Finn")
        ]
        people = [deal.client, deal.approver, *(an_actor(session, each) for each in others)]
        with clock.at(WEDNESDAY):
            sheet = a_submitted_week(session, deal, MONDAY + timedelta(days=1))
        return people, sheet.public_id, sheet.version


def one_posting(committed: Committed) -> Approval:
    with committed.session() as session:
        [approval] = session.scalars(sa.select(Approval)).all()
        assert len(ledger.entries_for(session, "approval:")) == 1
        no_drift(session)
        return approval


def test_two_at_the_same_moment_are_the_two_that_a_week_needs(committed: Committed) -> None:
    """F41 where two people are needed: each pressed the button twice, and one posting came of it."""
    people, seen, version = week_for_two(committed)
    pair = people[:2] * 2
    answers = at_once(
        committed, [lambda session, who=who: approve_week(session, who, seen, version) for who in pair]
    )
    assert answers.count("done") == 2
    assert all(
        "already approved" in each or "You gave the first" in each for each in answers if each != "done"
    )
    approval = one_posting(committed)
    assert {approval.person_id, approval.first_person_id} == {each.id for each in people[:2]}


def test_three_confirm_at_the_same_moment_and_one_posting_comes_of_it(committed: Committed) -> None:
    people, seen, version = week_for_two(committed)
    with committed.session() as session, clock.at(WEDNESDAY):
        first = approve_week(session, people[0], seen, version).public_id
    answers = at_once(
        committed,
        [lambda session, who=who: confirm_week(session, who, seen, version, first) for who in people[1:]],
    )
    assert sorted(answers) == ["This week is already approved."] * 2 + ["done"]
    assert one_posting(committed).first_person_id == people[0].id


def test_who_takes_it_back_and_who_confirms_do_not_both_succeed(committed: Committed) -> None:
    people, seen, version = week_for_two(committed)
    with committed.session() as session, clock.at(WEDNESDAY):
        first = approve_week(session, people[0], seen, version).public_id
    answers = at_once(
        committed,
        [
            lambda session: take_back(session, people[0], seen, first),
            lambda session: confirm_week(session, people[1], seen, version, first),
        ],
    )
    assert answers.count("done") == 1
    with committed.session() as session:
        approved = session.scalar(sa.select(sa.func.count()).select_from(Approval))
        assert approved == (answers[1] == "done")


def test_the_same_hour_in_two_tabs_is_entered_once(committed: Committed) -> None:
    with committed.session() as session, clock.at(MONDAY):
        deal = a_deal(session)
        one, two = deal, a_deal(session, expert=deal.expert)
        ids = [one.contract.public_id, two.contract.public_id] * 2
    hour = work(MONDAY + timedelta(days=1))
    answers = at_once(
        committed, [lambda session, id_=id_: add_entry(session, deal.expert, id_, hour) for id_ in ids]
    )
    assert answers.count("done") == 1
    with committed.session() as session:
        no_drift(session)


def test_a_gig_never_ends_with_a_test_that_was_put_away(committed: Committed) -> None:
    with committed.session() as session, clock.at(MONDAY):
        deal = a_deal(session)
        test = a_test(session, deal)
        said, gig, kept = replace(draft_of(deal.gig), test_id=test.id), deal.gig.public_id, test.public_id

    def asked_for(session: Session) -> None:
        edit_gig(session, deal.client, gig, said)

    def put_away(session: Session) -> None:
        retire_test(session, deal.client, kept)

    def while_it_is_held(first: Callable[[Session], None], second: Callable[[Session], None]) -> None:
        """The second comes before the first is kept, and does not wait long."""

        def both(session: Session) -> None:
            first(session)
            with committed.session() as other, pytest.raises(Refused, match="changing this right now"):
                use_case(lambda session: (hurried(session), second(session)))(other)
            session.rollback()

        with committed.session() as session:
            use_case(both)(session)

    with clock.at(WEDNESDAY):
        while_it_is_held(asked_for, put_away)
        while_it_is_held(put_away, asked_for)
        with committed.session() as session:
            put_away(session)
        with committed.session() as session, pytest.raises(Invalid, match="was put away") as refused:
            asked_for(session)
    assert refused.value.field == "test"


def hurried(session: Session) -> None:
    session.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))


def test_an_appeal_in_the_last_second_is_not_lost_to_the_deadline(committed: Committed) -> None:
    """The job waits for whoever appeals at this moment, and then leaves the money where it is."""
    with committed.session() as session:
        with clock.at(MONDAY):
            deal = a_deal(session)
        opa = an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))
        session.commit()
        [dispute] = questioned(session, deal, a_week_of_lines(session, deal), 3)
        with clock.at(WEDNESDAY + timedelta(days=1)):
            turns.ask_for_ruling(session, deal.expert, dispute.public_id, TEXT)
        with clock.at(WEDNESDAY + timedelta(days=2)):
            rule(session, opa, dispute.public_id, 5, "partly_shown", TEXT)
        statement = session.scalars(sa.select(Statement).filter_by(subject_kind="ruling")).one()
        until, about, expert = statement.appeal_until, statement.public_id, deal.expert
    appealing = committed.session()
    with clock.at(until - timedelta(seconds=1)):
        # Held open by hand, as if it took its time to commit.
        held = appealing.scalars(sa.select(Statement).filter_by(public_id=about)).one()
        appeals.hold(appealing, held)
        with ThreadPoolExecutor(1) as pool:
            with clock.at(until + timedelta(seconds=1)):
                job = pool.submit(copy_context().run, settled_by_job, committed)
            while not (job.done() or somebody_waits(committed)):
                time.sleep(0.02)
            appealing.add(
                Appeal(
                    statement_id=held.id,
                    text=TEXT,
                    opened_at=clock.now(),
                    decide_by=until + timedelta(days=14),
                )
            )
            appealing.commit()
            assert job.result() == 0
    appealing.close()
    with committed.session() as session:
        assert session.scalars(sa.select(TimeDispute)).one().state is DisputeState.RULED
        assert session.scalars(sa.select(Appeal)).one().statement.person_id == expert.id


def somebody_waits(committed: Committed) -> bool:
    """Does anybody stand before an advisory lock that another holds?"""
    with committed.session() as session:
        waits = sa.text("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return session.execute(waits).first() is not None


def settled_by_job(committed: Committed) -> int:
    with committed.session() as session:
        return turns.settle_overdue(session)


def test_a_silence_is_written_once_when_the_page_wakes_while_the_timer_is_stopped(
    committed: Committed,
) -> None:
    with committed.session() as session:
        with clock.at(MONDAY):
            deal = a_deal(session)
        with clock.at(WEDNESDAY - timedelta(hours=1)):
            start_timer(session, deal.expert, deal.contract.public_id, "review")
            gaps.heartbeat(session, deal.expert)
        expert = deal.expert
    acts = [lambda session: stop_timer(session, expert), lambda session: gaps.heartbeat(session, expert)]
    assert at_once(committed, acts * 2).count("done") == 3
    with committed.session() as session:
        [gap] = session.scalars(sa.select(gaps.TimerGap)).all()
        assert gap.minutes == 60
