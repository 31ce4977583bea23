"""Many rows at once, by COPY: for imports, which would take hours row by row."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain, islice
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg import Binary
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.db import Base

AT_ONCE = 1_000
VERSION_AND_VARIANT = 0xF << 76 | 3 << 62
Keep = Callable[[Any], Any]
# What the text format of COPY gives a meaning.
SPECIAL = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def new_keys(session: Session, table: type[Base], count: int) -> Sequence[int]:
    """So many internal keys that nobody else will be given."""
    query = "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"
    return session.scalars(sa.text(query), {"table": table.__tablename__, "count": count}).all()


def new_public_id() -> str:
    """As `db.new_id`, as the text that COPY takes: to make an object of it takes longer than all the rest."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    return f"{value & ~VERSION_AND_VARIANT | 7 << 76 | 2 << 62:032x}"


def copy(session: Session, table: type[Base], rows: Iterable[Mapping[str, Any]], **always: Any) -> None:
    """Write rows that all name the same columns, in the running transaction; `always` are the columns that
    are the same in each. Values are written as their column's type keeps them. Raises DBAPIError, as any
    other statement does."""
    each = iter(rows)
    first = next(each, None)
    if first is None:
        return
    connection: Any = session.connection().connection.driver_connection
    kept = _kept(session, table, [*first, *always])
    command = into(table.__tablename__, [*first, *always])
    try:
        with connection.cursor() as cursor, cursor.copy(command) as file:
            for text in lines(chain((first,), each), kept, always):
                file.write(text)
    except psycopg.Error as error:
        raise _told(session, command, error) from None


def _told(session: Session, command: str, error: psycopg.Error) -> Exception:
    """The driver's error as SQLAlchemy tells it, without the row that PostgreSQL adds to some."""
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    error.args = (error.diag.message_primary or str(error),)
    if driver.closed:
        connection.invalidate(error)
    return DBAPIError.instance(
        command, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=driver.closed,
        dialect=connection.dialect,
    )  # fmt: skip


def into(table: str, columns: Iterable[str]) -> str:
    """The command that takes these columns."""
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN"


def lines(
    rows: Iterable[Mapping[str, Any]],
    kept: Mapping[str, Keep] | None = None,
    always: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """The rows in COPY's text format, many in each text. `kept` is how the values of some columns are kept.

    The driver writes value by value in its own way, which takes longer than all the rest of an import.
    """
    known, each = kept or {}, iter(rows)
    rest = (
        "".join("\t" + _column(known.get(name), [value])[0] for name, value in (always or {}).items()) + "\n"
    )
    while batch := list(islice(each, AT_ONCE)):
        columns = zip(*(row.values() for row in batch), strict=True)
        texts = [_column(known.get(name), values) for name, values in zip(batch[0], columns, strict=True)]
        yield "".join([line + rest for line in map("\t".join, zip(*texts, strict=True))])


def _column(kept: Keep | None, values: Sequence[Any]) -> Sequence[str]:
    """A column is written at once where its values are of one kind, as nearly all are."""
    if kept is not None:
        values = list(map(kept, values))
    kinds = set(map(type, values))
    if kinds == {str}:
        joined = "".join(values)
        return values if joined.isprintable() and "\\" not in joined else list(map(_plain, values))
    if len(kinds) == 1:
        return list(map(WRITTEN.get(kinds.pop(), _other), values))
    return [WRITTEN.get(type(value), _other)(value) for value in values]


def _kept(session: Session, table: type[Base], names: Iterable[str]) -> dict[str, Keep]:
    """How columns that are sealed, or words, are kept. Lists, days and the like are written as they are."""
    dialect, columns = session.connection().dialect, sa.inspect(table).local_table.c
    return {
        name: how
        for name in names
        if isinstance(columns[name].type, sa.TypeDecorator)
        and (how := columns[name].type.bind_processor(dialect)) is not None
    }


def _other(value: Any) -> str:
    return _plain(str(value))


def _plain(text: str) -> str:
    return text if text.isprintable() and "\\" not in text else text.translate(SPECIAL)


def _array(values: list[Any]) -> str:
    """`{1,2}`, `{"a","b"}`."""
    if values and isinstance(values[0], str):
        quoted = [
            each.replace("\\", "\\\\").replace('"', '\\"') if "\\" in each or '"' in each else each
            for each in values
        ]
        return _plain('{"' + '","'.join(quoted) + '"}')
    return "{" + ",".join(map(str, values)) + "}"


WRITTEN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "\\N",
    bool: lambda value: "t" if value else "f",
    int: str,
    str: _plain,
    bytes: lambda value: "\\\\x" + value.hex(),
    Binary: lambda value: "\\\\x" + value.obj.hex(),
    UUID: str,
    date: date.isoformat,
    datetime: datetime.isoformat,
    list: _array,
    dict: lambda value: _plain(json.dumps(value)),
}
