"""A process of its own that does one thing and is killed in the middle of it (SIGKILL: no handler runs)."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable

from sqlalchemy.orm import Session

from marketplace.db import engine, new_session
from marketplace.payments.gateway import connect
from tests.stories.mortal import die

# What the child does at its point: a target and whether it dies before or after its first call.
GATEWAY = "marketplace.payments.gateway:Gateway"


def killed(url: str, work: Callable[[Session], object], *, before: str = "", after: str = "") -> None:
    """Fork, do `work` on a session of its own, and die before or after the first call of that function."""
    pid = _forked()
    if pid == 0:
        _live(url, work, before or after, "before" if before else "after")
    _pid, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "it lived on"
    assert os.WTERMSIG(status) == signal.SIGKILL


def in_a_process(url: str, work: Callable[[Session], object]) -> int:
    """Fork and do `work` to its end; the exit code, 0 when nothing was raised."""
    pid = _forked()
    if pid == 0:
        code = 1
        try:
            engine.cache_clear()
            connect.cache_clear()
            work(new_session(url))
            code = 0
        finally:
            os._exit(code)
    _pid, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _forked() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # The threads of the parent are no part of what the child does.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _live(url: str, work: Callable[[Session], object], target: str, when: str) -> None:
    """In the child: nothing that the parent holds open is used, and nothing of pytest runs afterwards."""
    try:
        engine.cache_clear()
        connect.cache_clear()
        die(target, when)
        work(new_session(url))
    finally:
        os._exit(1)
