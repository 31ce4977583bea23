"""F24, F30 and F31: events come all at once, forged, or while a secret is being changed.

F23 and F25 to F29, with their effects on the books, are in tests/payments/test_chargebacks_at_stripe.py.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
import stripe as library
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import ledger, settings
from marketplace.audit.models import AuditEvent
from marketplace.db import new_session
from marketplace.demo.stripe_server import hands
from marketplace.payments import events, webhooks
from marketplace.payments.models import Funding, WebhookEvent
from marketplace.payments.states import FundingState
from tests.factories.payments import a_funding
from tests.faults.ready import Model, Ready
from tests.faults.site import site

OLD, NEW = "whsec_old", "whsec_new"
PATH = "/stripe/webhooks/platform"
BODY = json.dumps(
    {"id": "evt_1", "object": "event", "type": "payout.paid", "data": {"object": {"id": "po_1"}}}
)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe signs with the new secret, and for a day with the old one too; we know both."""
    known = replace(settings.current(), stripe_platform_secret=(NEW, OLD), stripe_connect_secret=("whsec_c",))
    monkeypatch.setattr(webhooks, "current", lambda: known)


def signed(body: str, secret: str, moment: float = 0) -> str:
    """A signature of `moment` seconds from now."""
    at = int(time.time() + moment)
    return str(library.WebhookSignature.generate_signature_header(body, secret, at))


def deliver(app: Flask, body: str, signature: str | None) -> int:
    headers = {} if signature is None else {"Stripe-Signature": signature}
    return (
        app.test_client().post(PATH, data=body, content_type="application/json", headers=headers).status_code
    )


def v0(body: str) -> str:
    return signed(body, NEW).replace("v1=", "v0=")


@pytest.mark.committed
def test_f24_fifteen_deliveries_at_once_are_all_answered_and_have_one_effect(
    house: Ready, ready_model: Model
) -> None:
    lot, url = a_funding(house.session, house.gateway, house.carla, house.project, 500_00)
    hands.pay(url)
    body = json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "type": "checkout.session.completed",
            "data": {"object": {"id": lot.session_id}},
        }
    )
    header = signed(body, NEW)
    with (
        site(ready_model.settings, lambda: new_session(house.committed.url)) as app,
        ThreadPoolExecutor(15) as pool,
    ):
        answers = list(pool.map(lambda _copy: deliver(app, body, header), range(15)))
    assert answers == [200] * 15

    def drain(_worker: int) -> int:
        with house.committed.session() as session:
            return events.drain_webhooks(session, house.gateway)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(drain, range(3)))
    house.session.rollback()
    assert len(house.session.scalars(sa.select(WebhookEvent)).all()) == 1
    assert house.session.scalars(sa.select(Funding.state).filter_by(id=lot.id)).one() is FundingState.PAID
    assert len(ledger.entries_for(house.session, f"funding:{lot.public_id}")) == 1
    house.sound()


FORGERIES: dict[str, Callable[[str], tuple[str, str | None]]] = {
    "another secret": lambda body: (body, signed(body, "whsec_else")),
    "another address's secret": lambda body: (body, signed(body, "whsec_c")),
    "tampered": lambda body: (body.replace("po_1", "po_2"), signed(body, NEW)),
    "stale": lambda body: (body, signed(body, NEW, -600)),
    "of the future": lambda body: (body, signed(body, NEW, 600)),
    "the stamp moved": lambda body: (body, signed(body, NEW, -600).replace("t=", f"t={int(time.time())},x=")),
    "v0 only": lambda body: (body, v0(body)),
    "no signature": lambda body: (body, None),
    "empty signature": lambda body: (body, ""),
    "no stamp": lambda body: (body, "v1=" + "0" * 64),
    "a stamp of words": lambda body: (body, signed(body, NEW).replace("t=", "t=now")),
    "a stamp without end": lambda body: (body, f"t={'9' * 400},v1={'0' * 64}"),
    "not ASCII": lambda body: (body, "t=1,v1=\u00e9"),
    "signed nonsense": lambda _body: ("[]", signed("[]", NEW)),
    "signed text": lambda _body: ("{", signed("{", NEW)),
    "signed without an id": lambda _body: ('{"type": "x"}', signed('{"type": "x"}', NEW)),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_f30_what_stripe_did_not_sign_now_is_refused_and_logged(
    app: Flask, session: Session, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    body, signature = FORGERIES[how](BODY)
    trail = session.scalar(sa.select(sa.func.count()).select_from(AuditEvent))
    with caplog.at_level(logging.WARNING):
        assert deliver(app, body, signature) == 400
    assert [each.message for each in caplog.records] == ["An event was refused"]
    assert session.scalars(sa.select(WebhookEvent)).all() == []
    assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == trail


def test_f30_the_same_event_with_its_own_signature_is_taken(app: Flask, session: Session) -> None:
    assert deliver(app, BODY, signed(BODY, NEW)) == 200
    assert len(session.scalars(sa.select(WebhookEvent)).all()) == 1


def both(body: str, first: str, second: str) -> str:
    """Stripe's header while a secret is rolled: one stamp, two signatures."""
    return f"{signed(body, first)},v1={signed(body, second).partition('v1=')[2]}"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda body: both(body, OLD, NEW), id="the old one first"),
        pytest.param(lambda body: both(body, NEW, OLD), id="the new one first"),
        pytest.param(lambda body: both(body, "whsec_later", OLD), id="one that we do not know yet"),
        pytest.param(lambda body: signed(body, OLD), id="only the old one"),
        pytest.param(lambda body: signed(body, NEW), id="only the new one"),
    ],
)
def test_f31_while_a_secret_is_rolled_both_are_accepted(
    app: Flask, session: Session, header: Callable[[str], str]
) -> None:
    assert deliver(app, BODY, header(BODY)) == 200
    assert len(session.scalars(sa.select(WebhookEvent)).all()) == 1


def test_f31_both_secrets_come_from_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETPLACE_STRIPE_PLATFORM_SECRET", f"{NEW},{OLD}")
    settings.current.cache_clear()
    try:
        assert settings.current().stripe_platform_secret == (NEW, OLD)
    finally:
        settings.current.cache_clear()
