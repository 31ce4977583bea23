"""Print the table of every topic. Compare numbers of one run only: machines and days differ."""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

os.environ["MARKETPLACE_ENVIRONMENT"] = "test"
HEADS = (("runs", 6), ("best ms", 12), ("median ms", 12), ("p99 ms", 12))


def main() -> int:
    topics = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        os.environ["MARKETPLACE_DATA"] = folder
        for topic in topics:
            heads = "".join(f"{head:>{width}}" for head, width in HEADS)
            print(f"\n{topic.removeprefix('bench_')}\n{'':46}{heads}")
            for row in import_module(f"tests.bench.{topic}").rows():
                p99 = "" if row.p99 is None else f"{row.p99:.1f}"
                print(
                    f"  {row.what:<44}{row.runs:>6}{row.best:>12.1f}{row.median:>12.1f}{p99:>12}", flush=True
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
