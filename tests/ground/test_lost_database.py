"""The database goes away in the middle of a change: what is said about it is true."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.db import engine, new_session, use_case
from marketplace.errors import Unavailable
from tests.conftest import Committed

pytestmark = pytest.mark.committed

KEPT = "SELECT count(*) FROM organizations WHERE name = 'Lumen Labs'"
ADD = """
INSERT INTO organizations (public_id, kind, name, country, created_at)
VALUES (gen_random_uuid(), 'client', 'Lumen Labs', 'US', now())
"""


@use_case
def add_organization(session: Session) -> None:
    session.execute(sa.text(ADD))


@use_case
def add_and_lose(session: Session, committed: Committed) -> None:
    """The server ends the connection after the row was written, and before it was told to keep it."""
    session.execute(sa.text(ADD))
    number = session.scalar(sa.text("SELECT pg_backend_pid()"))
    with committed.session() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})
    session.execute(sa.text("SELECT 1"))


def test_a_connection_that_ended_while_nobody_used_it_is_not_used(committed: Committed) -> None:
    with committed.session() as session, committed.session() as other:
        number = session.scalar(sa.text("SELECT pg_backend_pid()"))
        other.execute(sa.text("SELECT 1"))  # on a connection of its own
        session.rollback()
        other.execute(sa.text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})

        add_organization(session)

        assert session.scalar(sa.text("SELECT pg_backend_pid()")) != number
        assert session.scalar(sa.text(KEPT)) == 1


class Line:
    """A line to the database that breaks at the first COMMIT, before it is carried out or after."""

    def __init__(self, url: str, *, carried_out: bool) -> None:
        self._there, self._carried_out = sa.make_url(url), carried_out
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._breaks = True
        self._answer_is_lost = False
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    @property
    def url(self) -> str:
        port = self._listener.getsockname()[1]
        return self._there.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)

    def close(self) -> None:
        engine(self.url).dispose()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _begin(self, work: Callable[..., None], *about: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=about, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                ours, _address = self._listener.accept()
            except OSError:
                return
            self._begin(self._serve, ours)

    def _serve(self, ours: socket.socket) -> None:
        with ours, self._connect() as theirs:
            answers = self._begin(self._pass_on, theirs, ours, self._lets_answer)
            self._pass_on(ours, theirs, self._lets_ask)
            answers.join(10)

    def _connect(self) -> socket.socket:
        folder = self._there.query.get("host")
        if folder is None:
            return socket.create_connection((self._there.host or "localhost", self._there.port or 5432))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{folder}/.s.PGSQL.{self._there.port or 5432}")
        return connection

    def _lets_ask(self, data: bytes) -> bool:
        if not self._breaks or b"COMMIT" not in data:
            return True
        self._breaks, self._answer_is_lost = False, self._carried_out
        return self._carried_out

    def _lets_answer(self, _data: bytes) -> bool:
        lost, self._answer_is_lost = self._answer_is_lost, False
        return not lost

    def _pass_on(self, source: socket.socket, target: socket.socket, lets: Callable[[bytes], bool]) -> None:
        with suppress(OSError):
            while (data := source.recv(65_536)) and lets(data):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def kept(committed: Committed) -> int:
    with committed.session() as session:
        return session.scalar(sa.text(KEPT)) or 0


def test_lost_before_the_commit_nothing_was_changed(committed: Committed):
    with committed.session() as session:
        with pytest.raises(Unavailable, match="Nothing was changed"):
            add_and_lose(session, committed)
        assert kept(committed) == 0
        add_organization(session)
    assert kept(committed) == 1


@pytest.mark.parametrize("carried_out", [True, False])
def test_lost_while_committing_nobody_knows_and_nothing_else_is_claimed(
    committed: Committed, carried_out: bool
):
    with closing(Line(committed.url, carried_out=carried_out)) as line, new_session(line.url) as session:
        with pytest.raises(Unavailable, match="may be saved or not"):
            add_organization(session)
        assert kept(committed) == carried_out
        add_organization(session)
    assert kept(committed) == carried_out + 1
