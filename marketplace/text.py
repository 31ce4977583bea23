"""Text that people typed, made safe to keep."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache


def line(text: str) -> str:
    """One line: white space collapsed, control and invisible format characters dropped."""
    return " ".join(_visible(text).split())


def paragraph(text: str) -> str:
    """Several lines: line breaks kept as LF, trailing white space and control characters dropped."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_visible(each).rstrip() for each in lines).strip()


def once(lines: Iterable[str]) -> list[str]:
    """Each line that says something, once, in the order given."""
    return list(dict.fromkeys(found for each in lines if (found := _known_line(each))))


# Of codes and skills, which are few, a file names the same ones a million times.
_known_line = lru_cache(maxsize=10_000)(line)


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c != "\t" else " " for c in text if c == "\t" or unicodedata.category(c)[0] != "C")
