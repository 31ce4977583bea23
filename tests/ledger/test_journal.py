"""The rows that stories compare."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import SITE
from marketplace.ledger import chart
from tests.ledger import journal


def test_an_approval_as_rows(session: Session) -> None:
    ana, project = uuid.uuid4(), uuid.uuid4()
    ledger.post(
        session,
        SITE,
        source="approval:1",
        event="approved",
        currency="USD",
        lines=[
            (chart.project_reserved(project), 120_000),
            (chart.expert_payable(ana), -100_000),
            (chart.client_fees(), -20_000),
        ],
        occurred_at=datetime(2026, 11, 3, tzinfo=UTC),
        memo="",
    )

    assert journal.rows(session, {ana: "ana", project: "evals"}) == [
        (
            "approval approved",
            [
                ("2020", "evals", "1,200.00", ""),
                ("2100", "ana", "", "1,000.00"),
                ("4010", "", "", "200.00"),
            ],
        )
    ]
