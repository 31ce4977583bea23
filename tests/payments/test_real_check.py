"""The check against Stripe's test mode, run against the local server that it holds to account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.payments.gateway import Gateway
from marketplace.payments.outcomes import GatewayRefused
from marketplace.payments.real_check import check
from tests.demo.stripe_server.harness import KEY
from tests.factories.payments import a_paid_deal


def test_every_step_that_a_key_can_run_is_run_and_holds(session: Session, gateway: Gateway):
    with clock.at(clock.now() - timedelta(days=10)):
        a_paid_deal(session, gateway)
    findings = list(check(gateway, KEY))
    assert [finding for finding in findings if finding.ok is False] == []
    assert {finding.step for finding in findings if finding.ok} >= {1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 13, 14}


def test_a_live_key_is_refused_before_anything_is_asked(gateway: Gateway):
    with pytest.raises(GatewayRefused):
        next(check(gateway, "sk_live_x"))
