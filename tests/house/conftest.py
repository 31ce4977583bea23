"""Folders and processes for what runs outside of the test's own process."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from marketplace import embedded
from marketplace.cli import importing, matching
from marketplace.settings import Settings, load


@pytest.fixture
def empty() -> Iterator[Path]:
    """A folder that an unprivileged user may walk to, unlike pytest's own."""
    with _open_folder() as made:
        yield made


@pytest.fixture
def open_session(session: Session, monkeypatch: pytest.MonkeyPatch) -> Session:
    """The test's own session, which the commands that import and match open as theirs."""

    @contextmanager
    def same() -> Iterator[Session]:
        yield session

    for module in (importing, matching):
        monkeypatch.setattr(module, "session_for_command", same)
    return session


@pytest.fixture(scope="session")
def prototype() -> Iterator[Path]:
    """A data folder with a database in it, made once; making one takes longer than most tests."""
    with _open_folder() as made:
        server = embedded.ensure(load({"MARKETPLACE_DATA": str(made), "MARKETPLACE_ENVIRONMENT": "test"}))
        server.stop()
        yield made


@pytest.fixture
def folder(empty: Path, prototype: Path) -> Path:
    """A copy of the prototype, owners and all."""
    subprocess.run(["cp", "-a", f"{prototype}/.", str(empty)], check=True)
    return empty


@pytest.fixture
def settings(folder: Path) -> Settings:
    return load({"MARKETPLACE_DATA": str(folder), "MARKETPLACE_ENVIRONMENT": "test"})


@contextmanager
def _open_folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="house-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it comes true before the deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def lives(pid: int) -> bool:
    """Whether the process runs; one that ended and was not yet reaped does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self/stat").exists()
    return state != "Z"
