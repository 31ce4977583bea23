"""The demo's processes: started in groups of their own, started again when they die, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from marketplace.demo import watchdog
from marketplace.embedded.keeper import die_with_parent
from marketplace.embedded.logfile import open_log

LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
MOST_TRIES = 4


@dataclass
class Child:
    """One process. `once` means that its end is no accident when the exit code is 0."""

    name: str
    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    once: bool = False
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """The last line of its log, which is where a process says why it ended."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1].strip() if lines else "it said nothing"


class Family:
    """All children, and the watchdog that ends them should this process be killed."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._watchdog: subprocess.Popen[bytes] | None = None

    def start(self, child: Child) -> None:
        self._guard()
        if child not in self.children:
            self.children.append(child)
        with open_log(child.log) as output:
            child.process = subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **child.environment},
                process_group=0,
                preexec_fn=lambda: _settle(child.niceness),  # noqa: PLW1509 (there are no threads here)
            )
        child.started, child.due = time.monotonic(), None
        self._tell_watchdog(f"+{child.process.pid}")

    def mend(self, say: Callable[[str], None]) -> None:
        """Start again what died, after a pause that grows while it keeps dying."""
        for child in self.children:
            if child.process is None or child.running:
                continue
            if child.due is None:
                self._note_end(child, say)
            elif time.monotonic() >= child.due:
                self.start(child)

    def stop(self, children: Iterable[Child], seconds: float) -> None:
        """Ask the children to end, all at once; after `seconds` insist."""
        asked = [child for child in children if child.process is not None]
        for child in asked:
            self._signal(child, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        for child in asked:
            assert child.process is not None
            try:
                child.process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._signal(child, signal.SIGKILL)
                child.process.wait()
            self._tell_watchdog(f"-{child.process.pid}")
            child.process = None

    def close(self) -> None:
        """Let the watchdog go; call it when all children have been stopped."""
        if self._watchdog is not None and self._watchdog.stdin is not None:
            with suppress(OSError):
                self._watchdog.stdin.close()
            self._watchdog.wait()
            self._watchdog = None

    def _note_end(self, child: Child, say: Callable[[str], None]) -> None:
        assert child.process is not None
        code = child.process.returncode
        self._tell_watchdog(f"-{child.process.pid}")
        if child.once and code == 0:
            child.process = None
            return
        steady = time.monotonic() - child.started > STEADY_SECONDS
        child.failures = 1 if steady else child.failures + 1
        if child.once and child.failures > MOST_TRIES:
            child.process = None
            say(f"The {child.name} {_ended(code)} again; the rest goes on without it. See {child.log}.")
            return
        pause = min(LONGEST_PAUSE, 2.0 ** (child.failures - 1))
        child.due = time.monotonic() + pause
        say(f"The {child.name} {_ended(code)}; it starts again in {pause:.0f} s. See {child.log}.")

    def _guard(self) -> None:
        if self._watchdog is None:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", watchdog.__file__], stdin=subprocess.PIPE, start_new_session=True
            )

    def _tell_watchdog(self, line: str) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            with suppress(OSError):
                self._watchdog.stdin.write(f"{line}\n".encode())
                self._watchdog.stdin.flush()

    @staticmethod
    def _signal(child: Child, sign: signal.Signals) -> None:
        assert child.process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, sign)


def _settle(niceness: int) -> None:
    die_with_parent(signal.SIGTERM)
    os.nice(niceness)


def _ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended unexpectedly with code {code}"
