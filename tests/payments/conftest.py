"""A local Stripe of each test's own, spoken to over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.payments import tasks
from marketplace.payments.gateway import Gateway
from tests.demo.stripe_server.harness import KEY, Handle, start_stripe

# Releasing asks for jobs, whose handlers register themselves when they are imported.
assert tasks


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[Handle]:
    """A fresh local Stripe."""
    running = start_stripe(tmp_path)
    yield running
    running.kill()


@pytest.fixture
def gateway(stripe: Handle) -> Gateway:
    """Our door to it."""
    return Gateway(KEY, stripe.url)
