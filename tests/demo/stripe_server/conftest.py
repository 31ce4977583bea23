"""A running Local Stripe, the official client on it, and every exchange held to Stripe's description."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import stripe

from marketplace import clock
from tests.demo.stripe_server.description import Checked
from tests.demo.stripe_server.harness import Handle, client_for, start_stripe
from tests.demo.stripe_server.people import Platform


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    """A Local Stripe of one's own, on a clock that `clock.advance` moves."""
    handle = start_stripe(tmp_path)
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(handle.clock_file))
    yield handle
    handle.kill()


@pytest.fixture
def client(local: Handle) -> stripe.StripeClient:
    return client_for(local.url, http_client=Checked())


@pytest.fixture
def platform(local: Handle, client: stripe.StripeClient) -> Platform:
    return Platform(local, client)


@pytest.fixture
def rich(platform: Platform) -> Platform:
    """A platform whose card money of $10,000 less fees has become available."""
    platform.fund(1_000_000)
    clock.advance(timedelta(days=5))
    platform.local.settle()
    return platform
