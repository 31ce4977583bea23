"""Log files of the processes that we start."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

LARGEST = 5 * 1024 * 1024


def open_log(path: Path) -> BinaryIO:
    """The file at `path`, for appending; the old one is set aside once it has grown past 5 MB."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGEST:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
