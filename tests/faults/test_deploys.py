"""F08 and F09: a deployment that is killed, and a disk that is full."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from marketplace import logs, schema, settings, storage
from marketplace.contracts.approvals import approve_timesheet
from marketplace.credentials.models import Credential
from marketplace.db import new_session
from marketplace.errors import Unavailable
from marketplace.storage import Document
from tests.conftest import Committed
from tests.factories.credentials import PDF, a_claim
from tests.faults.killing import in_a_process, killed
from tests.faults.ready import Model, Ready
from tests.faults.site import site, visitor
from tests.faults.together import together

pytestmark = pytest.mark.committed
BACK = 4  # migrations


def at(committed: Committed) -> str | None:
    with committed.owner() as owner:
        return schema.revisions(owner.connection())[0]


def some_back(committed: Committed) -> tuple[str, str]:
    """An older revision, to which the database is taken, and the newest."""
    with committed.owner() as owner:
        newest = schema.revisions(owner.connection())[1]
    assert newest is not None
    script = ScriptDirectory(str(schema.MIGRATIONS))
    older = newest
    for _step in range(BACK):
        older = str(script.get_revision(older).down_revision)
    schema.downgrade(committed.server.owner_url, older)
    assert at(committed) == older
    return older, newest


@pytest.mark.parametrize("when", ["after the first statement", "before the end"])
def test_f08_a_migration_that_is_killed_can_be_run_again(committed: Committed, when: str) -> None:
    _older, newest = some_back(committed)
    targets = {
        "after the first statement": {"after": "alembic.operations:Operations.execute"},
        "before the end": {"before": "alembic.runtime.migration:HeadMaintainer.update_to_step"},
    }
    owner = committed.server.owner_url
    killed(committed.url, lambda _session: schema.upgrade(owner), **targets[when])
    assert at(committed) != newest
    assert at(committed) is not None
    schema.upgrade(owner)
    assert at(committed) == newest


def test_f08_two_deployments_at_once_migrate_once(committed: Committed) -> None:
    _older, newest = some_back(committed)
    owner = committed.server.owner_url
    assert together(committed, [lambda _session: schema.upgrade(owner)] * 2) == ["done", "done"]
    assert at(committed) == newest


def test_f08_neither_the_old_nor_the_new_schema_lets_wrong_rows_in(committed: Committed) -> None:
    """Old code goes on while new code starts: what keeps the books right is kept by the database."""
    for _schema in ("new", "old"):
        with committed.session() as session:
            for statement in (
                "UPDATE postings SET amount = 0", "DELETE FROM journal_entries", "TRUNCATE audit_events",
                "ALTER TABLE postings DISABLE TRIGGER ALL", "DROP TABLE postings",
            ):  # fmt: skip
                with pytest.raises(sa.exc.ProgrammingError):
                    session.execute(sa.text(statement))
                session.rollback()
            with pytest.raises(sa.exc.DBAPIError):
                unbalanced(session)
        if _schema == "new":
            some_back(committed)


def unbalanced(session: Session) -> None:
    """An entry without a counterpart, as broken code would write it."""
    session.execute(
        sa.text("""
            INSERT INTO journal_entries (public_id, source, event, currency, occurred_at, memo)
            VALUES (gen_random_uuid(), 'test:1', 'e', 'USD', now(), '')
        """)
    )
    session.commit()


@contextmanager
def a_full_disk(room: int = 16) -> Iterator[None]:
    """This process can write no file of more than a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files() -> set[Path]:
    return set((settings.current().data / "documents").rglob("*.*"))


def test_f09_an_upload_on_a_full_disk_leaves_nothing_and_says_so(house: Ready) -> None:
    before = files()
    with a_full_disk(), pytest.raises(Unavailable, match="could not be stored"):
        a_claim(house.session, house.ana, document=PDF)
    house.session.rollback()
    assert house.session.scalars(sa.select(Document)).all() == []
    assert house.session.scalars(sa.select(Credential)).all() == []
    assert files() == before, "not even a part of it"
    claim = a_claim(house.session, house.ana, document=PDF)
    assert claim.document is not None
    assert storage.read(house.session, house.ana, claim.document) == PDF.data


def test_f09_money_moves_on_a_full_disk(house: Ready) -> None:
    sheet = house.submitted_later(house.ana)
    seen, version, dev = sheet.public_id, sheet.version, house.dev
    # The clock of the test is a small file.
    with a_full_disk(room=100):
        approve_timesheet(house.session, dev, seen, version)
        house.released()
        house.pays()
    assert len(house.at_stripe()) == 2
    house.sound()


def test_f09_a_log_that_cannot_be_written_stops_nothing(house: Ready, ready_model: Model) -> None:
    sheet = house.submitted_later(house.ana)
    seen, version, dev = sheet.public_id, sheet.version, house.dev

    def with_a_full_log(session: Session) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, 2)
        os.dup2(full, 1)
        logs.start("DEBUG")
        approve_timesheet(session, dev, seen, version)
        with site(ready_model.settings, lambda: new_session(house.committed.url)) as app:
            assert visitor(app, session, house.ana).get("/pay").status_code == 200

    assert in_a_process(house.committed.url, with_a_full_log) == 0
    house.session.rollback()
    house.sound()
