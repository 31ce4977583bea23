"""Holds every request and answer to Stripe's own description, where that is at hand beside the project."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import stripe

CHECKER = Path(__file__).parents[4] / "shared" / "stripe" / "stripe_check.py"
# v2 answers null for what `include` did not ask for; the description does not know null there.
UNASKED = ("configuration", "defaults", "future_requirements", "identity", "requirements", "webhook_endpoint")


def _load() -> ModuleType | None:
    if not CHECKER.exists():
        return None
    spec = importlib.util.spec_from_file_location("stripe_check", CHECKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # The checker leaves its file to the collector.
        spec.loader.exec_module(module)
    return module


DESCRIPTION = _load()


class Checked(stripe.RequestsClient):
    """The official client's HTTP layer, which looks at what passes through it.

    A request that breaks the description is fine where the server refuses it too; an answer never is.
    """

    def request(self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None) -> Any:
        body, status, said = super().request(method, url, headers, post_data)
        if DESCRIPTION is not None:
            check(method, url, dict(headers or {}), post_data, status, json.loads(body))
        assert said["Request-Id"].startswith("req_")
        return body, status, said


def check(method: str, url: str, headers: Mapping[str, str], sent: Any, status: int, answer: Any) -> None:
    assert DESCRIPTION is not None
    parts = urlsplit(url)
    given = {name.lower(): value for name, value in headers.items()}
    body = sent.encode() if isinstance(sent, str) else (sent or b"")
    wrong = DESCRIPTION.check_request(
        method.upper(), parts.path, parts.query, given.get("content-type", ""), body
    )
    if status == 200:
        assert not wrong, f"sent and accepted, but not in the description: {wrong}"
    wrong = DESCRIPTION.check_response(method.upper(), parts.path, status, _without_nulls(parts.path, answer))
    assert not wrong, f"answered, but not in the description: {wrong}"


def _without_nulls(path: str, answer: Any) -> Any:
    if not path.startswith("/v2/") or not isinstance(answer, dict):
        return answer
    if isinstance(answer.get("data"), list):
        return {**answer, "data": [_without_nulls(path, item) for item in answer["data"]]}
    return {name: value for name, value in answer.items() if value is not None or name not in UNASKED}
