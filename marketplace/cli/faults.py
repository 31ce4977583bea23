"""`marketplace faults`: the search for a fault that money does not survive. It lives with the tests."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from marketplace.cli import complain

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "tests" / "faults" / "driver.py"


def main(arguments: argparse.Namespace) -> int:
    """Hand the options on to the driver, in a process of its own that no setting of ours reaches."""
    if not DRIVER.exists():
        return _refuse("`marketplace faults` works in a checkout of the source, whose tests it needs.")
    if find_spec("pytest") is None:
        return _refuse("`marketplace faults` needs what the tests need. Run `make dev` first.")
    asked = ["--runs", str(arguments.runs), "--jobs", str(arguments.jobs)]
    asked += ["--seed", arguments.seed] if arguments.seed else []
    asked += [f"--{name}" for name in ("only", "systematic", "verbose") if getattr(arguments, name)]
    driver = [sys.executable, "-m", "tests.faults", *asked]
    return subprocess.run(driver, cwd=ROOT, check=False).returncode  # noqa: S603 - our own options


def _refuse(sentence: str) -> int:
    complain(sentence)
    return 1
