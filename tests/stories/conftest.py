"""A house for each story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace import clock, settings, tasks
from marketplace.payments.gateway import connect
from tests.cast import Cast
from tests.conftest import Committed
from tests.demo.stripe_server.harness import Handle, stripe_of_the_settings
from tests.stories.house import House, next_monday


@pytest.fixture
def stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    """The real local Stripe, on the clock of the story; jobs find it by the settings."""
    yield from stripe_of_the_settings(tmp_path, monkeypatch)


@pytest.fixture
def house(committed: Committed, stripe: Handle) -> Iterator[House]:
    """Monday noon in New York, and nothing has happened yet."""
    tasks.register()
    with committed.session() as session:
        made = House(session, connect(settings.current()), stripe, Cast(session), next_monday())
        clock.advance(made.at(0, 12) - clock.now())
        yield made
