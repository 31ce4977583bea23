"""Work on credit: nobody else's money pays for it, only its own pay waits, and all see how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.models import Organization
from marketplace.actor import SITE, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.credit.lines import confirm_line, prepare_line
from marketplace.contracts.credit.models import CreditLine
from marketplace.contracts.models import Approval
from marketplace.errors import Refused
from marketplace.ledger import chart
from marketplace.ledger import proofs as books
from marketplace.payments import batches, covered, sweeps
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.states import Blocker, ItemState
from marketplace.proof import Drift
from marketplace.reconciliation.proofs import money_is_covered
from tests.cast import Cast
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week
from tests.factories.gigs import a_client, a_project, an_expert, fund
from tests.factories.payments import Finance, finance, set_up
from tests.visitor import words

TWO_WEEKS = 3_600_00
HOUR, FEE = 150_00, 30_00


@pytest.fixture(autouse=True)
def monday() -> Iterator[None]:
    with clock.at(MONDAY):
        yield


@pytest.fixture
def desk(session: Session) -> Finance:
    return finance(session)


@pytest.fixture
def deal(session: Session, desk: Finance) -> Deal:
    """A contract whose client has paid in nothing and is lent two weeks."""
    client, organization = a_client(session)
    opa = an_actor(session, a_person(session, "Opa Olsen", Role.OPERATOR))
    day = MONDAY.date()
    line = prepare_line(session, opa, organization, TWO_WEEKS, day, day + timedelta(days=30), "Pays monthly")
    confirm_line(session, desk.gil, line.public_id)
    project = a_project(session, client, organization)
    return a_deal(session, project_of=(client, project), funds=0)


def approved(session: Session, deal: Deal, day: int = 0) -> Approval:
    start = MONDAY + timedelta(days=day)
    with clock.at(start + timedelta(hours=2)):
        sheet = a_submitted_week(session, deal, start)
    with clock.at(start + timedelta(hours=3)):
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    return session.scalars(sa.select(Approval).order_by(Approval.id.desc())).first()  # type: ignore[return-value]


def own_money(session: Session, amount: int) -> None:
    ledger.post(
        session, SITE, source=f"capital:{amount}", event="paid", currency="USD", occurred_at=MONDAY, memo="",
        lines=[(chart.stripe_balance(), amount), (chart.owner_capital(), -amount)],
    )  # fmt: skip
    session.commit()


def held(session: Session, *approvals: Approval) -> set[int]:
    return covered.waiting(session, "USD") & {each.id for each in approvals}


def another_clients_money(session: Session) -> None:
    client, organization = a_client(session, "Vega")
    fund(session, a_project(session, client, organization, "Other").public_id, 5_000_00)


def lost(session: Session, amount: int) -> None:
    """Money of our own that is gone, as when a chargeback is lost."""
    ledger.post(
        session, SITE, source=f"loss:{amount}", event="lost", currency="USD",
        occurred_at=clock.now(), memo="",
        lines=[(chart.chargeback_losses(), amount), (chart.stripe_balance(), -amount)],
    )  # fmt: skip
    session.commit()


def left(session: Session, batch: PayoutBatch) -> None:
    """Stripe has taken what was released."""
    for item in batches.going(batch):
        ledger.post(
            session, SITE, source=f"left:{item.public_id}", event="sent", currency="USD",
            occurred_at=clock.now(), memo="",
            lines=[(chart.expert_in_flight(item.person.public_id), item.amount),
                   (chart.stripe_balance(), -item.amount)],
        )  # fmt: skip
    session.commit()


def test_reserved_on_credit_nothing_is_missing_yet(session: Session, deal: Deal) -> None:
    found = covered.look(session, "USD")
    assert (found.there, found.owed, found.unpaid) == (0, 0, {})
    assert list(money_is_covered(session)) == []


def test_earned_pay_is_owed_and_waits_for_its_client(session: Session, deal: Deal, desk: Finance) -> None:
    approval = approved(session, deal)
    found = covered.look(session, "USD")
    assert (found.owed, sum(found.unpaid.values()), found.missing) == (HOUR, HOUR + FEE, HOUR)
    assert held(session, approval) == {approval.id}
    assert ledger.balance(session, chart.expert_payable(deal.contract.person.public_id), "USD") == -HOUR
    with clock.at(MONDAY + timedelta(days=1)), pytest.raises(Refused, match="Nothing"):
        batches.prepare_batch(session, desk.fin, clock.now())


def test_another_clients_money_does_not_pay_for_it(session: Session, deal: Deal) -> None:
    approval = approved(session, deal)
    another_clients_money(session)
    assert held(session, approval) == {approval.id}


def test_the_operators_own_money_does(session: Session, deal: Deal) -> None:
    approval = approved(session, deal)
    own_money(session, HOUR - 1)
    assert held(session, approval) == {approval.id}
    own_money(session, 1)
    assert held(session, approval) == set()


def test_only_what_is_not_there_waits_and_the_newest_first(session: Session, deal: Deal) -> None:
    first, second = approved(session, deal), approved(session, deal, 7)
    own_money(session, HOUR)
    assert held(session, first, second) == {second.id}
    fund(session, deal.project.public_id, HOUR)
    assert held(session, first, second) == set()


def test_pay_for_what_was_paid_in_never_waits(session: Session, deal: Deal) -> None:
    waiting = approved(session, deal)
    paid = a_deal(session, client_name="Vega")
    fine = approved(session, paid)
    assert held(session, waiting, fine) == {waiting.id}


def released(session: Session, desk: Finance, batch: PayoutBatch) -> dict[str, tuple[str, str | None]]:
    gil = replace(desk.gil, second_factor_at=clock.now())
    found = batches.release_batch(session, gil, batch.public_id).items
    return {each.person.full_name: (each.state, each.blocker) for each in found}


def test_what_is_covered_no_more_when_it_is_released_is_let_go_and_nothing_else(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
) -> None:
    waits = approved(session, deal)
    paid = a_deal(session, client_name="Vega", expert=an_expert(session, "Bo Berg"))
    fine = approved(session, paid)
    own_money(session, HOUR)
    for each in (deal, paid):
        set_up(session, gateway, each.expert)
    with clock.at(MONDAY + timedelta(hours=4)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert batches.total(batches.going(batch)) == 2 * HOUR
        lost(session, HOUR)
        assert released(session, desk, batch) == {
            deal.contract.person.full_name: (ItemState.BLOCKED, Blocker.CLIENT_OWES),
            "Bo Berg": (ItemState.RELEASED, None),
        }
        left(session, batch)
        assert list(money_is_covered(session)) == []
        # The pay is offered again once its client has paid.
        fund(session, deal.project.public_id, TWO_WEEKS)
        assert held(session, waits, fine) == set()
        again = batches.prepare_batch(session, desk.fin, clock.now())
        assert released(session, desk, again) == {deal.contract.person.full_name: (ItemState.RELEASED, None)}


def test_a_batch_of_which_nothing_is_covered_says_so(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
) -> None:
    approved(session, deal)
    own_money(session, HOUR)
    set_up(session, gateway, deal.expert)
    with clock.at(MONDAY + timedelta(hours=4)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        lost(session, 1)
        with pytest.raises(Refused, match="Waits for a client who works on credit"):
            released(session, desk, batch)


def test_pay_that_waits_in_no_batch_takes_nothing_from_what_is_released(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
) -> None:
    first = approved(session, deal)
    own_money(session, HOUR)
    set_up(session, gateway, deal.expert)
    with clock.at(MONDAY + timedelta(hours=4)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
    second = approved(session, deal, 7)
    assert held(session, first, second) == {second.id}
    with clock.at(MONDAY + timedelta(days=8)):
        name = deal.contract.person.full_name
        assert released(session, desk, batch) == {name: (ItemState.RELEASED, None)}
    assert held(session, second) == {second.id}
    assert list(money_is_covered(session)) == []


def test_what_was_approved_after_the_cut_off_is_newer_and_waits_first(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
) -> None:
    approved(session, deal)
    approved(session, deal, 7)
    own_money(session, HOUR)
    set_up(session, gateway, deal.expert)
    with clock.at(MONDAY + timedelta(days=8)):
        batch = batches.prepare_batch(session, desk.fin, MONDAY + timedelta(days=1))
    assert batches.total(batches.going(batch)) == HOUR


def test_fees_on_their_way_out_pay_nobody(session: Session, deal: Deal, desk: Finance) -> None:
    paid = a_deal(session, client_name="Vega", funds=5_000_00)
    approved(session, paid)
    own_money(session, HOUR - FEE)
    sweep = sweeps.prepare_sweep(session, desk.fin)
    assert sweep.amount == FEE
    waits = approved(session, deal, 7)
    assert held(session, waits) == {waits.id}
    # Ordinary credit: the sweep is not booked yet, and then what is short is what the expert waits for.
    assert list(money_is_covered(session)) == []
    gil = replace(desk.gil, second_factor_at=clock.now())
    with pytest.raises(Refused, match="work on credit"):
        sweeps.release_sweep(session, gil, sweep.public_id)
    sweeps.cancel_sweep(session, desk.fin, sweep.public_id)
    assert held(session, waits) == set()


def test_p8_counts_what_waits_for_credit_as_exposure_and_sees_when_others_pay(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
) -> None:
    approved(session, deal)
    another_clients_money(session)
    assert list(money_is_covered(session)) == []
    own_money(session, HOUR)
    set_up(session, gateway, deal.expert)
    with clock.at(MONDAY + timedelta(hours=4)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        released(session, desk, batch)
        assert list(money_is_covered(session)) == []
        lost(session, HOUR)
        left(session, batch)
    # What the first client owes lowers nothing of what the other is owed.
    drift = Drift("cover in USD", f"at least {5_000_00}", str(5_000_00 - HOUR))
    assert list(money_is_covered(session)) == [drift]


def test_p8_explains_nothing_by_what_nobody_was_lent(
    session: Session, deal: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(session, deal)
    monkeypatch.setattr(books, "may_owe", [])
    assert [each.found for each in money_is_covered(session)] == ["0"]


def test_fees_that_are_not_paid_are_not_swept(session: Session, deal: Deal, desk: Finance) -> None:
    approved(session, deal)
    client, organization = a_client(session, "Vega")
    fund(session, a_project(session, client, organization, "Other").public_id, 5_000_00)
    with pytest.raises(Refused, match="work on credit"):
        sweeps.prepare_sweep(session, desk.fin)
    fund(session, deal.project.public_id, TWO_WEEKS)
    assert sweeps.prepare_sweep(session, desk.fin).amount == FEE


def test_the_pages_from_the_first_word_to_the_end(app: Flask, cast: Cast) -> None:
    session = cast.session
    opa, gil, carla = (cast.visitor(app, each) for each in (cast.opa, cast.gil, cast.carla))
    lumen = session.get_one(Organization, cast.lumen.id)
    said = opa.post(
        "/credit-lines", organization=str(lumen.public_id), amount="1,000",
        from_on="2026-06-01", until_on="2026-06-30", reason="Pays each month",
    )  # fmt: skip
    assert "Waits for a second person" in words(said)
    line = session.scalars(sa.select(CreditLine)).one()
    page = f"/credit-lines/{line.public_id}"
    assert "Confirm the line" not in words(opa.get(page))
    assert "Confirm the line" in words(gil.get(page))
    assert "Confirmed by Gil Garnier" in words(gil.post(f"{page}/confirmation"))
    project = a_project(session, cast.carla, lumen.public_id)
    told = words(carla.get(f"/projects/{project.public_id}/funding"))
    assert "Your credit line" in told
    assert "$1,000.00" in told
    assert carla.get("/credit-lines").status_code == 404
    assert "Fill this in" in words(gil.post(f"{page}/ending", reason=""))
    assert "Ended" in words(gil.post(f"{page}/ending", reason="Did not pay"))
    assert "Lumen Labs" in words(gil.get("/credit-lines"))
