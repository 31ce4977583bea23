"""What a newcomer's first commands stand on: the scripts, the locks and the layers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def script(name: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / name, *arguments], env=environ, capture_output=True, text=True, check=False
    )


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for the PATH with what the scripts themselves need, and no Python or browser."""
    for name in ("sh", "dirname"):
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_no_python_is_a_sentence(tools: Path) -> None:
    done = script("find-python", PATH=str(tools))
    assert done.returncode == 1
    assert "No Python 3.11 or later was found." in done.stderr


def test_a_python_that_only_looks_like_one_is_passed_over(tools: Path) -> None:
    program(tools, "python3.13", "exit 127")
    program(tools, "python3", "exit 0")
    assert script("find-python", PATH=str(tools)).stdout == f"{tools}/python3\n"


def test_a_python_without_venv_is_told_apart(tools: Path) -> None:
    program(tools, "python3", 'case "$2" in *venv*) exit 1;; esac')
    assert "python3-venv" in script("find-python", PATH=str(tools)).stderr


def test_no_browser_is_said_and_only_ci_insists(tools: Path) -> None:
    program(tools, "pytest", 'echo "ran $*"')
    here = script("run-tests", "pytest", PATH=str(tools))
    assert (here.returncode, here.stdout) == (0, "ran -m not browser\n")
    assert "No Chromium was found" in here.stderr
    assert script("run-tests", "pytest", PATH=str(tools), CI="true").returncode == 1


def test_a_browser_is_handed_on(tools: Path) -> None:
    program(tools, "google-chrome", "exit 0")
    program(tools, "pytest", 'echo "$CHROMIUM"')
    assert script("run-tests", "pytest", PATH=str(tools)).stdout == f"{tools}/google-chrome\n"


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda lock: lock.name)
def test_locks_are_hashed_and_name_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    pinned = [line for line in text.splitlines() if line[:1].isalnum()]
    assert pinned
    assert all("==" in line and line.endswith("\\") for line in pinned)


def test_a_planted_violation_of_the_layers_is_found(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "marketplace", tmp_path / "marketplace", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    money = tmp_path / "marketplace" / "money.py"
    money.write_text("import flask\nimport marketplace.ledger\nimport stripe\n" + money.read_text())
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    for forbidden in ("marketplace.ledger", "flask", "stripe"):
        assert f"marketplace.money -> {forbidden}" in done.stdout
