"""Statements of reasons and appeals: nothing is decided against a person without saying why."""

from marketplace.reasons.appeals import appeal, decide
from marketplace.reasons.statements import about, state

__all__ = ["about", "appeal", "decide", "state"]
