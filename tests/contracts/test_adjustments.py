"""Bonuses, and pay that is mended afterwards: more at once with money behind it, less only when signed."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Actor
from marketplace.contracts import charges, queries
from marketplace.contracts.adjustments import returning
from marketplace.contracts.adjustments.answering import (
    accept_adjustment,
    decline_adjustment,
    expire_adjustments,
)
from marketplace.contracts.adjustments.giving import Draft, adjust, look, withdraw_adjustment
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.adjustments.queries import stands
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.budgets import standing
from marketplace.contracts.ending import end_contract
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.spending import spending
from marketplace.contracts.states import OfferState
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.ledger import chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.notifications.models import Notification
from marketplace.payments import earnings
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, RATE, Deal, a_deal, a_submitted_week
from tests.factories.disputes import a_week_of_lines
from tests.factories.gigs import a_client, an_expert
from tests.ledger import journal
from tests.visitor import Visitor, words

WHY = "The second reading of the forty cases was flawless."
DAY = timedelta(days=1)
TUESDAY, FRIDAY = MONDAY + DAY, MONDAY + 4 * DAY


def draft(amount: int, kind: Kind = Kind.BONUS, reason: str = "outstanding", **more: object) -> Draft:
    return replace(Draft(kind, amount, reason, WHY, uuid.uuid4()), **more)


def less(amount: int = 30_00, reason: str = "counted_twice", **more: object) -> Draft:
    return draft(-amount, Kind.CORRECTION, reason, **more)


@pytest.fixture
def deal(session: Session) -> Deal:
    """A contract with one approved hour. It is Friday."""
    with clock.at(MONDAY):
        made = a_deal(session)
    with clock.at(TUESDAY + DAY):
        sheet = a_submitted_week(session, made, TUESDAY)
        approve_timesheet(session, made.approver, sheet.public_id, sheet.version)
    return made


def make(session: Session, deal: Deal, what: Draft, by: Actor | None = None) -> Adjustment:
    with clock.at(FRIDAY):
        return adjust(session, by or deal.client, deal.contract.public_id, what)


def names(deal: Deal) -> dict[uuid.UUID, str]:
    return {deal.project.public_id: "project", deal.contract.person.public_id: "Ana"}


def no_drift(session: Session) -> None:
    assert [drift for proof in (*PROOFS, *LEDGER_PROOFS) for drift in proof.run(session)] == []


def approved(session: Session, deal: Deal) -> int:
    """What the expert's money page says is approved."""
    return earnings.sums_of(session, deal.expert, "USD")["approved"].amount


def test_a_bonus_is_owed_at_once_and_carries_the_fee(session: Session, deal: Deal) -> None:
    before = queries.burn_down(session, deal.project)
    given = make(session, deal, draft(50_00))
    assert journal.rows(session, names(deal), "adjustment:") == [
        ("adjustment adjusted", [
            ("2010", "project", "60.00", ""),
            ("2100", "Ana", "", "50.00"),
            ("4010", "", "", "10.00"),
        ]),
    ]  # fmt: skip
    assert (given.state, given.fee_amount) == (OfferState.ACCEPTED, 10_00)
    after = queries.burn_down(session, deal.project)
    assert after.funded == before.funded
    assert (after.free - before.free).amount == -60_00
    assert (after.spent - before.spent).amount == 60_00
    assert approved(session, deal) == RATE + 50_00
    no_drift(session)


def test_it_is_part_of_what_the_gig_cost(session: Session, deal: Deal) -> None:
    make(session, deal, draft(50_00))
    whole = queries.burn_down(session, deal.project).spent
    found = spending(session, deal.project, whole)
    assert [each.amount.amount for each in found.lines] == [(RATE + 50_00) * 120 // 100]
    assert found.rounding.amount == 0


def test_it_is_spent_wherever_the_money_is_told(session: Session, deal: Deal) -> None:
    make(session, deal, draft(50_00))
    burn = queries.burn_down(session, deal.project)
    stands = standing.of_project(session, deal.project)
    assert (stands.funded, stands.free) == (burn.funded.amount, burn.free.amount)
    found = charges.charges(session, [deal.project])
    assert [(each.kind, each.gig, each.pay, each.fee) for each in found] == [
        ("approval", deal.gig, RATE, RATE // 5), ("adjustment", deal.gig, 50_00, 10_00),
    ]  # fmt: skip
    assert sum(each.total for each in found) == burn.spent.amount


def test_what_it_means_is_shown_before(session: Session, deal: Deal) -> None:
    with clock.at(FRIDAY):
        outlook = look(session, deal.client, deal.contract.public_id, draft(50_00))
    assert [outlook.pay.amount, outlook.fee.amount, outlook.total.amount] == [50_00, 10_00, 60_00]
    assert session.scalars(sa.select(Adjustment)).all() == []


def test_the_expert_is_told_and_a_second_click_gives_nothing(session: Session, deal: Deal) -> None:
    what = draft(50_00)
    assert make(session, deal, what) is make(session, deal, what)
    assert approved(session, deal) == RATE + 50_00
    told = session.scalars(sa.select(Notification).filter_by(kind="adjustment.given")).all()
    assert [(each.person_id, each.title) for each in told] == [(deal.expert.id, "A bonus of $50.00")]


def test_more_than_is_free_is_refused_with_the_numbers(session: Session, deal: Deal) -> None:
    free = queries.burn_down(session, deal.project).free
    with pytest.raises(Refused, match=r"this takes \$12,000.00, and \$") as refusal:
        make(session, deal, draft(10_000_00))
    assert str(free) in refusal.value.sentence
    # To the cent: with the fee it takes all that is free.
    make(session, deal, draft(free.amount * 100 // 120))
    no_drift(session)


def test_a_correction_up_works_as_a_bonus_in_its_own_word(session: Session, deal: Deal) -> None:
    sheet = deal.contract.public_id, queries.newest_sheet(session, deal.contract)
    assert sheet[1] is not None
    given = make(session, deal, draft(25_00, Kind.CORRECTION, "left_out", timesheet=sheet[1].public_id))
    assert (given.timesheet, given.amount) == (sheet[1], 25_00)
    told = session.scalars(sa.select(Notification).filter_by(kind="adjustment.given")).one()
    assert told.title == "$25.00 more pay, as a correction"


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (draft(0), "amount"),
        (draft(-1), "kind"),
        (draft(1, reason="counted_twice"), "reason_code"),
        (less(reason="left_out"), "reason_code"),
        (draft(1, explanation="thanks"), "explanation"),
        (draft(1, timesheet=uuid.uuid4()), "timesheet"),
    ],
)
def test_what_cannot_be_is_said_beside_its_input(
    session: Session, deal: Deal, what: Draft, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        make(session, deal, what)
    assert refusal.value.field == field


def test_only_the_clients_administrators_of_a_contract_that_is_fresh(session: Session, deal: Deal) -> None:
    stranger, _organization = a_client(session, name="Other Labs")
    for who, refusal in [(stranger, NotFound), (deal.approver, NotAllowed), (deal.expert, NotAllowed)]:
        with pytest.raises(refusal):
            make(session, deal, draft(50_00), who)
    with clock.at(FRIDAY):
        end_contract(session, deal.client, deal.contract.public_id, "work_finished", WHY)
    for days, allowed in ((60, True), (61, False)):
        with clock.at(FRIDAY + days * DAY):
            if allowed:
                adjust(session, deal.client, deal.contract.public_id, draft(1_00))
                continue
            with pytest.raises(Refused, match="more than 60 days ago"):
                adjust(session, deal.client, deal.contract.public_id, draft(1_00))


def test_less_pay_changes_nothing_until_it_is_signed(session: Session, deal: Deal) -> None:
    asked = make(session, deal, less(30_00))
    assert asked.state is OfferState.MADE
    assert approved(session, deal) == RATE
    assert journal.rows(session, names(deal), "adjustment:") == []
    with clock.at(FRIDAY + DAY):
        with pytest.raises(Invalid, match="Type your name"):
            accept_adjustment(session, deal.expert, asked.public_id, "Somebody")
        accept_adjustment(session, deal.expert, asked.public_id, deal.expert.name)
    assert journal.rows(session, names(deal), "adjustment:") == [
        ("adjustment adjusted", [
            ("2010", "project", "", "36.00"),
            ("2100", "Ana", "30.00", ""),
            ("4010", "", "6.00", ""),
        ]),
    ]  # fmt: skip
    assert approved(session, deal) == RATE - 30_00
    burn = queries.burn_down(session, deal.project)
    assert (burn.spent.amount, burn.funded.amount) == ((RATE - 30_00) * 120 // 100, 10_000_00)
    told = session.scalars(sa.select(Notification).filter_by(kind="adjustment.accepted")).one()
    assert told.person_id == deal.client.id
    no_drift(session)


def test_a_second_signature_takes_nothing_more(session: Session, deal: Deal) -> None:
    asked = make(session, deal, less(30_00))
    with clock.at(FRIDAY):
        accept_adjustment(session, deal.expert, asked.public_id, deal.expert.name)
        with pytest.raises(Refused):
            accept_adjustment(session, deal.expert, asked.public_id, deal.expert.name)
        with pytest.raises(Refused):
            decline_adjustment(session, deal.expert, asked.public_id)
    assert approved(session, deal) == RATE - 30_00


def test_a_no_and_no_answer_have_no_consequence(session: Session, deal: Deal) -> None:
    no, late, back = (make(session, deal, less(30_00)) for _ in range(3))
    with clock.at(FRIDAY):
        decline_adjustment(session, deal.expert, no.public_id)
        withdraw_adjustment(session, deal.client, back.public_id)
    with clock.at(FRIDAY + 7 * DAY):
        assert stands(late) is OfferState.EXPIRED
        with pytest.raises(Refused, match="time for an answer is over"):
            accept_adjustment(session, deal.expert, late.public_id, deal.expert.name)
        assert expire_adjustments(session) == 1
        assert expire_adjustments(session) == 0
    assert [each.state for each in (no, late, back)] == ["declined", "expired", "withdrawn"]
    assert approved(session, deal) == RATE
    no_drift(session)


def test_only_the_expert_answers_and_only_the_client_takes_back(session: Session, deal: Deal) -> None:
    asked = make(session, deal, less(30_00))
    other = an_expert(session, "Ben Other")
    with clock.at(FRIDAY):
        for who, refusal in [(deal.client, NotAllowed), (other, NotFound)]:
            with pytest.raises(refusal):
                accept_adjustment(session, who, asked.public_id, deal.expert.name)
            with pytest.raises(refusal):
                decline_adjustment(session, who, asked.public_id)
        for stranger in (deal.approver, deal.expert):
            with pytest.raises(NotAllowed):
                withdraw_adjustment(session, stranger, asked.public_id)
    assert asked.state is OfferState.MADE


def test_less_is_at_most_what_is_still_payable(session: Session, deal: Deal) -> None:
    with pytest.raises(Refused, match=r"\$150.00 of this contract is approved and in no pay run"):
        make(session, deal, less(RATE + 1))
    first, second = make(session, deal, less(RATE)), make(session, deal, less(1))
    with clock.at(FRIDAY):
        accept_adjustment(session, deal.expert, first.public_id, deal.expert.name)
        with pytest.raises(Refused, match=r"\$0.00 of this contract"):
            accept_adjustment(session, deal.expert, second.public_id, deal.expert.name)
    session.expire_all()
    assert second.state is OfferState.MADE
    assert approved(session, deal) == 0
    no_drift(session)


def test_what_was_decided_is_kept_by_the_database(session: Session, deal: Deal) -> None:
    given = make(session, deal, draft(50_00))
    asked = make(session, deal, less(30_00))
    for act in (
        f"UPDATE adjustments SET amount = 1 WHERE id = {asked.id}",
        f"UPDATE adjustments SET state = 'declined' WHERE id = {given.id}",
        f"DELETE FROM adjustments WHERE id = {given.id}",
        f"UPDATE adjustments SET state = 'accepted', decided_at = now() WHERE id = {asked.id}",
    ):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.text(act))


def test_both_see_it_and_strangers_do_not(app: Flask, session: Session, deal: Deal) -> None:
    given, asked = make(session, deal, draft(50_00)), make(session, deal, less(30_00))
    stranger, _organization = a_client(session, name="Other Labs")
    with clock.at(FRIDAY):
        for who in (deal.expert, deal.client):
            browser = Visitor(enter(app.test_client(), session, who))
            shown = words(browser.get(f"/contracts/{deal.contract.public_id}"))
            assert "Bonus Outstanding work" in shown
            assert "Time was counted twice" in shown
            assert WHY in words(browser.get(f"/adjustments/{given.public_id}"))
        elsewhere = Visitor(enter(app.test_client(), session, stranger))
        assert elsewhere.get(f"/adjustments/{asked.public_id}").status_code == 404
        mine = Visitor(enter(app.test_client(), session, deal.expert))
        assert "Bonus Outstanding work" in words(mine.get("/pay"))
        mine.get(f"/adjustments/{asked.public_id}")
        mine.post(f"/adjustments/{asked.public_id}/acceptance", signed_name=deal.expert.name)
    assert asked.state is OfferState.ACCEPTED


def test_the_client_sees_the_total_before_it_is_given(app: Flask, session: Session, deal: Deal) -> None:
    form = {"kind": "bonus", "amount": "50", "reason_code": "outstanding", "explanation": WHY,
            "timesheet": "", "key": str(uuid.uuid4())}  # fmt: skip
    path = f"/contracts/{deal.contract.public_id}/adjustments"
    with clock.at(FRIDAY):
        browser = Visitor(enter(app.test_client(), session, deal.client))
        browser.get(path)
        shown = words(browser.post(path, **form))
        assert "Together, from the project $60.00" in shown
        assert session.scalars(sa.select(Adjustment)).all() == []
        # What was not looked at is not given.
        assert "from the project $72.00" in words(
            browser.post(path, **{**form, "amount": "60", "looked_at": "bonus 5000 "})
        )
        assert session.scalars(sa.select(Adjustment)).all() == []
        for _click in range(2):
            assert "$50.00 goes to the expert" in words(browser.post(path, **form, looked_at="bonus 5000 "))
    assert session.scalars(sa.select(Adjustment.amount)).all() == [50_00]


def test_the_proof_finds_an_adjustment_without_its_entry(session: Session, deal: Deal) -> None:
    with clock.at(FRIDAY):
        session.add(
            Adjustment(
                contract=deal.contract, kind=Kind.BONUS, reason_code="outstanding", explanation=WHY,
                amount=1_00, fee_amount=20, state=OfferState.ACCEPTED, made_by=deal.client.id,
                made_at=clock.now(), decided_at=clock.now(), key=uuid.uuid4(),
            )
        )  # fmt: skip
        session.flush()
    [proof] = [each for each in PROOFS if "corrections are their" in each.title]
    assert [each.found for each in proof.run(session)] == ["(0, 0, 0)"]


def _entered(session: Session, deal: Deal, lines: int, minutes: int) -> int:
    """The pay of an approved week of so many lines."""
    sheet = a_week_of_lines(session, deal, lines=lines, minutes=minutes)
    with clock.at(TUESDAY + DAY):
        return approve_timesheet(session, deal.approver, sheet.public_id, sheet.version).expert_amount


@given(
    rate=st.integers(120_00, 200_00),
    lines=st.integers(1, 25),
    minutes=st.integers(1, 3),
    bonus=st.integers(0, 40),
    cuts=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    together=st.booleans(),
)
@example(rate=130_20, lines=60, minutes=1, bonus=0, cuts=[100], together=False)
@example(rate=150_30, lines=60, minutes=1, bonus=0, cuts=[100], together=False)
@example(rate=130_20, lines=60, minutes=1, bonus=3, cuts=[50, 50, 100], together=True)
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_returns_more_than_was_paid(
    session: Session, rate: int, lines: int, minutes: int, bonus: int, cuts: list[int], together: bool
) -> None:
    """Fees are rounded by the line and the site bears what a week lacks, whatever is taken back of it."""
    with clock.at(MONDAY):
        deal = a_deal(session, rate=rate, hours=-(-lines * minutes // 60))
    fees, borne = (ledger.balance(session, each, "USD") for each in (chart.client_fees(), chart.rounding()))
    left = _entered(session, deal, lines, minutes) + bonus
    paid = queries.burn_down(session, deal.project).spent.amount
    with clock.at(FRIDAY):
        if bonus:
            paid += adjust(session, deal.client, deal.contract.public_id, draft(bonus)).total.amount
        made = []
        for percent in cuts:
            part = min(left, max(1, left * percent // 100))
            if not part:
                break
            left -= part
            made.append(adjust(session, deal.client, deal.contract.public_id, less(part)))
            if not together:
                accept_adjustment(session, deal.expert, made[-1].public_id, deal.expert.name)
        for each in made if together else []:
            accept_adjustment(session, deal.expert, each.public_id, deal.expert.name)
        said = sum(returning.back(session, each).amount for each in made)
    burn = queries.burn_down(session, deal.project)
    assert burn.spent.amount == paid - said >= 0
    assert ledger.balance(session, chart.client_fees(), "USD") <= fees
    assert ledger.balance(session, chart.rounding(), "USD") >= borne
    assert [each for proof in (*PROOFS, *LEDGER_PROOFS) for each in proof.run(session)] == []
