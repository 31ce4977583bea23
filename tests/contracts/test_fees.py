"""Dated fees: that of the day of the work applies (F54), set by two people, and never backwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.charges import an_hour_of
from marketplace.contracts.entries import add_entries
from marketplace.contracts.fees import queries
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.fees.proofs import fees_are_locked
from marketplace.contracts.fees.schedule import applies, fee_on, split
from marketplace.contracts.fees.setting import (
    FeeDraft,
    accept_fee,
    decline_fee,
    first_day,
    propose_fee,
)
from marketplace.contracts.models import ApprovedLine, Reservation
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.states import OfferState
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.db import new_id
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.notifications.models import Notification
from tests.factories.accounts import enter
from tests.factories.contracts import FEE_BPS, MONDAY, RATE, Deal, a_deal, work
from tests.factories.payments import Finance, finance
from tests.visitor import Visitor, words

REASON = "A volume discount was agreed."
DAY = timedelta(days=1)
# Weeks from 1 and 8 June are reserved when the contract is signed; Thursday of the week after is free.
FREE = date(2026, 6, 15)
THURSDAY = date(2026, 6, 18)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(MONDAY):
        return finance(session)


def a_fee(
    session: Session, desk: Finance, fee_bps: int | None, on: date, *, at: datetime = MONDAY, **scope: object
) -> FeeChange:
    """Proposed by fin, accepted by gil."""
    with clock.at(at):
        made = propose_fee(session, desk.fin, FeeDraft(on, fee_bps, REASON, **scope))  # type: ignore[arg-type]
        return accept_fee(session, replace(desk.gil, second_factor_at=clock.now()), made.public_id)


def no_drift(session: Session) -> None:
    session.commit()
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_the_fee_of_the_day_of_the_work_applies_within_a_week(
    session: Session, deal: Deal, desk: Finance
) -> None:
    a_fee(session, desk, 1_000, THURSDAY)
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    # The week holds the highest fee of its days, since nobody knows on which it will be worked.
    held = sa.select(Reservation.amount).filter_by(contract_id=deal.contract.id)
    assert session.scalars(held.order_by(Reservation.week_start_at.desc())).first() == 10 * RATE * 12 // 10
    wednesday, thursday = MONDAY + 16 * DAY, MONDAY + 17 * DAY
    with clock.at(MONDAY + 18 * DAY):
        sheet = add_entries(session, deal.expert, deal.contract.public_id, [work(wednesday), work(thursday)])[
            0
        ].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    lines = session.scalars(sa.select(ApprovedLine).order_by(ApprovedLine.id)).all()
    assert [(each.fee_bps, each.fee_amount) for each in lines] == [(2_000, RATE // 5), (1_000, RATE // 10)]
    assert -ledger.balance(session, chart.client_fees(), "USD") == RATE // 5 + RATE // 10
    no_drift(session)


def test_a_line_with_another_fee_is_found(session: Session, deal: Deal, desk: Finance) -> None:
    a_fee(session, desk, 1_000, THURSDAY)
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    with clock.at(MONDAY + 18 * DAY):
        works = [work(MONDAY + 17 * DAY)]
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approval = approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    assert list(fees_are_locked(session)) == []
    # As if the schedule had been another: the lines themselves cannot be changed.
    other = _like(session, fee_bps=900, organization_id=deal.contract.organization_id)
    session.execute(sa.insert(FeeChange).values(other))
    [drift] = fees_are_locked(session)
    assert (drift.expected, drift.found) == ("900 bps", f"1000 bps, {approval.fee_amount}")


def _like(session: Session, **other: object) -> dict[str, object]:
    """The columns of the one change, with another scope and fee."""
    [change] = session.scalars(sa.select(FeeChange))
    names = ("from_on", "reason", "state", "made_by", "made_at", "decided_by", "decided_at")
    return {name: getattr(change, name) for name in names} | {"public_id": new_id()} | other


def test_the_most_specific_fee_wins_until_it_ends(session: Session, deal: Deal, desk: Finance) -> None:
    client, project = deal.project.organization.public_id, deal.project.public_id
    a_fee(session, desk, 2_500, FREE)
    a_fee(session, desk, 1_500, FREE, client=client)
    a_fee(session, desk, 500, FREE + DAY, project=project)
    a_fee(session, desk, None, FREE + 3 * DAY, project=project)
    session.expire_all()
    days = [FREE + n * DAY for n in range(-1, 4)]
    assert [deal.contract.fee_on(day) for day in days] == [FEE_BPS, 1_500, 500, 500, 1_500]
    with clock.at(MONDAY + 14 * DAY):
        said = queries.said(deal.contract, FREE)
        assert an_hour_of(session, deal.contract).fee.amount == RATE * 15 // 100
    assert said == (
        "15 % of the pay: the fee of this client since Mon 15 Jun 2026. "
        "For work from Tue 16 Jun 2026 on it is 5 %. For work from Thu 18 Jun 2026 on it is 15 %."
    )


def test_others_are_left_alone(session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(MONDAY):
        other = a_deal(session)
    a_fee(session, desk, 0, FREE + 7 * DAY, project=deal.project.public_id)
    session.expire_all()
    assert other.contract.fee_on(FREE + 30 * DAY) == FEE_BPS
    assert deal.contract.fee_on(FREE + 30 * DAY) == 0


def test_nothing_begins_on_a_day_that_is_worked_or_reserved(
    session: Session, deal: Deal, desk: Finance
) -> None:
    with clock.at(MONDAY):
        assert first_day(session) == FREE
        for day in (MONDAY.date() - DAY, MONDAY.date(), FREE - DAY):
            with pytest.raises(Invalid) as refusal:
                propose_fee(session, desk.fin, FeeDraft(day, 100, REASON))
            assert refusal.value.field == "from_on"


def test_what_was_free_when_it_was_proposed_is_asked_again(
    session: Session, deal: Deal, desk: Finance
) -> None:
    with clock.at(MONDAY):
        made = propose_fee(session, desk.fin, FeeDraft(FREE, 3_000, REASON))
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
        gil = replace(desk.gil, second_factor_at=clock.now())
        with pytest.raises(Invalid, match="at the earliest"):
            accept_fee(session, gil, made.public_id)
        assert decline_fee(session, gil, made.public_id).state is OfferState.DECLINED


def test_nobody_accepts_their_own(session: Session, desk: Finance) -> None:
    with clock.at(MONDAY):
        gil = replace(desk.gil, second_factor_at=clock.now())
        made = propose_fee(session, gil, FeeDraft(FREE, 100, REASON))
        with pytest.raises(NotAllowed):
            accept_fee(session, gil, made.public_id)
        with pytest.raises(NotAllowed):
            accept_fee(session, desk.fin, made.public_id)
        assert decline_fee(session, gil, made.public_id).state is OfferState.WITHDRAWN


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (FeeDraft(FREE, 10_001, REASON), "fee"),
        (FeeDraft(FREE, 100, "Because"), "reason"),
        (FeeDraft(FREE, None, REASON), "fee"),
        (FeeDraft(FREE + 900 * DAY, 100, REASON), "from_on"),
    ],
)
def test_what_cannot_be_is_refused(
    session: Session, deal: Deal, desk: Finance, draft: FeeDraft, field: str
) -> None:
    with clock.at(MONDAY), pytest.raises(Invalid) as refusal:
        propose_fee(session, desk.fin, draft)
    assert refusal.value.field == field


def test_an_end_needs_something_that_follows(session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(MONDAY), pytest.raises(Refused, match="No wider fee"):
        propose_fee(session, desk.fin, FeeDraft(FREE, None, REASON, project=deal.project.public_id))


def test_only_one_waits_and_one_begins_on_a_day(session: Session, deal: Deal, desk: Finance) -> None:
    a_fee(session, desk, 1_000, FREE)
    with clock.at(MONDAY):
        with pytest.raises(Refused, match="on this day already"):
            propose_fee(session, desk.fin, FeeDraft(FREE, 900, REASON))
        propose_fee(session, desk.fin, FeeDraft(FREE + DAY, 900, REASON))
        with pytest.raises(Refused, match="waits for a second person"):
            propose_fee(session, desk.fin, FeeDraft(FREE + 2 * DAY, 800, REASON))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fee_changes SET fee_bps = 0",
        "UPDATE fee_changes SET from_on = from_on - 100",
        "UPDATE fee_changes SET state = 'made', decided_by = NULL, decided_at = NULL",
        "DELETE FROM fee_changes",
    ],
)
def test_the_database_keeps_what_was_decided(
    session: Session, deal: Deal, desk: Finance, change: str
) -> None:
    a_fee(session, desk, 1_000, FREE)
    session.commit()
    with pytest.raises(DBAPIError), session.begin():
        session.execute(sa.text(change))


def test_the_database_lets_nobody_accept_alone_or_backwards(
    session: Session, deal: Deal, desk: Finance
) -> None:
    with clock.at(MONDAY):
        made = propose_fee(session, desk.fin, FeeDraft(FREE, 1_000, REASON))
    session.commit()
    accept = sa.text("UPDATE fee_changes SET state = 'accepted', decided_by = :who, decided_at = :at")
    alone = {"who": desk.fin.id, "at": MONDAY}
    late = {"who": desk.gil.id, "at": clock.midnight(FREE, "Pacific/Kiritimati")}
    for values, name in ((alone, "two_people"), (late, "to_come")):
        with pytest.raises(DBAPIError, match=name), session.begin():
            session.execute(accept, values)
    assert session.get_one(FeeChange, made.id).state is OfferState.MADE


def test_a_bonus_carries_the_fee_of_its_week(session: Session, deal: Deal, desk: Finance) -> None:
    a_fee(session, desk, 1_000, FREE)
    draft = Draft(Kind.BONUS, 100_00, "outstanding", "Every case was read twice.", deal.contract.public_id)
    with clock.at(MONDAY + 14 * DAY):
        given = adjust(session, deal.client, deal.contract.public_id, draft)
    assert given.fee_amount == 10_00
    no_drift(session)


def test_the_client_is_told_and_the_contract_says_it(
    app: Flask, session: Session, deal: Deal, desk: Finance
) -> None:
    a_fee(session, desk, 1_250, FREE)
    told = sa.select(Notification.person_id).filter_by(kind="fee.changed")
    assert session.scalars(told).all() == [deal.client.id]
    with clock.at(MONDAY):
        visitor = Visitor(enter(app.test_client(), session, deal.client))
        said = words(visitor.get(f"/contracts/{deal.contract.public_id}"))
    assert "20 % of the pay, as agreed in the offer. For work from Mon 15 Jun 2026 on it is 12.5 %." in said


def test_finance_sets_it_on_its_pages(app: Flask, session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(MONDAY):
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        fin.get("/fees/new")
        fin.post(
            "/fees/new", whose=f"project:{deal.project.public_id}", act="set", fee="17.5",
            from_on=FREE.isoformat(), reason=REASON,
        )  # fmt: skip
        [made] = session.scalars(sa.select(FeeChange))
        assert (made.fee_bps, made.project_id, made.from_on) == (1_750, deal.project.id, FREE)
        assert "A colleague who releases payouts accepts it" in words(fin.get("/fees"))
        gil = Visitor(enter(app.test_client(), session, desk.gil))
        gil.get("/fees")
        gil.post(f"/fees/{made.public_id}/acceptance")
        session.expire_all()
        assert made.state is OfferState.ACCEPTED
        assert "17.5 %" in words(gil.get("/fees"))


@pytest.mark.parametrize(
    "typed",
    [
        "sNaN", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "½", "١٧", "1_0", "-1", "17,5",
        "1" * 5_000, "100.01", "17.555", " ",
    ],
)  # fmt: skip
def test_a_fee_that_is_no_plain_number_is_said_beside_its_input(
    app: Flask, session: Session, desk: Finance, typed: str
) -> None:
    with clock.at(MONDAY):
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        fin.get("/fees/new")
        said = fin.post(
            "/fees/new", whose="all", act="set", fee=typed, from_on=FREE.isoformat(), reason=REASON
        )
    assert 'id="fee-error"' in said.text
    assert session.scalars(sa.select(FeeChange)).all() == []


@given(
    pay=st.integers(-(10**9), 10**9),
    fee_bps=st.integers(0, 10_000),
)
def test_a_split_adds_up_and_mirrors(pay: int, fee_bps: int) -> None:
    found = split(pay, fee_bps)
    assert found.total == found.pay + found.fee
    assert abs(2 * (found.fee * 10_000 - pay * fee_bps)) <= 10_000
    assert split(-pay, fee_bps).fee == -found.fee


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 20), st.none() | st.integers(0, 9)),
        unique_by=lambda row: row[:2],
    ),
    day=st.integers(1, 25),
)
def test_the_schedule_is_what_a_simple_walk_says(rows: list[tuple[int, int, int | None]], day: int) -> None:
    changes = [
        FeeChange(
            project_id=1 if breadth == 0 else None,
            organization_id=1 if breadth == 1 else None,
            from_on=date(2026, 6, n),
            fee_bps=fee,
        )
        for breadth, n, fee in rows
    ]
    expected = 99
    for breadth in (2, 1, 0):
        said = [(n, fee) for each, n, fee in rows if each == breadth and n <= day]
        last = max(said, default=(0, None))[1]
        expected = expected if last is None else last
    assert fee_on(changes, date(2026, 6, day), 99) == expected
    assert (applies(changes, date(2026, 6, day)) is None) == (expected == 99)
