"""Wires that count what crosses them and can be struck at one exact message.

A wire stands between one process and PostgreSQL, or between it and Stripe. What the process sends is taken
apart into the messages of the protocol (each of PostgreSQL's front-end messages, each HTTP request), and at
the message that was chosen one of `WAYS` happens. The kill is a SIGKILL sent while the process waits for its
answer, so the process ends exactly between two messages, without a handler or a farewell.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

KILL_BEFORE = "kill_before"  # the message never leaves
KILL_AFTER = "kill_after"  # the other side did it, and the process dies before it reads the answer
CUT = "cut"  # the connection breaks, the message never arrives, the process lives
LOSE_ANSWER = "lose_answer"  # the connection breaks after the other side did it
HANG_BEFORE = "hang_before"  # no answer at all, and nothing was done
HANG_AFTER = "hang_after"  # no answer at all, and it was done
CRASH = "crash"  # the database itself dies and recovers: everybody's connections break
WAYS = (KILL_BEFORE, KILL_AFTER, CUT, LOSE_ANSWER)
DATABASE_WAYS = (*WAYS, CRASH)
STRIPE_WAYS = (*WAYS, HANG_BEFORE, HANG_AFTER)

ANSWERED = b"QS"  # PostgreSQL answers a simple query and a sync; what comes before a sync waits for it
PATIENCE = 15.0  # seconds for an answer that is awaited in order to be lost


class Broken(Exception):
    """This connection ends here."""


class Wire:
    """Listens on loopback at `port`, and passes on to the other side."""

    def __init__(self, strikes: Mapping[int, str], crash: Callable[[], None] | None = None) -> None:
        self.count = 0
        self.struck: list[str] = []
        self.answered: list[int] = []
        self.victim: int | None = None
        self._known = threading.Event()
        self._strikes, self._crash = dict(strikes), crash
        self._turn = threading.Lock()
        self._open: set[socket.socket] = set()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def belongs_to(self, pid: int) -> None:
        """The process to kill, once it is known."""
        self.victim = pid
        self._known.set()

    def close(self) -> None:
        self._door.close()
        for each in list(self._open):
            _end(each)

    def _next(self) -> str | None:
        """Count a message; what happens at it."""
        with self._turn:
            self.count += 1
            way = self._strikes.pop(self.count, None)
            if way:
                self.struck.append(f"{way} at {self.count}")
        return way

    def _kill(self) -> None:
        self._known.wait(PATIENCE)
        if self.victim:
            with suppress(ProcessLookupError):
                os.kill(self.victim, signal.SIGKILL)
        raise Broken

    def _listen(self) -> None:
        while True:
            try:
                near, _where = self._door.accept()
            except OSError:
                return
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(near)
            threading.Thread(target=self._serve_safely, args=(near,), daemon=True).start()

    def _serve_safely(self, near: socket.socket) -> None:
        with suppress(Broken, OSError, EOFError, ValueError):
            self._serve(near)
        _end(near)
        self._open.discard(near)

    def _serve(self, near: socket.socket) -> None:
        raise NotImplementedError


class DatabaseWire(Wire):
    """In front of PostgreSQL, at a socket's path or at (host, port)."""

    def __init__(
        self,
        upstream: Path | tuple[str, int],
        strikes: Mapping[int, str],
        crash: Callable[[], None] | None = None,
    ) -> None:
        self._upstream = upstream
        super().__init__(strikes, crash)

    def _serve(self, near: socket.socket) -> None:
        far = self._reach()
        self._open.add(far)
        try:
            self._carry(near, far)
        finally:
            _end(far)
            self._open.discard(far)

    def _reach(self) -> socket.socket:
        if isinstance(self._upstream, tuple):
            return socket.create_connection(self._upstream, PATIENCE)
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        far.connect(str(self._upstream))
        return far

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        swallow, answered = threading.Event(), threading.Event()
        threading.Thread(target=_answers, args=(far, near, swallow, answered), daemon=True).start()
        reader = near.makefile("rb")
        message = _packet(reader, b"")
        while True:
            self._pass_on(message, far, swallow, answered)
            message = _packet(reader, _exactly(reader, 1))

    def _pass_on(
        self, message: bytes, far: socket.socket, swallow: threading.Event, answered: threading.Event
    ) -> None:
        way = self._next()
        if message[:1] in ANSWERED:
            self.answered.append(self.count)
        if way is None:
            far.sendall(message)
            return
        if way == KILL_BEFORE:
            self._kill()
        if way == CUT:
            raise Broken
        if way == CRASH:
            if self._crash:
                self._crash()
            raise Broken
        swallow.set()
        far.sendall(message)
        if message[:1] in ANSWERED:
            answered.wait(PATIENCE)
        if way == KILL_AFTER:
            self._kill()
        raise Broken


class StripeWire(Wire):
    """In front of an HTTP server on loopback at `upstream`. Refuses everybody while `away`."""

    def __init__(self, upstream: int, strikes: Mapping[int, str], *, away: bool = False) -> None:
        self._upstream, self._away = upstream, away
        super().__init__(strikes)

    def _serve(self, near: socket.socket) -> None:
        if self._away:
            raise Broken
        with socket.create_connection(("127.0.0.1", self._upstream), PATIENCE) as far:
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asks, answers = near.makefile("rb"), far.makefile("rb")
            while True:
                self._pass_on(_http(asks), near, far, answers)

    def _pass_on(self, asked: bytes, near: socket.socket, far: socket.socket, answers: BinaryIO) -> None:
        way = self._next()
        self.answered.append(self.count)
        if way == KILL_BEFORE:
            self._kill()
        if way == CUT:
            raise Broken
        if way == HANG_BEFORE:
            _outlast(near)
        far.sendall(asked)
        answer = _http(answers)
        if way == KILL_AFTER:
            self._kill()
        if way == LOSE_ANSWER:
            raise Broken
        if way == HANG_AFTER:
            _outlast(near)
        near.sendall(answer)


def _answers(
    far: socket.socket, near: socket.socket, swallow: threading.Event, answered: threading.Event
) -> None:
    """Carry PostgreSQL's answers back, until they are to be swallowed."""
    reader = far.makefile("rb")
    with suppress(OSError, EOFError, ValueError):
        while True:
            message = _packet(reader, _exactly(reader, 1))
            if not swallow.is_set():
                near.sendall(message)
            elif message[:1] == b"Z":
                answered.set()
    answered.set()
    if not swallow.is_set():
        _end(near)


def _packet(reader: BinaryIO, kind: bytes) -> bytes:
    """The rest of a message of which `kind` was read; the first of a connection has none."""
    size = _exactly(reader, 4)
    return kind + size + _exactly(reader, struct.unpack("!i", size)[0] - 4)


def _http(reader: BinaryIO) -> bytes:
    """One request or answer, whole."""
    lines = []
    length = 0
    while True:
        line = reader.readline()
        if not line:
            raise EOFError
        lines.append(line)
        name, _colon, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
        if line in (b"\r\n", b"\n"):
            return b"".join(lines) + _exactly(reader, length)


def _exactly(reader: BinaryIO, count: int) -> bytes:
    found = reader.read(count)
    if len(found) != count:
        raise EOFError
    return found


def _outlast(near: socket.socket) -> None:
    """Say nothing until the other side has no patience left."""
    near.settimeout(30)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and near.recv(1):
        pass
    raise Broken


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        each.close()
