"""The demo's machinery: sentences before it starts, processes that are mended, and nothing left behind."""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.demo import preflight
from marketplace.demo.console import CLEAR, Console
from marketplace.demo.preflight import DemoError
from marketplace.demo.processes import Child, Family
from tests.house.conftest import eventually, lives
from tests.ports import free_pair

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def demo(data: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "marketplace.cli", "demo", "--port", str(port)],
        env={**os.environ, "MARKETPLACE_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def taken() -> Iterator[int]:
    """A port in use, after one that is free."""
    with socket.create_server(("127.0.0.1", free_pair() + 1)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def family() -> Iterator[Family]:
    made = Family()
    yield made
    made.stop(made.children, 5)
    made.close()


def test_a_port_in_use(tmp_path: Path, taken: int) -> None:
    for port in (taken, taken - 1):
        done = demo(tmp_path, port)
        assert done.returncode == 1
        assert f"Port {taken}" in done.stderr
        assert "make demo" in done.stderr
        assert "Traceback" not in done.stderr


def test_run_twice(tmp_path: Path) -> None:
    with preflight.alone(tmp_path, "http://localhost:8123"):
        done = demo(tmp_path, 8321)
    assert done.returncode == 1
    assert "http://localhost:8123" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_folder_is_free_again_after_the_first_has_ended(tmp_path: Path) -> None:
    with preflight.alone(tmp_path, "http://localhost:8123"):
        pass
    with preflight.alone(tmp_path, "http://localhost:8124"):
        assert (tmp_path / preflight.LOCK_FILE).read_text() == "http://localhost:8124"


def test_a_broken_folder(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("not json")
    done = demo(tmp_path, 8321)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    (tmp_path / "file").write_text("")
    assert "is a file" in demo(tmp_path / "file", 8321).stderr


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil._ntuple_diskusage(10**9, 10**9 - 10**8, 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: full)
    with pytest.raises(DemoError, match="Only 95 MB are free"):
        preflight.check_disk(tmp_path)


def test_secrets_stay_the_same(tmp_path: Path) -> None:
    names = {"STRIPE_KEY": "sk_test_", "STRIPE_THIN_SECRET": "whsec_"}
    assert preflight.secrets_of(tmp_path, names) == preflight.secrets_of(tmp_path, names)
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


def test_what_dies_starts_again(tmp_path: Path, family: Family) -> None:
    child = Child("worker", SLEEP, tmp_path / "worker.log")
    family.start(child)
    assert child.process is not None
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    said: list[str] = []

    def again() -> bool:
        family.mend(said.append)
        return child.running and child.process is not None and child.process.pid != first

    assert eventually(again)
    assert said == [f"The worker was ended by SIGKILL; it starts again in 1 s. See {child.log}."]


def test_what_was_meant_to_end_stays_ended(tmp_path: Path, family: Family) -> None:
    child = Child("history", [sys.executable, "-c", ""], tmp_path / "history.log", once=True)
    family.start(child)
    assert eventually(lambda: not child.running)
    said: list[str] = []
    family.mend(said.append)
    family.mend(said.append)
    assert said == []
    assert not child.running


def test_the_deaf_are_ended_too(tmp_path: Path, family: Family) -> None:
    child = Child("site", [sys.executable, "-c", DEAF], tmp_path / "site.log")
    family.start(child)
    assert eventually(lambda: child.last_words() == "deaf")
    assert child.process is not None
    pid = child.process.pid
    family.stop([child], 0.2)
    assert not lives(pid)


def test_a_killed_demo_leaves_nobody_behind(tmp_path: Path) -> None:
    """The grandchild ignores its parent's death, so only the watchdog can find it."""
    code = f"""
import sys, time
from pathlib import Path
from marketplace.demo.processes import Child, Family
here = Path({str(tmp_path)!r})
grandchild = '''
import os, time
open("pid", "w").write(str(os.getpid()))
os.rename("pid", "known")
time.sleep(600)
'''
parent = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]))"
Family().start(Child("site", [sys.executable, "-c", parent, grandchild], here / "site.log"))
time.sleep(600)
"""
    demo = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    known = tmp_path / "known"
    assert eventually(known.exists)
    grandchild = int(known.read_text())
    assert lives(grandchild)
    demo.kill()
    demo.wait()
    assert eventually(lambda: not lives(grandchild))


def test_plain_output_has_no_codes_and_repeats_nothing() -> None:
    stream = io.StringIO()
    console = Console(stream)
    with console.step("Starting PostgreSQL"):
        pass
    for done in (0, 1, 2, 10, 11, 12):
        console.progress("Week 1 of 12", done, 100)
    console.end_progress("The history is complete.")
    assert "\x1b" not in stream.getvalue()
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("  Starting PostgreSQL … ")
    assert lines[1:] == ["  Week 1 of 12: 0 %", "  Week 1 of 12: 10 %", "  The history is complete."]


def test_a_terminal_has_one_live_line() -> None:
    stream = Terminal()
    console = Console(stream)
    console.progress("Week 1 of 12", 50, 100)
    console.warn("The worker ended.")
    live, said = stream.getvalue().split(CLEAR)[1:]
    assert "50%" in live
    assert "\n" not in live
    assert said.endswith("The worker ended.\n")


def test_a_closed_terminal_does_not_matter() -> None:
    stream = io.StringIO()
    stream.close()
    stream.isatty = lambda: False  # type: ignore[method-assign]
    console, stopped = Console(stream), []
    with console.step("Stopping"):
        console.say("still here")
        stopped.append("in order")
    assert stopped == ["in order"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_watchdog_ends_with_a_demo_that_stops_in_order(tmp_path: Path) -> None:
    family = Family()
    family.start(Child("site", SLEEP, tmp_path / "site.log"))
    assert family._watchdog is not None
    pid = family._watchdog.pid
    family.stop(family.children, 5)
    started = time.monotonic()
    family.close()
    assert time.monotonic() - started < 5
    assert not lives(pid)
