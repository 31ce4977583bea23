"""One week that cannot be approved keeps nobody else waiting for their pay."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.approvals import approve_overdue
from marketplace.contracts.models import Reservation
from marketplace.contracts.states import ReservationState, TimesheetState
from tests.factories.contracts import MONDAY, a_deal, a_submitted_week


@pytest.mark.parametrize("broken", [0, 1])
def test_a_week_that_cannot_be_approved_holds_up_no_other(session: Session, broken: int):
    with clock.at(MONDAY):
        deals = [a_deal(session), a_deal(session)]
    with clock.at(MONDAY + timedelta(days=1)):
        weeks = [a_submitted_week(session, deal, MONDAY) for deal in deals]
    session.execute(
        sa.update(Reservation)
        .where(Reservation.contract_id == deals[broken].contract.id)
        .values(state=ReservationState.CLOSED)
    )
    session.commit()
    with clock.at(MONDAY + timedelta(days=30)):
        assert approve_overdue(session) == 1
    assert weeks[broken].state is TimesheetState.SUBMITTED
    assert weeks[1 - broken].state is TimesheetState.APPROVED
