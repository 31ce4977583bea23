"""Less pay brings back the fee that was charged for it, whatever the fee is today, and never more (F54)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts.adjustments.answering import accept_adjustment, decline_adjustment
from marketplace.contracts.adjustments.giving import Draft, adjust, look
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.entries import add_entries
from marketplace.contracts.fees.setting import FeeDraft, accept_fee, propose_fee
from marketplace.contracts.models import Approval, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.ledger import chart
from tests.factories.contracts import MONDAY, RATE, Deal, a_deal, work
from tests.factories.payments import Finance, finance

WHY = "The second reading of the forty cases was counted twice."
DAY = timedelta(days=1)
THIRD = MONDAY + 14 * DAY
LATER = MONDAY + 20 * DAY


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(MONDAY):
        return finance(session)


def two_weeks(
    session: Session, desk: Finance, fee_bps: int, minutes: tuple[int, int] = (120, 120)
) -> tuple[Deal, list[Approval]]:
    """An approved week at 20 %, and one worked on Thursday and Friday, from which day on the fee is another:
    two equal lines each."""
    with clock.at(MONDAY):
        deal = a_deal(session)
        reason = "A volume discount was agreed."
        draft = FeeDraft((THIRD + 3 * DAY).date(), fee_bps, reason, project=deal.project.public_id)
        made = propose_fee(session, desk.fin, draft)
        accept_fee(session, replace(desk.gil, second_factor_at=clock.now()), made.public_id)
    first = _approved(session, deal, (MONDAY, MONDAY + DAY), minutes[0], MONDAY + 2 * DAY)
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    days = (THIRD + 3 * DAY, THIRD + 4 * DAY)
    return deal, [first, _approved(session, deal, days, minutes[1], THIRD + 5 * DAY)]


def _approved(session: Session, deal: Deal, days: Iterable[datetime], minutes: int, at: datetime) -> Approval:
    with clock.at(at):
        works = [work(day, minutes // 2) for day in days]
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        return approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)


def less(amount: int, week: Timesheet | None = None) -> Draft:
    about = week.public_id if week else None
    return Draft(Kind.CORRECTION, -amount, "counted_twice", WHY, uuid.uuid4(), timesheet=about)


def take(session: Session, deal: Deal, what: Draft) -> Adjustment:
    """Asked for, and signed."""
    with clock.at(LATER):
        made = adjust(session, deal.client, deal.contract.public_id, what)
        return accept_adjustment(session, deal.expert, made.public_id, deal.expert.name)


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


@pytest.mark.parametrize("fee_bps", [500, 0, 4_000])
def test_a_week_gives_back_the_fees_of_its_lines(session: Session, desk: Finance, fee_bps: int) -> None:
    deal, (first, second) = two_weeks(session, desk, fee_bps)
    # On the Monday of the second week the fee was still 20 %, and nobody worked on it.
    assert second.fee_amount == 2 * RATE * fee_bps // 10_000
    half = take(session, deal, less(RATE, second.timesheet))
    assert half.fee_amount == -second.fee_amount // 2
    assert take(session, deal, less(RATE, second.timesheet)).fee_amount == -second.fee_amount // 2
    assert take(session, deal, less(2 * RATE, first.timesheet)).fee_amount == -first.fee_amount
    assert ledger.balance(session, chart.client_fees(), "USD") == 0
    no_drift(session)


def test_without_a_week_it_is_the_share_that_was_charged(session: Session, desk: Finance) -> None:
    deal, (first, second) = two_weeks(session, desk, 500)
    with clock.at(LATER):
        bonus = adjust(
            session, deal.client, deal.contract.public_id,
            Draft(Kind.BONUS, 2 * RATE, "outstanding", WHY, uuid.uuid4()),
        )  # fmt: skip
    charged = first.fee_amount + second.fee_amount + bonus.fee_amount
    assert charged == 2 * RATE * 30 // 100
    assert take(session, deal, less(3 * RATE)).fee_amount == -charged // 2
    no_drift(session)


def test_what_is_asked_back_is_not_asked_twice_unless_it_was_declined(
    session: Session, desk: Finance
) -> None:
    deal, (_first, second) = two_weeks(session, desk, 500)
    with clock.at(LATER):
        asked = adjust(session, deal.client, deal.contract.public_id, less(2 * RATE, second.timesheet))
        again = less(RATE, second.timesheet)
        assert look(session, deal.client, deal.contract.public_id, again).fee.amount == 0
        decline_adjustment(session, deal.expert, asked.public_id)
        fee = look(session, deal.client, deal.contract.public_id, again).fee.amount
    assert fee == -second.fee_amount // 2


@given(
    fee_bps=st.integers(0, 10_000),
    minutes=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    cuts=st.lists(st.tuples(st.integers(1, 100), st.sampled_from([None, 0, 1])), min_size=1, max_size=4),
)
@example(fee_bps=0, minutes=(20, 20), cuts=[(50, None), (50, 0), (100, 1)])
@example(fee_bps=9_999, minutes=(1, 1), cuts=[(33, 1), (50, 1), (100, None)])
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_parts_return_more_than_was_charged_and_all_of_it_returns_all(
    session: Session,
    desk: Finance,
    fee_bps: int,
    minutes: tuple[int, int],
    cuts: list[tuple[int, int | None]],
) -> None:
    deal, approvals = two_weeks(session, desk, fee_bps, (2 * minutes[0], 2 * minutes[1]))
    pay, fee = (sum(getattr(each, name) for each in approvals) for name in ("expert_amount", "fee_amount"))
    of_week = [0, 0]
    for percent, week in cuts:
        part = max(1, pay * percent // 100)
        if part > pay:
            break
        taken = take(session, deal, less(part, approvals[week].timesheet if week is not None else None))
        pay, fee = pay - part, fee + taken.fee_amount
        if week is not None:
            of_week[week] -= taken.fee_amount
        assert taken.fee_amount <= 0 <= fee
    assert all(back <= each.fee_amount for back, each in zip(of_week, approvals, strict=True))
    if pay:
        assert take(session, deal, less(pay)).fee_amount == -fee
    no_drift(session)
