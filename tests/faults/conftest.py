"""A house that is ready to pay, for the named faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.embedded import Server
from tests.faults import ready
from tests.faults.ready import Model, Ready


@pytest.fixture(scope="session")
def ready_model(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """Made once for a run, and left alone by the tests."""
    with ready.model(server, tmp_path_factory.mktemp("ready")) as made:
        yield made


@pytest.fixture
def house(
    server: Server, ready_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ready]:
    """Friday noon: two experts are owed an hour each, and nobody has prepared a batch."""
    with ready.copy(server, ready_model, tmp_path, monkeypatch) as made:
        yield made
