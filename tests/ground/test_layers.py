"""The layers hold, and each contract notices when they do not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
PLANTED = [
    ("marketplace/ledger/planted.py", "import marketplace.payments.models", "Slices import only"),
    ("marketplace/contracts/planted.py", "import stripe", "Only the gateway speaks to Stripe"),
    ("marketplace/gigs/planted.py", "import flask", "Only pages know the web framework"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code alone, somewhere else."""
    shutil.copytree(
        ROOT / "marketplace", tmp_path / "marketplace", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_planted_import_is_found(copy: Path) -> None:
    assert lint(copy).returncode == 0
    for file, line, _contract in PLANTED:
        (copy / file).write_text(line + "\n")
    found = lint(copy)
    assert found.returncode == 1
    for file, _line, contract in PLANTED:
        module = file.removesuffix(".py").replace("/", ".")
        assert f"{contract}" in found.stdout
        assert module in found.stdout
