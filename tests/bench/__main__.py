"""Print the table of every topic, each row beside what it took when it was last recorded.

Compare numbers of one run only: machines and days differ. `BENCH_RECORD=1` adds this run to the history.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from tests.bench import history

os.environ["MARKETPLACE_ENVIRONMENT"] = "test"
HEADS = (("runs", 8), ("best ms", 12), ("median ms", 12), ("p99 ms", 12), ("before: median, p99", 24))


def main() -> int:
    """Every topic, or the one that is named; each as a process of its own, with a database of its own, since
    one fills it with what would be in the way of another."""
    if len(sys.argv) > 1:
        return _topic(sys.argv[1])
    topics = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    return max(_alone(each) for each in topics)


def _alone(topic: str) -> int:
    return subprocess.run([sys.executable, "-m", "tests.bench", topic], check=False).returncode


def _topic(topic: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        os.environ["MARKETPLACE_DATA"] = folder
        _table(topic, history.before())
    return 0


def _table(topic: str, known: Mapping[tuple[str, str, str], Mapping[str, str]]) -> None:
    heads = "".join(f"{head:>{width}}" for head, width in HEADS)
    print(f"\n{topic}\n{'':46}{heads}")
    for row in import_module(f"tests.bench.bench_{topic}").rows():
        history.record(topic, row)
        p99 = "" if row.p99 is None else f"{row.p99:.1f}"
        last = known.get((history.sizes(), topic, row.what))
        told = f"{last['median_ms']}, {last['p99_ms'] or '–'}" if last else ""
        print(
            f"  {row.what:<44}{row.runs:>8}{row.best:>12.1f}{row.median:>12.1f}{p99:>12}{told:>24}",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
