"""Where a credential stands, what a check may find, and the moves between states."""

from __future__ import annotations

from enum import StrEnum

from marketplace.errors import Refused
from marketplace.i18n import gettext as _


class CredentialState(StrEnum):
    """A claim's state. Whether it counts at a moment is not read here but from its attestations (`gate`)."""

    NEEDS_REVIEW = "needs_review"
    INFO_REQUESTED = "info_requested"
    VERIFIED = "verified"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"


class Standing(StrEnum):
    """What the source said of the credential. Only ACTIVE counts; UNKNOWN means that it was not asked."""

    ACTIVE = "active"
    CONDITIONS = "conditions"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


class Method(StrEnum):
    """How a check was made: automatic, registry file, by hand at the source, or a provider's API."""

    AUTOMATIC = "A"
    REGISTRY = "R"
    HAND = "H"
    PROVIDER = "P"


S = CredentialState
WAITING = frozenset({S.NEEDS_REVIEW, S.INFO_REQUESTED})
COUNTING = frozenset({S.VERIFIED, S.EXPIRING})
OVER = frozenset({S.REJECTED, S.REVOKED, S.WITHDRAWN})

MOVES: dict[CredentialState, frozenset[CredentialState]] = {
    S.NEEDS_REVIEW: frozenset({S.VERIFIED, S.INFO_REQUESTED, S.REJECTED, S.WITHDRAWN}),
    S.INFO_REQUESTED: frozenset({S.NEEDS_REVIEW, S.WITHDRAWN}),
    S.VERIFIED: frozenset({S.EXPIRING, S.EXPIRED, S.SUSPENDED, S.REVOKED, S.NEEDS_REVIEW, S.WITHDRAWN}),
    S.EXPIRING: frozenset({S.EXPIRED, S.SUSPENDED, S.REVOKED, S.NEEDS_REVIEW, S.WITHDRAWN}),
    S.EXPIRED: frozenset({S.NEEDS_REVIEW, S.WITHDRAWN}),
    S.REJECTED: frozenset({S.NEEDS_REVIEW}),
    S.SUSPENDED: frozenset({S.NEEDS_REVIEW, S.REVOKED, S.WITHDRAWN}),
    S.REVOKED: frozenset({S.NEEDS_REVIEW}),
    S.WITHDRAWN: frozenset(),
}


def require_move(state: CredentialState, to: CredentialState) -> None:
    """Raise Refused, in words, when a credential in `state` cannot become `to`."""
    if to not in MOVES[state]:
        sentence = _("This credential is %(now)s and cannot become %(then)s.")
        raise Refused(sentence % {"now": word(state), "then": word(to)})


def word(state: CredentialState) -> str:
    """The state as people read it."""
    return {
        S.NEEDS_REVIEW: _("waiting for review"),
        S.INFO_REQUESTED: _("waiting for your answer"),
        S.VERIFIED: _("verified"),
        S.EXPIRING: _("expiring"),
        S.EXPIRED: _("expired"),
        S.REJECTED: _("not accepted"),
        S.SUSPENDED: _("suspended"),
        S.REVOKED: _("revoked"),
        S.WITHDRAWN: _("withdrawn"),
    }[state]


def standing_word(standing: Standing) -> str:
    """What the source said, as people read it."""
    return {
        Standing.ACTIVE: _("Active, nothing held against it"),
        Standing.CONDITIONS: _("Active, but with conditions"),
        Standing.INACTIVE: _("Inactive"),
        Standing.SUSPENDED: _("Suspended"),
        Standing.REVOKED: _("Revoked"),
        Standing.EXPIRED: _("Expired"),
        Standing.NOT_FOUND: _("Not found at the source"),
        Standing.UNKNOWN: _("A reviewer could not confirm it"),
    }[standing]


def level_word(level: int) -> str:
    """How sure we are, from 0 to 4, without claiming more than was done."""
    return (
        _("Self-stated; nobody has checked it"),
        _("The number is well-formed; nobody has checked it"),
        _("A reviewer saw the document"),
        _("Found in the register's own file"),
        _("A reviewer saw it at the primary source"),
    )[level]
