"""The command: what it answers, and with which exit code, when things are not as they should be."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace import cli, settings
from marketplace.cli import Command
from marketplace.errors import Refused


def explode(arguments: argparse.Namespace) -> int:
    raise KeyError("nobody thought of this")


def refuse(arguments: argparse.Namespace) -> int:
    raise Refused("The month is closed. Post into the next one.")


def interrupt(arguments: argparse.Namespace) -> int:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tuple(Command(name, name, f"{__name__}:{name}") for name in ("explode", "refuse", "interrupt"))
    monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, *made))


def marketplace(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "marketplace.cli", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_is_there(command: Command) -> None:
    assert callable(command.load())
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.name.split(), "--help"])
    assert ended.value.code == 0


@pytest.mark.parametrize("words", [[], ["nonsense"], ["db"], ["demo", "--port", "high"]])
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert "usage: marketplace" in capsys.readouterr().err


def test_a_refusal_is_a_sentence_and_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["refuse"]) == 1
    assert capsys.readouterr().err == "The month is closed. Post into the next one.\n"


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["interrupt"]) == 130
    assert capsys.readouterr().err == ""


def test_the_unexpected_is_kept_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explode"]) == 1
    said = capsys.readouterr().err
    kept = settings.current().data / "logs" / "errors.log"
    assert "Traceback" not in said
    assert str(kept) in said
    assert "nobody thought of this" in kept.read_text()


def test_wrong_settings_are_all_named(tmp_path: Path) -> None:
    done = marketplace(
        "doctor", MARKETPLACE_DATA=str(tmp_path), MARKETPLACE_THREADS="few", MARKETPLACE_LOG_LEVEL="loud"
    )
    assert done.returncode == 1
    assert "MARKETPLACE_THREADS" in done.stderr
    assert "MARKETPLACE_LOG_LEVEL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    done = marketplace(
        "db",
        "upgrade",
        MARKETPLACE_DATA=str(tmp_path),
        MARKETPLACE_DATABASE_URL="postgresql://a:b@127.0.0.1:9/none",
    )
    assert done.returncode == 1
    assert "The database does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_sees_a_schema_that_is_behind(folder: Path) -> None:
    behind = marketplace("doctor", MARKETPLACE_DATA=str(folder))
    assert behind.returncode == 1
    assert "run marketplace db upgrade" in behind.stdout
