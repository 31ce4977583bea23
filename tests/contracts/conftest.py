from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from marketplace import clock
from tests.factories.contracts import MONDAY
from tests.factories.sittings import Trial, a_trial


@pytest.fixture
def trial(session: Session) -> Trial:
    """An expert who applied for a gig that asks for a paid test."""
    with clock.at(MONDAY):
        return a_trial(session)
