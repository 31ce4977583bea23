"""Print the table of every topic, each row beside what it took when it was last recorded.

Compare numbers of one run only: machines and days differ. `BENCH_RECORD=1` adds this run to the history.
"""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from tests.bench import history

os.environ["MARKETPLACE_ENVIRONMENT"] = "test"
HEADS = (("runs", 8), ("best ms", 12), ("median ms", 12), ("p99 ms", 12), ("before: median, p99", 24))


def main() -> int:
    known = history.before()
    topics = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        os.environ["MARKETPLACE_DATA"] = folder
        for topic in topics:
            heads = "".join(f"{head:>{width}}" for head, width in HEADS)
            print(f"\n{topic.removeprefix('bench_')}\n{'':46}{heads}")
            name = topic.removeprefix("bench_")
            for row in import_module(f"tests.bench.{topic}").rows():
                history.record(name, row)
                p99 = "" if row.p99 is None else f"{row.p99:.1f}"
                last = known.get((history.sizes(), name, row.what))
                told = f"{last['median_ms']}, {last['p99_ms'] or '–'}" if last else ""
                print(
                    f"  {row.what:<44}{row.runs:>8}{row.best:>12.1f}{row.median:>12.1f}{p99:>12}{told:>24}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
