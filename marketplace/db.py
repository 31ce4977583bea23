"""The database: engine, sessions, column types and the transaction that every use case owns."""

from __future__ import annotations

import os
import select
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from functools import cache, wraps
from typing import Annotated, Any, Concatenate, Generic, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from marketplace.errors import Refused, Unavailable
from marketplace.i18n import gettext as _

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SERIALIZATION_FAILURE, DEADLOCK, LOCK_TIMEOUT = "40001", "40P01", "55P03"
TRIES = 3
# A database that is gone without a word is noticed within a minute, not after the two hours of TCP.
_NOTICE = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}

Key = Annotated[int, mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]


W = TypeVar("W", bound=StrEnum)
P = ParamSpec("P")
R = TypeVar("R")


class Base(DeclarativeBase):
    """Every table. Text is unbounded, integers are 64 bits, moments carry their zone."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        str: sa.Text(),
        int: sa.BigInteger(),
        datetime: sa.DateTime(timezone=True),
        uuid.UUID: sa.Uuid(),
    }


class Word(sa.TypeDecorator[W], Generic[W]):
    """A StrEnum kept as its word; the migration states the CHECK that refuses any other."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[W]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: W | str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> W | None:
        return None if value is None else self.words(value)


def new_id() -> uuid.UUID:
    """A UUIDv7: random, and in order of time so that indexes stay compact (RFC 9562)."""
    value = bytearray((time.time_ns() // 1_000_000).to_bytes(6) + os.urandom(10))
    value[6] = value[6] & 0x0F | 0x70
    value[8] = value[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(value))


class Public:
    """Gives a table a random id for URLs and files; internal keys never leave the site."""

    public_id: Mapped[uuid.UUID] = mapped_column(unique=True, default=new_id)


@cache
def engine(url: str) -> sa.Engine:
    """The pool of connections to `url`, one for each process. UTC on every connection."""
    made = sa.create_engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        # An error that is logged must not tell whose address or which secret was being written.
        hide_parameters=True,
        connect_args={"options": "-c timezone=UTC -c jit=off", "connect_timeout": 10, **_NOTICE},
    )
    vars(made.dialect)["do_ping"] = _pinging(made.dialect.do_ping)
    return made


def _pinging(ask: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Ask the database whether it is there only when something lies on the wire, which is silent while nobody
    asked: a server that ended, or broke off, has said so, and what TCP noticed is said there too."""

    def ping(connection: Any) -> bool:
        wire = select.poll()
        wire.register(connection.fileno(), select.POLLIN)
        return not wire.poll(0) or ask(connection)

    return ping


@sa.event.listens_for(sa.Engine, "handle_error")
def _leave_out_the_row(context: sa.ExceptionContext) -> None:
    """PostgreSQL adds the whole row to some errors, as a detail below the message; it is dropped."""
    error, told = context.original_exception, context.sqlalchemy_exception
    diagnosis = getattr(error, "diag", None)
    if told is not None and diagnosis is not None and diagnosis.message_detail:
        whole, error.args = str(error), (diagnosis.message_primary,)
        told.args = tuple(str(each).replace(whole, str(error)) for each in told.args)


def new_session(url: str) -> Session:
    """A session on `url`; the caller closes it."""
    return Session(engine(url))


def use_case(
    work: Callable[Concatenate[Session, P], R],
) -> Callable[Concatenate[Session, P], R]:
    """Give `work` a transaction of its own: all of it is kept, or none.

    Reading done before is ended first, so that what is decided on is read inside. Serialization failures
    and deadlocks run the whole of `work` again, three times at most. Called inside another use case it
    joins that one's transaction. Raises Refused when the database stays busy, and Unavailable when it goes
    away: before it was told to keep the work nothing was changed, after that nobody knows.
    """

    @wraps(work)
    def run(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if session.info.get("use_case"):
            return work(session, *args, **kwargs)
        for _attempt in range(TRIES):
            session.rollback()
            session.info["use_case"] = work.__qualname__
            told_to_keep = False
            try:
                with session.begin():
                    done = work(session, *args, **kwargs)
                    session.flush()
                    told_to_keep = True
                return done
            except DBAPIError as error:
                if sqlstate(error) not in (SERIALIZATION_FAILURE, DEADLOCK):
                    raise _in_words(error, told_to_keep) from error
            finally:
                del session.info["use_case"]
        raise Refused(_("Somebody else changed this at the same moment. Look again, then retry."))

    return run


def array(values: Iterable[object]) -> str:
    """PostgreSQL's text for an array of numbers, ids, words and nothing (None), none of which needs quotes.

    The driver writes value by value, which takes longer than what is done with them.
    """
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's five-letter code of what went wrong, if it said."""
    return getattr(error.orig, "sqlstate", None)


def violated(error: DBAPIError) -> str | None:
    """The name of the constraint that refused, if one did."""
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


def _in_words(error: DBAPIError, told_to_keep: bool) -> Exception:
    if sqlstate(error) == LOCK_TIMEOUT:
        return Refused(_("Somebody else is changing this right now. Wait a few seconds, then retry."))
    if error.connection_invalidated and told_to_keep:
        return Unavailable(
            _("The database went away during saving. It may be saved or not: look before you retry.")
        )
    if error.connection_invalidated:
        return Unavailable(_("The database went away for a moment. Nothing was changed; please retry."))
    return error
