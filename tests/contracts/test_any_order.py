"""Contracts, time and disputes in any order: after each step the money is conserved, no hour is unfunded or
entered twice, nothing was decided against anybody without a statement, and every hour is in one state."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Role
from marketplace.contracts import queries, tasks, timer
from marketplace.contracts.adjustments import answering as corrections
from marketplace.contracts.adjustments import giving
from marketplace.contracts.adjustments.giving import Draft
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.approvals import approve_overdue, approve_timesheet
from marketplace.contracts.consents import answering
from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.contracts.disputes import ruling, turns
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.ending import end_contract
from marketplace.contracts.entries import Work, add_entry, remove_entry
from marketplace.contracts.gaps import TimerGap, answer_gap, heartbeat
from marketplace.contracts.models import TimeEntry, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.states import DisputeState, OfferState, TimeKind, TimesheetState
from marketplace.contracts.timesheets import return_timesheet, submit_forgotten, submit_timesheet
from marketplace.errors import DomainError
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.states import Kept
from marketplace.ledger import chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.payments import earnings
from marketplace.reasons import appeals
from marketplace.reasons.models import Appeal, Outcome, Statement
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal
from tests.factories.disputes import WEDNESDAY, a_week_of_lines

assert tasks  # What an upheld appeal undoes is said there.
FUNDS = 10_000_00
TEXT = "I read every one of the forty slices twice."
SHARE = st.integers(0, 100)
JOBS = (
    timer.stop_spent_timers, roll_weeks, approve_overdue, submit_forgotten, turns.settle_overdue,
    appeals.default_overdue, corrections.expire_adjustments,
)  # fmt: skip
SETTINGS = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


ACTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "time_passes": {"hours": st.sampled_from([1, 5, 24, 60, 130])},
    "enters": {
        "ago": st.integers(1, 300), "minutes": st.integers(1, 200), "kind": st.sampled_from(TimeKind),
    },
    "the_timer": {"does": st.sampled_from(["starts", "is heard of", "stops"])},
    "says_of_gaps": {"worked": st.booleans()},
    "removes": {"place": SHARE},
    "submits": {},
    "approves": {"which": st.sampled_from([0, 0, 1, 2, 5, 15]), "offered": SHARE},
    "returns": {},
    "argues": {
        "minutes": SHARE, "does": st.sampled_from(["answer", "offer", "expert agrees", "client agrees"]),
    },
    "they_agree": {"minutes": SHARE},
    "asks_and_is_ruled": {"minutes": SHARE},
    "appeals": {"outcome": st.sampled_from(Outcome)},
    "use_changes": {"kept": st.sampled_from([Kept.YEARS_2, Kept.YEARS_5]), "agrees": st.integers(0, 2)},
    "pays_besides": {
        "does": st.sampled_from(["gave a bonus", "gave more", "signs less", "keeps the pay", "takes back"]),
        "amount": st.integers(1, 600_00),
    },
    "ends": {"by_expert": st.booleans(), "really": st.integers(0, 9)},
}  # fmt: skip


class AnyOrder(RuleBasedStateMachine):
    """One expert, two people of the client, two operators, and a clock that only goes on."""

    session: Session

    def __init__(self) -> None:
        super().__init__()
        # Each run on its own, so that the proofs look at nothing else.
        self.session.close()
        self.before = self.session.get_bind().begin_nested()
        with clock.at(MONDAY):
            self.deal: Deal = a_deal(self.session, hours=10, funds=FUNDS)
        self.sheet = a_week_of_lines(self.session, self.deal, lines=4)
        self.now: datetime = WEDNESDAY
        people = (a_person(self.session, name, Role.OPERATOR) for name in ("Opa One", "Otto Two"))
        self.changed = True
        self.operators = [an_actor(self.session, person) for person in people]

    def act(self, name: str, use_case: Callable[..., object], *values: object, **named: object) -> None:
        """Try it now; a refusal is an answer too, and changes nothing."""
        with clock.at(self.now):
            try:
                use_case(self.session, *values, **named)
            except DomainError:
                self.session.rollback()
            else:
                self.changed = True
                reached.add(name)

    @rule(data=st.data(), act=st.sampled_from(sorted(ACTS)))
    def something_happens(self, data: st.DataObject, act: str) -> None:
        """One of the acts below, each as likely as the others, with values of its own."""
        getattr(self, act)(**{name: data.draw(values) for name, values in ACTS[act].items()})

    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.changed = True
        with clock.at(self.now):
            for job in JOBS:
                job(self.session)

    def enters(self, ago: int, minutes: int, kind: TimeKind) -> None:
        start = self.now - timedelta(minutes=10 * ago)
        work = Work(start, start + timedelta(minutes=minutes), "review", kind=kind)
        self.act("entered", add_entry, self.deal.expert, self.deal.contract.public_id, work)

    def the_timer(self, does: str) -> None:
        contract = [self.deal.contract.public_id, "review"] if does == "starts" else []
        use_case = {"starts": timer.start_timer, "is heard of": heartbeat, "stops": timer.stop_timer}[does]
        self.act(does, use_case, self.deal.expert, *contract)

    def says_of_gaps(self, worked: bool) -> None:
        for gap in self.all(TimerGap, answered_at=None):
            self.act("says", answer_gap, self.deal.expert, gap.public_id, worked=worked)

    def removes(self, place: int) -> None:
        if entries := self.all(TimeEntry, removed_at=None):
            entry = entries[place % len(entries)]
            self.act("removed", remove_entry, self.deal.expert, entry.public_id, entry.version)

    def submits(self) -> None:
        for sheet in self.all(Timesheet):
            self.act("submitted", submit_timesheet, self.deal.expert, sheet.public_id, sheet.version)

    def approves(self, which: int, offered: int) -> None:
        """All but some of its lines, those whose bit is set."""
        for sheet in self.all(Timesheet, state=TimesheetState.SUBMITTED):
            paid = [each for each in sheet.entries if each.kind is TimeKind.PAID and each.minutes]
            asked = [
                Question(each.public_id, "time_too_long", TEXT, each.minutes * offered // 101)
                for n, each in enumerate(paid)
                if which >> n & 1
            ]
            name = "questioned" if asked else "approved"
            seen = sheet.public_id, sheet.version
            self.act(name, approve_timesheet, self.deal.approver, *seen, asked)

    def returns(self) -> None:
        for sheet in self.all(Timesheet, state=TimesheetState.SUBMITTED):
            seen = sheet.public_id, sheet.version
            self.act("returned", return_timesheet, self.deal.client, *seen, "work_missing", TEXT)

    def argues(self, minutes: int, does: str) -> None:
        for each in self.all(TimeDispute):
            some = between(each.offered_minutes, each.asked_minutes, minutes)
            use_case, values = {
                "answer": (turns.answer, (self.deal.expert, each.public_id, TEXT, some)),
                "offer": (turns.offer, (self.deal.client, each.public_id, TEXT, some)),
                "expert agrees": (turns.agree, (self.deal.expert, each.public_id, each.offered_minutes)),
                "client agrees": (turns.agree, (self.deal.client, each.public_id, each.asked_minutes)),
            }[does]
            self.act(does, use_case, *values)

    def they_agree(self, minutes: int) -> None:
        """The expert answers, and the client takes their number."""
        self.argues(minutes, "answer")
        self.argues(minutes, "client agrees")

    def asks_and_is_ruled(self, minutes: int) -> None:
        """Whoever's turn it is asks."""
        for each in self.all(TimeDispute):
            for side in (self.deal.expert, self.deal.client):
                self.act("asked for a ruling", turns.ask_for_ruling, side, each.public_id, TEXT)
            some = between(each.offered_minutes, each.minutes, minutes)
            self.act("ruled", ruling.rule, self.operators[0], each.public_id, some, "not_shown", TEXT)

    def appeals(self, outcome: Outcome) -> None:
        for statement in self.all(Statement, person_id=self.deal.expert.id):
            self.act("appealed", appeals.appeal, self.deal.expert, statement.public_id, TEXT)
        for opened in self.session.scalars(sa.select(Appeal).filter_by(outcome=None)).all():
            self.act(outcome, appeals.decide, self.operators[1], opened.public_id, outcome, TEXT)

    def use_changes(self, kept: Kept, agrees: int) -> None:
        """What is asked is answered at once, later or never; the gig then says something else."""
        for asked in self.all(Consent, state=ConsentState.WAITING):
            if agrees:
                self.act(
                    "agreed to a use",
                    answering.agree,
                    self.deal.expert,
                    asked.public_id,
                    self.deal.expert.name,
                )
        draft = replace(draft_of(self.deal.gig), kept_for=kept)
        self.act("use changed", edit_gig, self.deal.client, self.deal.gig.public_id, draft)

    def pays_besides(self, does: str, amount: int) -> None:
        """More, at once; or less, if it is signed, of what was asked for now or before."""
        kind, sign, reason = {
            "gave a bonus": (Kind.BONUS, 10, "outstanding"),
            "gave more": (Kind.CORRECTION, 1, "left_out"),
        }.get(does, (Kind.CORRECTION, -1, "counted_twice"))
        draft = Draft(kind, sign * amount, reason, TEXT, uuid.uuid4())
        name, expert = does if sign > 0 else "asked for less", self.deal.expert
        self.act(name, giving.adjust, self.deal.client, self.deal.contract.public_id, draft)
        for each in self.all(Adjustment, state=OfferState.MADE):
            use_case, values = {
                "signs less": (corrections.accept_adjustment, (expert, each.public_id, expert.name)),
                "keeps the pay": (corrections.decline_adjustment, (expert, each.public_id)),
                "takes back": (giving.withdraw_adjustment, (self.deal.client, each.public_id)),
            }.get(does, (None, ()))
            if use_case is not None and amount % 3:
                self.act(does, use_case, *values)

    def ends(self, by_expert: bool, really: int) -> None:
        if really == 7:
            who = self.deal.expert if by_expert else self.deal.client
            self.act("ended", end_contract, who, self.deal.contract.public_id, "work_finished", TEXT)

    def all(self, kind: Any, **where: object) -> list[Any]:
        """What there is of this contract."""
        query = sa.select(kind).filter_by(**where)
        if hasattr(kind, "contract_id"):
            query = query.filter_by(contract_id=self.deal.contract.id)
        return list(self.session.scalars(query.order_by(kind.id)))

    def teardown(self) -> None:
        self.session.close()
        self.before.rollback()

    @invariant()
    def all_holds(self) -> None:
        """After a refusal nothing has changed, so there is nothing to look at."""
        if self.changed:
            self.changed = False
            self.session.expire_all()
            with clock.at(self.now):
                self.everything_adds_up()
                self.every_hour_is_in_one_state()
                self.what_is_owed_is_what_is_approved()
            self.nothing_is_decided_without_a_statement()

    def everything_adds_up(self) -> None:
        assert [each for proof in (*PROOFS, *LEDGER_PROOFS) for each in proof.run(self.session)] == []
        burn = queries.burn_down(self.session, self.deal.project)
        assert burn.funded.amount == FUNDS
        assert min(burn.free.amount, burn.reserved.amount, burn.disputed.amount, burn.spent.amount) >= 0

    def every_hour_is_in_one_state(self) -> None:
        for sheet in self.all(Timesheet):
            rows = earnings.earned(self.session, [sheet])
            assert sum(row.minutes for row in rows) == sheet.paid_minutes, rows

    def what_is_owed_is_what_is_approved(self) -> None:
        """Hours, bonuses and corrections together, as nothing is paid out here; and never below nothing."""
        owed = -ledger.balance(self.session, chart.expert_payable(self.deal.contract.person.public_id), "USD")
        assert owed == earnings.sums_of(self.session, self.deal.expert, "USD")["approved"].amount >= 0
        for each in self.all(Adjustment):
            assert each.amount > 0 or each.state is not OfferState.ACCEPTED or each.signed_name

    def nothing_is_decided_without_a_statement(self) -> None:
        stated = {(each.subject_kind, each.subject_id) for each in self.all(Statement)}
        for sheet in self.all(Timesheet, state=TimesheetState.RETURNED):
            assert ("timesheet", sheet.public_id) in stated
        for dispute in self.all(TimeDispute):
            assert ("time_dispute", dispute.public_id) in stated
            if dispute.state is DisputeState.RULED:
                assert ("ruling", dispute.public_id) in stated


def between(least: int, most: int, percent: int) -> int:
    """A whole number from one to the other."""
    return least + (most - least) * percent // 100


# What was really done, and not only refused.
reached: set[str] = set()


def machine(session: Session) -> type[AnyOrder]:
    return type("Machine", (AnyOrder,), {"session": session})


def test_in_any_order_everything_adds_up(session: Session) -> None:
    run_state_machine_as_test(machine(session), settings=SETTINGS)


PLAYS: list[tuple[set[str], list[Callable[[AnyOrder], None]]]] = [
    (
        {"returned", "submitted", "questioned", "answer", "client agrees"},
        [
            AnyOrder.returns,
            AnyOrder.submits,
            lambda now: now.approves(which=3, offered=50),
            lambda now: now.they_agree(minutes=20),
        ],
    ),
    (
        {"questioned", "asked for a ruling", "ruled", "appealed", Outcome.UPHELD},
        [
            lambda now: now.approves(which=1, offered=0),
            lambda now: now.asks_and_is_ruled(minutes=50),
            lambda now: now.appeals(Outcome.UPHELD),
        ],
    ),
    (
        {"use changed", "agreed to a use", "approved", "gave a bonus", "gave more", "asked for less",
         "signs less", "keeps the pay"},
        [
            lambda now: now.use_changes(Kept.YEARS_2, agrees=0),
            lambda now: now.use_changes(Kept.YEARS_5, agrees=1),
            lambda now: now.approves(which=0, offered=0),
            *(
                lambda now, does=does: now.pays_besides(does, amount=100)
                for does in ("gave a bonus", "gave more", "signs less", "keeps the pay")
            ),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("done", "play"), PLAYS, ids=["agreed", "ruled", "besides"])
def test_each_act_can_be_done_here(
    session: Session, done: set[str], play: Sequence[Callable[[AnyOrder], None]]
) -> None:
    """So that above they are not all refused."""
    reached.clear()
    now = machine(session)()
    for act in play:
        act(now)
        now.all_holds()
    now.teardown()
    assert reached >= done
