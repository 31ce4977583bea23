"""Processes by the hundred, each a fork of one that has loaded everything, so that none takes long to begin.

`python -m tests.faults.nursery` reads a line of JSON for each process to start or to wait for, and answers
with a line. It has no thread and no connection, so that what is forked is clean.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marketplace.embedded.keeper import die_with_parent

# Three silent calls of twenty seconds each end a worker's round; whoever lives much longer hangs.
PATIENCE = 180.0
HUNG = "hung"
KILLED = "killed"
ROOT = Path(__file__).parents[2]


@dataclass
class Nursery:
    """The driver's end: starts processes and waits for them."""

    log: Path
    _process: subprocess.Popen[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ready(self) -> None:
        """Wait until everything is loaded."""
        self._ask({"do": "nothing"})

    def start(self, what: str, *arguments: object, **options: object) -> int:
        """Start `acts.PROCESSES[what]`; the id of the process."""
        return int(self._ask({"do": "start", "what": what, "arguments": arguments, "options": options}))

    def rehearse(self, what: str, *arguments: object) -> str:
        """Do it in the nursery itself, so that all its children know how; the exit code."""
        return str(self._ask({"do": "rehearse", "what": what, "arguments": arguments}))

    def wait(self, pid: int, patience: float = PATIENCE) -> str:
        """How the process ended: `0`, another exit code, `killed`, or `hung` when it did not by itself."""
        return str(self._ask({"do": "wait", "pid": pid, "patience": patience}))

    def lives(self, pid: int) -> bool:
        """Is it still running?"""
        return bool(self._ask({"do": "look", "pid": pid}))

    def kill(self, pid: int) -> None:
        """End it by SIGKILL, and wait for that."""
        self.wait(pid, patience=0)

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(30)

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The nursery ended; what it said is in {self.log}.")
        return json.loads(answer)


def main() -> None:
    """Start and wait, as told, until nobody tells any more."""
    from tests.faults import acts

    alive: set[int] = set()
    ends: dict[int, str] = {}

    def ended(pid: int) -> str | None:
        if pid not in ends and (found := os.waitpid(pid, os.WNOHANG))[0]:
            ends[pid] = _how(found[1])
        return ends.get(pid)

    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                _become(acts.PROCESSES[order["what"]], order["arguments"], order["options"])
            alive.add(pid)
            _say(pid)
        elif order["do"] == "rehearse":
            _say(acts.PROCESSES[order["what"]](*order["arguments"]))
            acts.rest()
            gc.collect()
            gc.freeze()
        elif order["do"] == "look":
            _say(not ended(order["pid"]))
        elif order["do"] == "wait":
            _say(_wait(order["pid"], order["patience"], ended))
            alive.discard(order["pid"])
        else:
            _say("ready")
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become(process: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Be that process, to its end: nothing of the nursery's own clean-up runs in it."""
    code = 70
    try:
        # However the nursery itself ends.
        die_with_parent(signal.SIGKILL)
        # What the nursery is told is not for its children.
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        code = process(*arguments, **options) or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, patience: float, ended: Callable[[int], str | None]) -> str:
    deadline = time.monotonic() + patience
    while (how := ended(pid)) is None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return HUNG
        time.sleep(0.004)
    return how


def _how(status: int) -> str:
    return KILLED if os.WIFSIGNALED(status) else str(os.WEXITSTATUS(status))


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
