"""What no browser sends, but somebody will: it is refused in words, and never breaks a page."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace import settings
from marketplace.payments import webhooks
from marketplace.web.access import referring_path
from tests.cast import Cast

# No moment, one without a zone, one that is too late for a number, and a number too many.
KEYS = (
    '["x", 1]',
    '["2026-01-05", 1]',
    '["2026-01-05T00:00:00+00:00", 1e400]',
    '["2026-01-05T00:00:00+00:00", 1, 2]',
)
ODD_KEYS = [base64.urlsafe_b64encode(each.encode()).decode().rstrip("=") for each in KEYS]
DEEP = base64.urlsafe_b64encode(b"[" * 2_900).decode().rstrip("=")


@pytest.mark.parametrize("signature", ["t=1,v1=\xe9", "t=1,v1=" + "\xe9" * 64, "t=\xb2,v1=a", "v1", ",", ""])
def test_a_signature_of_odd_characters_is_refused_like_any_forged_one(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, signature: str
):
    known = replace(settings.current(), stripe_platform_secret=("whsec_platform",))
    monkeypatch.setattr(webhooks, "current", lambda: known)
    answer = client.post(
        "/stripe/webhooks/platform", data=b"{}", headers={"Stripe-Signature": signature.encode("latin-1")}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("after", [DEEP, "1" * 300, "\xe9", "WzFd", "bnVsbA", "-1", *ODD_KEYS])
def test_an_invented_place_in_a_list_is_the_first_page(app: Flask, cast: Cast, after: str):
    ana, rev = cast.visitor(app, cast.ana), cast.visitor(app, cast.rev)
    assert ana.client.get("/contracts", query_string={"after": after}).status_code == 200
    assert rev.client.get("/credentials/queue", query_string={"after": after}).status_code == 200


@pytest.mark.parametrize(
    ("referrer", "back"),
    [
        ("http://localhost//evil.example/", "/"),
        ("http://[evil", "/"),
        ("http://evil.example/pay", "/"),
        ("http://localhost/pay?after=2", "/pay?after=2"),
    ],
)
def test_a_refused_button_leads_back_to_a_page_of_this_site(app: Flask, referrer: str, back: str):
    with app.test_request_context("/", headers={"Referer": referrer}):
        assert referring_path() == back
