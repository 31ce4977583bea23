"""The passes in their order: what is certain is confirmed, a tie is proposed, and every match says why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.errors import Refused
from marketplace.ledger import chart
from marketplace.payments.gateway import Gateway
from marketplace.reconciliation import fetching, matches, passes
from marketplace.reconciliation.models import OpenItem, StatementMatch, StripeBalance, StripeTransaction
from marketplace.reconciliation.states import ItemState, Kind, LineState, MatchState
from tests.factories.accounts import a_person
from tests.ledger import journal
from tests.reconciliation.camt import Entry
from tests.reconciliation.world import (
    MONDAY,
    NOON,
    FakeStripe,
    a_payout,
    a_sweep,
    an_account,
    bank_says,
    finance,
    line,
)

People = tuple[Actor, Actor]


@pytest.fixture(autouse=True)
def thursday() -> Iterator[None]:
    with clock.at(NOON + timedelta(days=3)):
        yield


@pytest.fixture
def people(session: Session) -> People:
    return finance(session)


@pytest.fixture
def stripe() -> FakeStripe:
    return FakeStripe()


def fetch(session: Session, stripe: FakeStripe) -> int:
    return fetching.fetch_stripe(session, cast(Gateway, stripe))


def found(session: Session, state: MatchState = MatchState.CONFIRMED) -> list[StatementMatch]:
    return list(session.scalars(sa.select(StatementMatch).filter_by(state=state).order_by(StatementMatch.id)))


def open_kinds(session: Session) -> list[Kind]:
    return sorted(session.scalars(sa.select(OpenItem.kind).filter_by(state=ItemState.OPEN)))


def test_an_account_that_is_refused_holds_up_no_other(
    session: Session, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_accounts_in_play", lambda session, limit: ["acct_gone", "acct_here"])
    stripe.refused.add("acct_gone")
    stripe.moved("acct_here", "payment", "py_1", 500)
    assert fetch(session, stripe) == 1
    assert session.scalars(sa.select(StripeBalance.account)).all() == [None, "acct_here"]


def test_fetching_twice_keeps_each_once(session: Session, stripe: FakeStripe) -> None:
    stripe.moved(None, "charge", "ch_1", 500)
    assert fetch(session, stripe) == 1
    stripe.moved(None, "charge", "ch_2", 700, at=NOON + timedelta(hours=1))

    assert fetch(session, stripe) == 1
    assert stripe.asked[-1] == (None, NOON - fetching.OVERLAP)
    assert len(session.scalars(sa.select(StripeTransaction)).all()) == 2


def test_pass_1_by_stripes_id(session: Session, people: People, stripe: FakeStripe) -> None:
    sweep = a_sweep(session, people)
    stripe.moved(None, "payout", sweep.stripe_id or "", -90_000)
    fetch(session, stripe)
    result = passes.run(session)

    (match,) = found(session)
    assert (match.pass_number, match.reasons) == (1, ["source", "amount"])
    assert result.confirmed == {1: 1}
    assert passes.run(session).confirmed == {}


def test_pass_1_wants_the_same_amount(session: Session, people: People, stripe: FakeStripe) -> None:
    sweep = a_sweep(session, people)
    stripe.moved(None, "payout", sweep.stripe_id or "", -90_001)
    fetch(session, stripe)

    assert passes.run(session).confirmed == {}


def test_pass_2_a_payout_and_what_it_carries(session: Session, people: People, stripe: FakeStripe) -> None:
    ana = a_person(session, "Ana Expert", Role.EXPERT)
    account = an_account(session, session.get_one(Person, ana.id))
    for n in range(40):
        stripe.moved("acct_ana", "payment", f"py_{n}", 1_000)
    stripe.moved("acct_ana", "payout", "po_ana", -40_000)
    stripe.contents["po_ana"] = list(stripe.transactions["acct_ana"])
    a_payout(session, account, 40_000)
    fetch(session, stripe)
    result = passes.run(session)

    assert result.confirmed == {1: 1, 2: 1}
    match = found(session)[-1]
    assert match.reasons == ["contents", "sum"]
    assert len(match.lines) == 41


def test_pass_2_one_cent_off_does_not_match(session: Session, people: People, stripe: FakeStripe) -> None:
    ana = a_person(session, "Ana Expert", Role.EXPERT)
    account = an_account(session, session.get_one(Person, ana.id))
    stripe.moved("acct_ana", "payment", "py_1", 39_999)
    stripe.contents["po_ana"] = list(stripe.transactions["acct_ana"])
    a_payout(session, account, 40_000)
    fetch(session, stripe)

    assert 2 not in passes.run(session).confirmed


def test_pass_3_by_trace_books_the_arrival(session: Session, people: People) -> None:
    sweep = a_sweep(session, people)
    bank_says(session, people[0], Entry(90_000, "STRIPE TRANSFER TRACE tr-0042"))
    result = passes.run(session)

    (match,) = found(session)
    assert (result.confirmed, match.pass_number, match.reasons) == ({3: 1}, 3, ["trace", "amount"])
    assert journal.rows(session, {}, f"sweep:{sweep.public_id}")[-1] == (
        "sweep arrived",
        [("1010", "", "900.00", ""), ("1150", "", "", "900.00")],
    )
    arrived = ledger.entries_for(session, f"sweep:{sweep.public_id}")[-1]
    assert arrived.booked_on == MONDAY + timedelta(days=2)


def test_pass_4_by_amount_text_and_date(session: Session, people: People) -> None:
    a_sweep(session, people, trace=None)
    bank_says(session, people[0], Entry(90_000, "Stripe payments UK"), Entry(90_000, "Rent refund"))
    passes.run(session)

    (match,) = found(session)
    assert (match.pass_number, match.reasons) == (4, ["amount", "text", "date"])


@pytest.mark.parametrize("days", [-2, 8])
def test_pass_4_not_on_another_day(session: Session, people: People, days: int) -> None:
    a_sweep(session, people, trace=None)
    bank_says(session, people[0], Entry(90_000, "STRIPE"), on=MONDAY + timedelta(days=2 + days))

    assert passes.run(session).confirmed == {}


def test_equal_amounts_on_a_day_are_only_proposed(session: Session, people: People) -> None:
    for _n in range(4):
        a_sweep(session, people, trace=None)
    bank_says(session, people[0], *[Entry(90_000, f"STRIPE {n}") for n in range(4)])
    result = passes.run(session)

    assert (result.confirmed, result.proposed) == ({}, {4: 16})
    assert all("tie" in match.reasons for match in found(session, MatchState.PROPOSED))
    assert passes.run(session).proposed == {}
    assert line(session, "STRIPE 0").state == LineState.PROPOSED


def test_a_person_decides_a_tie(session: Session, people: People) -> None:
    sweeps = [a_sweep(session, people, trace=None) for _n in range(2)]
    bank_says(session, people[0], Entry(90_000, "STRIPE 0"), Entry(90_000, "STRIPE 1"))
    passes.run(session)
    first = found(session, MatchState.PROPOSED)[0]
    assert open_kinds(session) == [*[Kind.TIMING] * 2, *[Kind.UNIDENTIFIED] * 2]
    matches.confirm_match(session, people[0], first.public_id)

    assert open_kinds(session) == [Kind.TIMING, Kind.UNIDENTIFIED]
    assert ledger.balance(session, chart.bank_operating(), "USD") == 90_000
    (left,) = found(session, MatchState.PROPOSED)
    assert matches.pair_of(left)[1] is sweeps[1]
    with pytest.raises(Refused):
        matches.confirm_match(session, people[0], first.public_id)


def test_undo_takes_the_arrival_back_and_is_remembered(session: Session, people: People) -> None:
    sweep = a_sweep(session, people)
    bank_says(session, people[0], Entry(90_000, "STRIPE TRACE TR0042"))
    passes.run(session)
    matches.undo_match(session, people[0], found(session)[0].public_id, "Another marketplace's fees")

    assert ledger.balance(session, chart.bank_operating(), "USD") == 0
    assert ledger.balance(session, chart.payouts_in_transit(), "USD") == 90_000
    assert open_kinds(session) == [Kind.TIMING, Kind.UNIDENTIFIED]
    assert line(session, "STRIPE TRACE TR0042").state == LineState.IMPORTED
    assert passes.run(session).confirmed == {}

    by_hand = matches.match_by_hand(
        session, people[0], line(session, "STRIPE TRACE TR0042").public_id, sweep.public_id
    )
    assert by_hand.reasons == ["by_hand", "amount"]
    assert open_kinds(session) == []
    assert ledger.balance(session, chart.payouts_in_transit(), "USD") == 0


def test_what_stripes_ids_matched_cannot_be_undone(
    session: Session, people: People, stripe: FakeStripe
) -> None:
    sweep = a_sweep(session, people)
    stripe.moved(None, "payout", sweep.stripe_id or "", -90_000)
    fetch(session, stripe)
    passes.run(session)

    with pytest.raises(Refused, match="nothing to undo"):
        matches.undo_match(session, people[0], found(session)[0].public_id, "No")
