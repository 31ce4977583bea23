"""Every background job of every slice, registered together."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.util import find_spec

import marketplace


def register() -> None:
    """Import what registers jobs: mail, and the `tasks` of every slice that has them.

    Whoever asks for a job needs this as much as the worker that runs it: a page that releases a batch
    queues its sending.
    """
    import_module("marketplace.mail")
    for found in pkgutil.iter_modules(marketplace.__path__, "marketplace."):
        if found.ispkg and find_spec(f"{found.name}.tasks"):
            import_module(f"{found.name}.tasks")
