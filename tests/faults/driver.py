"""Runs seeds one after another, says how it goes, and stops at nothing: what broke is told with its seed."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.ground import Ground
    from tests.faults.plans import Plan
    from tests.faults.play import Outcome

MEMORY = Path("/dev/shm")
KEPT = frozenset({"MARKETPLACE_DATABASE_URL", "MARKETPLACE_APP_DATABASE_URL"})


def main(argv: Sequence[str] | None = None) -> int:
    """Runs by the options; 1 when anything broke."""
    given = _options(argv)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    if given.jobs > 1:
        return _share_out(given)
    folder = _settle_in()
    # Only now: the settings are read from the environment by what is imported.
    from tests.faults import storm
    from tests.faults.ground import prepared

    try:
        with prepared(folder) as ground:
            known = storm.measured(ground)
            if given.mutants:
                return _hunt(given, ground, known)
            broken = _run(given, ground, _plans(given, known))
            if broken and given.keep:
                shutil.copy(ground.log, given.keep)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(broken > 0)


def _run(given: argparse.Namespace, ground: Ground, plans: Sequence[Plan]) -> int:
    """Run the plans one after another; how many broke something."""
    from tests.faults import storm

    print(f"The world stands. {len(plans)} runs follow.")
    broken, began = 0, time.monotonic()
    for number, plan in enumerate(plans, 1):
        outcome = storm.run(ground, plan)
        broken += bool(outcome.wrong)
        if outcome.wrong or given.verbose:
            _tell(outcome)
        if number % 25 == 0 or number == len(plans) or broken >= given.enough:
            print(f"{number} runs of seed {given.seed}{given.share}: {broken} broke something, "
                  f"{(time.monotonic() - began) / number:.1f} s each")  # fmt: skip
        if broken >= given.enough:
            break
    return broken


def _hunt(given: argparse.Namespace, ground: Ground, known: Outcome) -> int:
    """Break the product on purpose, in one way after another; 1 when the runs do not notice one of them."""
    from tests.faults import storm
    from tests.faults.mutants import MUTANTS
    from tests.faults.plans import systematic
    from tests.faults.wire import KILL_AFTER, LOSE_ANSWER

    # What Stripe did for a batch and did not get to say: where most ways to break it show at once.
    telling = [plan for plan in systematic(known.answered) if plan.seed.startswith("send-stripe")
               and plan.seed.endswith((LOSE_ANSWER, KILL_AFTER))]  # fmt: skip
    unnoticed = 0
    for mutant in MUTANTS:
        ground.breed(mutant)
        runs = (storm.run(ground, plan) for plan in [*telling, *_plans(given, known)])
        found = next((outcome for outcome in runs if outcome.wrong), None)
        unnoticed += found is None
        told = f"found with seed {found.plan.seed}: {found.wrong[0]}" if found else "NOT FOUND"
        print(f"{mutant}: {told}")
    return int(unnoticed > 0)


def _plans(given: argparse.Namespace, known: Outcome) -> list[Plan]:
    from tests.faults.plans import drawn, systematic

    every = list(systematic(known.answered))
    if given.only:
        named = [plan for plan in every if plan.seed == given.seed]
        return named or [drawn(given.seed, known.sizes)]
    part, parts = _part(given.share)
    if given.systematic:
        return every[part * given.sparse :: parts * given.sparse]
    return [drawn(f"{given.seed}.{number}", known.sizes) for number in range(part, given.runs, parts)]


def _share_out(given: argparse.Namespace) -> int:
    """As many drivers at once, each with a server of its own and its part of the seeds."""
    asked = ["--runs", str(given.runs), "--seed", given.seed, "--enough", str(given.enough),
             "--sparse", str(given.sparse),
             *(f"--{name}" for name in ("systematic", "verbose") if getattr(given, name))]  # fmt: skip
    drivers = [
        subprocess.Popen([sys.executable, "-m", "tests.faults", *asked, "--share", f" {part}/{given.jobs}"])
        for part in range(given.jobs)
    ]
    try:
        return max(driver.wait() for driver in drivers)
    finally:
        for driver in drivers:
            driver.terminate()


def _part(share: str) -> tuple[int, int]:
    part, _slash, parts = (share.strip() or "0/1").partition("/")
    return int(part), int(parts)


def _tell(outcome: Outcome) -> None:
    verdict = "BROKEN" if outcome.wrong else "sound"
    print(f"{verdict}: seed {outcome.plan.seed} ({outcome.seconds:.1f} s)")
    print(*outcome.plan.lines(), sep="\n")
    print(f"  struck: {'; '.join(outcome.struck) or 'nothing'}")
    print(f"  ended: {'; '.join(outcome.ends)}")
    print(*(f"  WRONG: {each}" for each in outcome.wrong), sep="\n", flush=True)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="marketplace faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="how many (default %(default)s)")
    parser.add_argument("--seed", default="", help="what they are drawn from; a new one when not given")
    parser.add_argument("--only", action="store_true", help="just this one seed, as it was printed")
    parser.add_argument("--systematic", action="store_true",
                        help="instead: each way to break at each message, one at a time")  # fmt: skip
    parser.add_argument("--sparse", type=int, default=1, help="of the systematic runs only each so manieth")
    parser.add_argument("--jobs", type=int, default=1, help="drivers at once (default %(default)s)")
    parser.add_argument("--share", default="", help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="tell of each run")
    parser.add_argument("--enough", type=int, default=10, help="stop after so many broke something")
    parser.add_argument("--keep", type=Path, help="where the log of the processes is kept when one broke")
    parser.add_argument("--mutants", action="store_true",
                        help="break the product on purpose, and see whether a run notices")  # fmt: skip
    given = parser.parse_args(argv)
    given.seed = given.seed or f"{random.SystemRandom().getrandbits(32):08x}"
    return given


def _settle_in() -> Path:
    """A folder of our own, in memory where there is room, and an environment of nobody else's settings."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * 2**30
    folder = Path(tempfile.mkdtemp(prefix="marketplace-faults-", dir=MEMORY if roomy else None))
    folder.chmod(0o711)
    for name in [each for each in os.environ if each.startswith("MARKETPLACE_") and each not in KEPT]:
        del os.environ[name]
    os.environ.update(MARKETPLACE_ENVIRONMENT="test", MARKETPLACE_DATA=str(folder / "data"))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return folder
