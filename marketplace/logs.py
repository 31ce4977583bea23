"""Structured logs: one JSON object a line, with the request's id, and never a secret."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from marketplace import clock

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_SECRET = re.compile(
    r"(sk_(?:test|live)_|rk_(?:test|live)_|whsec_)\w+|(?<=://)([^/\s:@]+):[^@\s]+(?=@)|\b\d{13,19}\b"
)
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def request_id() -> str:
    """The id of the request or job being served; empty outside of one."""
    return _request_id.get()


@contextmanager
def about(request: str | None = None) -> Iterator[str]:
    """Mark all that is logged within as belonging to one request or job."""
    name = request or secrets.token_hex(8)
    token = _request_id.set(name)
    try:
        yield name
    finally:
        _request_id.reset(token)


def hide_secrets(text: str) -> str:
    """`text` without keys, passwords in addresses, or numbers as long as a card's."""
    return _SECRET.sub(lambda found: f"{found.group(1) or found.group(2) or ''}[hidden]", text)


class JsonLines(logging.Formatter):
    """Moment, level, logger, message, request id and the `extra` of the call."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": clock.now().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": request_id(),
            **{name: value for name, value in vars(record).items() if name not in _KNOWN},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return hide_secrets(json.dumps(line, default=str, ensure_ascii=False))


def start(level: str) -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The client logs whole requests, and the job library each poll: neither tells anything here.
    for name in ("stripe", "procrastinate", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
