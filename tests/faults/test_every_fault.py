"""Every fault of the list is the name of a test somewhere, and the table in README.md says where."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
README = Path(__file__).with_name("README.md")
NAMED = re.compile(r"^\s*def (test_f(\d\d)_\w+)", re.MULTILINE)
ROW = re.compile(r"^\| F(\d\d) \|[^|]*\| (.*) \|$", re.MULTILINE)
LAST = 53


def named() -> dict[int, set[str]]:
    """The files in which each number is the name of a test."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for match in NAMED.finditer(path.read_text()):
            found[int(match[2])].add(str(path.relative_to(TESTS)))
    return found


def written() -> dict[int, set[str]]:
    """The files that the table names."""
    return {int(row[1]): set(re.findall(r"`([^`]+)`", row[2])) for row in ROW.finditer(README.read_text())}


@pytest.mark.parametrize("number", range(1, LAST + 1))
def test_the_fault_is_a_named_test_and_the_table_says_where(number: int) -> None:
    files = named()[number]
    assert files, f"no test is called test_f{number:02}_…"
    told = written().get(number, set())
    assert told, "the table does not name it"
    assert told <= files, "the table names a file that has no such test"
