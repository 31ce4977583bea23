"""What may become of a call to Stripe besides its answer. All but the unknown had no effect there."""

from __future__ import annotations

from marketplace.errors import DomainError, Refused, Unavailable


class GatewayError(DomainError):
    """Something about a call to Stripe. `code` is Stripe's word for it, or ours."""

    status = 503

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class GatewayRefused(GatewayError, Refused):
    """A definite no: the call had no effect."""

    status = 409


class GatewayUnknown(GatewayError, Unavailable):
    """Nobody knows whether the call had its effect."""


class GatewayBusy(GatewayError, Unavailable):
    """Not now: the call had no effect, and may be made again with the same key."""


class GatewayClosed(GatewayError, Unavailable):
    """Our key is not accepted: the call had no effect, and no other would."""


class BadSignature(DomainError):
    """Somebody sent an event that Stripe did not sign, or an old one again."""

    status = 400
