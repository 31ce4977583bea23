"""A hundred random runs; the systematic ones, an hour of them, belong to `make sweep`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace import cli
from tests.faults import plans
from tests.faults.wire import WAYS

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0  # seconds, for a machine that has much else to do
SIZES = dict.fromkeys(plans.PATH, (150, 3))


def faults(*options: str) -> subprocess.CompletedProcess[str]:
    """The driver as anyone runs it; what it said is shown when a test fails."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults", *options],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    print(ran.stdout[-20_000:], ran.stderr[-5_000:])
    return ran


@pytest.mark.parametrize("half", ["one", "two"])
def test_fifty_random_runs_lose_and_pay_twice_nothing(half: str) -> None:
    ran = faults("--runs", "50", "--seed", half)
    assert ran.returncode == 0
    assert "50 runs of seed " + half + ": 0 broke something" in ran.stdout


def test_a_seed_means_the_same_each_time() -> None:
    assert plans.drawn("s.1", SIZES) == plans.drawn("s.1", SIZES)
    assert plans.drawn("s.1", SIZES) != plans.drawn("s.2", SIZES)


def test_every_answered_message_is_struck_in_every_way() -> None:
    answered = {act: ([2, 5], [1]) for act in plans.PATH}
    struck = [
        step.database for plan in plans.systematic(answered) for group in plan.groups for step in group
        if step.act == "send" and step.database
    ]  # fmt: skip
    assert struck == [(at, way) for at in (2, 5) for way in WAYS]


def test_without_the_tests_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from marketplace.cli import faults as command

    monkeypatch.setattr(command, "DRIVER", tmp_path / "driver.py")
    assert cli.main(["faults", "--runs", "1"]) == 1
    assert "works in a checkout of the source" in capsys.readouterr().err
