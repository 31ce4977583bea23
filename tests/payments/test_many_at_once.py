"""Batches of many are read and written some at a time: where those end and the next begin shows nowhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.models import Timesheet
from marketplace.payments import batches, preparing, releasing, unpaid
from marketplace.payments.gateway import Gateway
from marketplace.payments.proofs import PROOFS
from marketplace.payments.setup import wishes
from marketplace.payments.states import Blocker, ItemState
from tests.factories.contracts import MONDAY, Deal
from tests.factories.gigs import a_gig
from tests.factories.payments import Finance, a_paid_deal, an_approved_week, finance, hire

FRIDAY = MONDAY + timedelta(days=11)


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(FRIDAY):
        return finance(session)


@pytest.fixture
def deals(session: Session, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[Deal]:
    """Ana is owed 300 dollars for two weeks, Ben and Cem 150 each; Cem has no account. Each is read alone."""
    for module in (preparing, releasing, unpaid):
        monkeypatch.setattr(module, "AT_ONCE", 1)
    with clock.at(MONDAY):
        ana = a_paid_deal(session, gateway)
        ben = hire(session, gateway, ana, "Ben Baker")
        other = replace(ana, gig=a_gig(session, ana.client, ana.project))
        cem = hire(session, gateway, other, "Cem Can", set_up_too=False)
    for deal in (ana, ben, cem):
        an_approved_week(session, deal, MONDAY)
    an_approved_week(session, ana, MONDAY + timedelta(days=7))
    return [ana, ben, cem]


def frozen_by_hand(name: str, account: str | None, sheets: list[Timesheet]) -> bytes:
    lines = sorted(
        f"{each.public_id}:{each.lines_sha256.hex()}:{each.expert_amount}"
        for sheet in sheets
        for each in sheet.approvals
    )
    return hashlib.sha256("\n".join([name, account or "", *lines]).encode()).digest()


def test_each_is_paid_once_whole_and_frozen_as_ever(
    session: Session, deals: list[Deal], desk: Finance
) -> None:
    with clock.at(FRIDAY):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        found = {each.person.full_name: each for each in batch.items}
        assert {name: (each.state, each.blocker, each.amount) for name, each in found.items()} == {
            "Ana Silva": (ItemState.PREPARED, None, 300_00),
            "Ben Baker": (ItemState.PREPARED, None, 150_00),
            "Cem Can": (ItemState.BLOCKED, Blocker.NO_ACCOUNT, 150_00),
        }
        for each in found.values():
            sheets = [line.approval.timesheet for line in each.approvals]
            account = each.account.stripe_id if each.account else None
            assert each.frozen_sha256 == frozen_by_hand(str(each.person.public_id), account, sheets)
            assert batches.is_unchanged(each)
            assert all((line.ended_at is None) == (each.blocker is None) for line in each.approvals)
        batches.release_batch(session, replace(desk.gil, second_factor_at=clock.now()), batch.public_id)
        assert {each.state for each in batches.going(batch)} == {ItemState.RELEASED}
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_what_is_blocked_or_cancelled_is_offered_again_and_its_wish_with_it(
    session: Session, deals: list[Deal], desk: Finance
) -> None:
    with clock.at(FRIDAY):
        wishes.ask_now(session, deals[0].expert)
        wishes.ask_now(session, deals[2].expert)
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert wishes.asking(session) == {deals[2].expert.id}
        assert unpaid.owed_in_all(session, "USD") == (1, 150_00)
        batches.cancel_batch(session, desk.fin, batch.public_id)
        assert wishes.asking(session) == {deals[0].expert.id, deals[2].expert.id}
        assert unpaid.owed_in_all(session, "USD") == (3, 600_00)
        again = batches.prepare_batch(session, desk.fin, clock.now())
        assert batches.total(batches.going(again)) == 450_00
