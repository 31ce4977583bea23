"""Refusals that a person can act on. Each carries one sentence saying what happened and what to do."""

from __future__ import annotations


class DomainError(Exception):
    """A rule said no. `status` is the HTTP status a page answers with; `field` names the input at fault."""

    status = 409

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field


class Refused(DomainError):
    """The rule, or the state that the thing is in, does not allow it."""


class Invalid(DomainError):
    """The input breaks a rule; `field` says which input."""

    status = 422


class NotFound(DomainError):
    """There is no such thing, or this person may not know of it."""

    status = 404


class NotAllowed(DomainError):
    """The person may see it but not do this."""

    status = 403


class FreshFactorNeeded(DomainError):
    """The act needs a second factor given within the last minutes."""

    status = 403


class TooMany(DomainError):
    """A limit on tries was reached."""

    status = 429


class Unavailable(DomainError):
    """Something outside does not answer; trying later is safe."""

    status = 503
