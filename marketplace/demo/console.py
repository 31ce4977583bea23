"""What the person in front of `marketplace demo` sees: calm lines on a terminal, plain ones anywhere else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

BAR = 24
CLEAR = "\r\x1b[2K"


class Console:
    """Writes to one stream. On a terminal the last line may be live: rewritten until something is said."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._colour = self._terminal and not os.environ.get("NO_COLOR")
        self._live = False
        self._last = ""

    def say(self, line: str = "") -> None:
        self._write(f"{self._cleared()}{line}\n")

    def warn(self, line: str) -> None:
        self.say(f"  {self._painted('!', 33)} {line}")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Name a step, and how long it took once it is done."""
        started = time.monotonic()
        self._write(f"{self._cleared()}  {what} … ")
        try:
            yield
        except BaseException:
            self._write("\n")
            raise
        self._write(self._painted(f"{time.monotonic() - started:.1f} s", 2) + "\n")

    def heading(self, line: str) -> None:
        self.say()
        self.say(f"  {self._painted(line, 1)}")
        self.say()

    def table(self, rows: Sequence[Sequence[str]], *, head: bool = False) -> None:
        """Columns as wide as their widest cell; the first row quieter when it is the head."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            self.say("  " + (self._painted(line, 2) if head and number == 0 else line))

    def progress(self, stage: str, done: int, total: int) -> None:
        """A bar that is rewritten; where that is impossible, a line for each new tenth."""
        share = min(1.0, done / total) if total > 0 else 0.0
        if not self._terminal:
            self._tell_once(f"  {stage.partition(':')[0]}: {int(share * 10) * 10} %")
            return
        filled = round(share * BAR)
        bar = self._painted("━" * filled, 36) + self._painted("━" * (BAR - filled), 2)
        line = f"{CLEAR}  {bar} {share:4.0%}  {stage}"
        if not (self._live and line == self._last):
            self._write(line)
        self._live, self._last = True, line

    def end_progress(self, line: str) -> None:
        self._tell_once(f"  {line}")

    def _tell_once(self, line: str) -> None:
        if line != self._last:
            self._last = line
            self.say(line)

    def _cleared(self) -> str:
        was_live, self._live = self._live, False
        return CLEAR if was_live else ""

    def _painted(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text

    def _write(self, text: str) -> None:
        # A terminal that was closed must not keep us from stopping in order.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
