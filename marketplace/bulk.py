"""Many rows at once, by COPY: for imports, which would take hours row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import chain, islice
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from psycopg import Binary
from sqlalchemy.orm import Session

from marketplace.db import Base

AT_ONCE = 1_000
# What the text format of COPY gives a meaning.
SPECIAL = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def new_keys(session: Session, table: type[Base], count: int) -> Sequence[int]:
    """So many internal keys that nobody else will be given."""
    query = "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"
    return session.scalars(sa.text(query), {"table": table.__tablename__, "count": count}).all()


def copy(session: Session, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows that all name the same columns, each value as its column's type keeps it, in the running
    transaction."""
    each = iter(rows)
    first = next(each, None)
    if first is None:
        return
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor() as cursor, cursor.copy(into(table.__tablename__, first)) as file:
        for text in lines(chain((first,), each), _kept(session, table, first)):
            file.write(text)


def into(table: str, row: Mapping[str, Any]) -> str:
    """The command that takes rows like this one."""
    return f"COPY {table} ({', '.join(row)}) FROM STDIN"


def lines(
    rows: Iterable[Mapping[str, Any]], kept: Mapping[str, Callable[[Any], Any]] | None = None
) -> Iterable[str]:
    """The rows in COPY's text format, many in each text. `kept` is how the values of some columns are kept.

    The driver writes value by value in its own way, which takes longer than all the rest of an import.
    """
    known, each = kept or {}, iter(rows)
    while batch := list(islice(each, AT_ONCE)):
        yield "".join(
            "\t".join([_text(known[name](value) if name in known else value) for name, value in row.items()])
            + "\n"
            for row in batch
        )


def _kept(session: Session, table: type[Base], names: Iterable[str]) -> dict[str, Callable[[Any], Any]]:
    """How columns that are sealed, or words, are kept. Lists, days and the like are written as they are."""
    dialect, columns = session.connection().dialect, sa.inspect(table).local_table.c
    return {
        name: how
        for name in names
        if isinstance(columns[name].type, sa.TypeDecorator)
        and (how := columns[name].type.bind_processor(dialect)) is not None
    }


def _text(value: Any) -> str:
    how = WRITTEN.get(type(value))
    return how(value) if how is not None else str(value).translate(SPECIAL)


def _array(values: list[Any]) -> str:
    """`{1,2}`, `{"a","b"}`."""
    if values and isinstance(values[0], str):
        quoted = (each.replace("\\", "\\\\").replace('"', '\\"') for each in values)
        return ('{"' + '","'.join(quoted) + '"}').translate(SPECIAL)
    return "{" + ",".join(map(str, values)) + "}"


WRITTEN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "\\N",
    bool: lambda value: "t" if value else "f",
    int: str,
    str: lambda value: value.translate(SPECIAL),
    bytes: lambda value: "\\\\x" + value.hex(),
    Binary: lambda value: "\\\\x" + value.obj.hex(),
    UUID: str,
    date: date.isoformat,
    datetime: datetime.isoformat,
    list: _array,
    dict: lambda value: json.dumps(value).translate(SPECIAL),
}
