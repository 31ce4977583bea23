"""A table as a file for spreadsheets, sent row by row so that any number of rows takes no room here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from flask import Response, stream_with_context
from werkzeug.http import dump_options_header

# What makes a spreadsheet take a cell for a formula (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# An amount below zero is no formula, and has to stay one that can be added up.
NUMBER = re.compile(r"-\d+(\.\d+)?")
BYTE_ORDER_MARK = "\ufeff"


def table_response(name: str, header: list[str], rows: Iterable[list[str]]) -> Response:
    """The rows as a CSV file called `name`, in UTF-8, which spreadsheets recognize by its mark."""
    answer = Response(stream_with_context(_written(header, rows)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = dump_options_header("attachment", {"filename": name})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _written(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(BYTE_ORDER_MARK)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell) else cell
