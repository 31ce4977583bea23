"""The process that holds the private server for as long as anybody uses it, and not a moment longer.

Every user of the server holds a shared lock on one file. The keeper waits for the exclusive lock: the system
gives it when the last user has ended, however it ended, kill -9 included. So there are no orphans and no
counting, and nobody has to remember to stop the server.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

USERS_FILE = "postgres.users"
KEEPER_FILE = "postgres.keeper"
PR_SET_PDEATHSIG = 1
RESTARTS = 5


def die_with_parent(sign: signal.Signals) -> None:
    """Ask Linux to send this process `sign` when its parent ends; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, sign)


def main() -> int:
    """Run `{"data", "command", "environment", "rights", "folder"}`, read from standard input."""
    plan = json.load(sys.stdin)
    data = Path(plan["data"])
    keeper = os.open(data / KEEPER_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    return Keeper(data, plan).run()


class Keeper:
    def __init__(self, data: Path, plan: dict[str, Any]) -> None:
        self._data = data
        self._plan = plan
        self._ending = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Keep the server up until the last user has gone; the server's exit code if it will not stay up."""
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._end())
        threading.Thread(target=self._wait_for_last_user, daemon=True).start()
        code = 0
        for attempt in range(RESTARTS):
            code = self._run_once()
            if self._ending.is_set():
                return 0
            if attempt == 0 and code > 0:
                return code  # It refused to start, which waiting does not mend; a kill is below zero.
            self._ending.wait(0.5 * 2**attempt)
        return code

    def _run_once(self) -> int:
        # A fast shutdown (SIGINT) is what PostgreSQL itself does best when its keeper is killed.
        self._server = subprocess.Popen(
            self._plan["command"],
            env=self._plan["environment"],
            cwd=self._plan["folder"],
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: die_with_parent(signal.SIGINT),  # noqa: PLW1509 (the thread only waits)
            **self._plan["rights"],
        )
        if self._ending.is_set():
            self._stop()
        return self._server.wait()

    def _wait_for_last_user(self) -> None:
        users = os.open(self._data / USERS_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        # Held until this process ends, so that a new user waits until the old server is down.
        fcntl.flock(users, fcntl.LOCK_EX)
        self._end()

    def _end(self) -> None:
        self._ending.set()
        self._stop()

    def _stop(self) -> None:
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                self._server.send_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
