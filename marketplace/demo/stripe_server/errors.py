"""What Stripe says when it says no: the shapes and sentences of its errors."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


class StripeRefusal(Exception):
    """An answer other than 200. `stored` says whether an idempotency key keeps it (see idempotency.py)."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        type: str = "invalid_request_error",
        stored: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        self.headers = headers or {}
        self._said = {"code": code, "message": message, "param": param, "type": type}

    @property
    def body(self) -> Json:
        return {"error": {name: value for name, value in self._said.items() if value is not None}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeRefusal:
    """Parameters that Stripe refuses before it starts: an idempotency key does not remember these."""
    return StripeRefusal(message, code=code, param=param, stored=False)


def refused(message: str, code: str | None = None, param: str | None = None) -> StripeRefusal:
    """A rule that Stripe applies once it has started: an idempotency key remembers these."""
    return StripeRefusal(message, code=code, param=param)


def missing(noun: str, id: str, param: str | None = None) -> StripeRefusal:
    """No such object. In the path Stripe answers 404, in a parameter 400."""
    status = 404 if param is None else 400
    said = f"No such {noun}: '{id}'"
    return StripeRefusal(said, status=status, code="resource_missing", param=param or "id")
