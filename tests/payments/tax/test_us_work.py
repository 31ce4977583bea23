"""What is withheld of a foreign person's work in the US, also where a correction leaves less to pay."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.adjustments.answering import accept_adjustment
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.payments import batches, preparing
from marketplace.payments.contents import Contents, More
from marketplace.payments.payees import Payee
from marketplace.payments.states import Blocker
from marketplace.payments.tax import office, withholding
from marketplace.payments.tax.states import Why
from marketplace.payments.tax.taxing import Tax
from marketplace.payments.tax.withholding import Withheld, share
from tests.factories.contracts import MONDAY, RATE, Deal
from tests.factories.payments import Finance
from tests.payments.tax.conftest import FRIDAY, a_w8ben
from tests.payments.tax.test_withholding import no_drift, one

WHY = "The second reading of the forty cases was counted twice."


def taken_off(session: Session, deal: Deal, amount: int) -> None:
    """A correction that the client made and the expert accepted."""
    draft = Draft(Kind.CORRECTION, -amount, "counted_twice", WHY, uuid.uuid4())
    made = adjust(session, deal.client, deal.contract.public_id, draft)
    accept_adjustment(session, deal.expert, made.public_id, deal.expert.name)


@pytest.mark.parametrize("left", [1, 2, 15_00, 100_00])
def test_of_what_a_correction_leaves_only_its_share_is_withheld(
    session: Session, deal: Deal, desk: Finance, left: int
) -> None:
    """The hour was worked in the US; the correction is decided on a day outside."""
    with clock.at(MONDAY):
        a_w8ben(session, deal.expert)
        until = (MONDAY + timedelta(days=2)).date()
        office.declare_us_work(session, deal.expert, MONDAY.date(), until)
    with clock.at(FRIDAY):
        taken_off(session, deal, RATE - left)
        batches.prepare_batch(session, desk.fin, clock.now())
        item = one(session)
        assert (item.withheld_of, item.withheld) == (left, share(left, 3_000))
        assert item.amount == left - share(left, 3_000)
        no_drift(session)


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 10**9)), min_size=1, max_size=6),
    st.integers(-(10**9), 10**10),
)
def test_no_rate_takes_more_than_its_share(rates: list[tuple[int, int]], paid: int) -> None:
    bases = dict(rates)
    left = withholding.cut(bases, paid)
    assert sum(left.values()) == max(0, min(sum(bases.values()), paid))
    assert all(0 < amount <= bases[rate] for rate, amount in left.items())
    if left:
        found = withholding.of_bases(left)
        assert found.of == sum(left.values())
        assert 0 <= found.amount <= share(found.of, max(left)) <= share(found.of, 3_000)
        assert found.amount < found.of


def test_of_whom_nothing_would_be_left_is_blocked_and_stops_nobody() -> None:
    """The rates cannot come to that; were it otherwise, one item with nothing to send would stop a batch."""
    person = Payee(1, uuid.uuid4(), "Ana Silva", closed_at=None, busy=False)
    contents = Contents(more=[More(1, 1, uuid.uuid4(), 5)])
    tax = Tax(no_form=False, withheld=Withheld(Why.NRA, 5, 5))
    found = preparing._pay(person, contents, None, (), {1: 0}, tax)
    assert (found.amount, found.withheld, found.blocker) == (5, withholding.NOTHING, Blocker.NO_ACCOUNT)
