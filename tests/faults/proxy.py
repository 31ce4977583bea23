"""A line to PostgreSQL or to Stripe that can be made bad while it is in use.

It passes bytes on as they come. `wire.py` counts messages and strikes at one of them; here a test says what
the line is like from now on: slow, closed, cut, deaf, or without an answer to what names a word.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from marketplace.db import engine

Reach = Callable[[], socket.socket]


class Proxy:
    """Listens on loopback. `opened` counts the connections, `most` how many there were at once."""

    def __init__(self, reach: Reach) -> None:
        self.delay = 0.0  # seconds before anything that the client says is passed on
        self.refuses = False  # new connections end at once
        self.opened = self.most = 0
        self._reach, self._frozen = reach, threading.Event()
        self._word: bytes | None = None
        self.arrives = False
        self.says: bytes | None = None
        self._lines: set[_Line] = set()
        self._guard = threading.Lock()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """Reset every open connection, on both sides, as when the server restarts."""
        for line in self._open():
            line.reset()

    def freeze(self) -> None:
        """From now on nothing passes on the open connections, and neither side is told."""
        for line in self._open():
            line.frozen = True

    def lose_answer(self, word: bytes, *, arrives: bool = True) -> None:
        """At the next bytes from the client that hold `word`: they arrive or not, and the line is reset."""
        self._word, self.arrives, self.says = word, arrives, None

    def answer(self, word: bytes, said: bytes) -> None:
        """At the next bytes that hold `word`: they arrive, and `said` comes back instead of the answer."""
        self._word, self.arrives, self.says = word, True, said

    def close(self) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()

    def struck(self, data: bytes) -> bool:
        """Is this what was waited for? Once."""
        with self._guard:
            if self._word is None or self._word not in data:
                return False
            self._word = None
            return True

    def _open(self) -> list[_Line]:
        with self._guard:
            return list(self._lines)

    def _listen(self) -> None:
        while True:
            try:
                near, _where = self._door.accept()
            except OSError:
                return
            if self.refuses:
                _reset(near)
                near.close()
                continue
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            line = _Line(self, near, self._reach())
        except OSError:
            _reset(near)
            near.close()
            return
        with self._guard:
            self._lines.add(line)
            self.opened += 1
            self.most = max(self.most, len(self._lines))
        line.carry()
        with self._guard:
            self._lines.discard(line)


class _Line:
    """One connection and its other half."""

    def __init__(self, proxy: Proxy, near: socket.socket, far: socket.socket) -> None:
        self.frozen = False
        self._proxy, self._near, self._far = proxy, near, far
        self._mute = False

    def carry(self) -> None:
        back = threading.Thread(target=self._answers, daemon=True)
        back.start()
        self._asks()
        back.join()
        for each in (self._near, self._far):
            each.close()

    def reset(self) -> None:
        for each in (self._near, self._far):
            _reset(each)

    def _asks(self) -> None:
        with suppress(OSError):
            while data := self._near.recv(65_536):
                if self._proxy.delay:
                    time.sleep(self._proxy.delay)
                if self._proxy.struck(data):
                    self._mute = True
                    if not self._proxy.arrives:
                        self.reset()
                        return
                if not self.frozen:
                    self._far.sendall(data)
        if not self.frozen:
            _end(self._far)

    def _answers(self) -> None:
        with suppress(OSError):
            while data := self._far.recv(65_536):
                if self._mute:
                    self._strike()
                    return
                if not self.frozen:
                    self._near.sendall(data)
        if not self.frozen:
            _end(self._near)

    def _strike(self) -> None:
        """The first bytes of the answer came, so it was done."""
        if self._proxy.says is None:
            self.reset()
            return
        self._near.sendall(self._proxy.says)
        for each in (self._near, self._far):
            _end(each)


@contextmanager
def to_database(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy in front of the database at `url`, and the address of it through the proxy."""
    there = sa.make_url(url)
    folder, port = there.query.get("host"), there.port or 5432

    def reach() -> socket.socket:
        if folder is None:
            return socket.create_connection((there.host or "localhost", port), 10)
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{folder}/.s.PGSQL.{port}")
        return far

    proxy = Proxy(reach)
    through = there.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
    try:
        yield proxy, through
    finally:
        engine(through).dispose()
        proxy.close()


@contextmanager
def to_stripe(port: int) -> Iterator[tuple[Proxy, str]]:
    """A proxy in front of the local Stripe on that port, and its address."""
    proxy = Proxy(lambda: socket.create_connection(("127.0.0.1", port), 10))
    try:
        yield proxy, f"http://127.0.0.1:{proxy.port}"
    finally:
        proxy.close()


def _reset(each: socket.socket) -> None:
    """End it at once, so that the other side sees a reset and not an orderly end."""
    with suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _end(each)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
