"""Pages of credentials: the expert's own, and the reviewers'."""

from __future__ import annotations

from flask import Blueprint

from marketplace.actor import Role
from marketplace.credentials import jurisdictions, states, types
from marketplace.credentials import tasks as tasks
from marketplace.credentials.states import CredentialState
from marketplace.web import actor

bp = Blueprint("credentials", __name__, url_prefix="/credentials")

TONES = {
    CredentialState.NEEDS_REVIEW: "waiting",
    CredentialState.INFO_REQUESTED: "caution",
    CredentialState.VERIFIED: "positive",
    CredentialState.EXPIRING: "caution",
    CredentialState.EXPIRED: "negative",
    CredentialState.REJECTED: "negative",
    CredentialState.SUSPENDED: "negative",
    CredentialState.REVOKED: "negative",
    CredentialState.WITHDRAWN: "neutral",
}


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "can_review": actor().has(Role.REVIEWER),
        "title": types.title,
        "kind_of": types.TYPES.__getitem__,
        "agreed": types.agreed,
        "place": jurisdictions.name,
        "last_day": jurisdictions.last_day,
        "state_of": states.word,
        "tone_of": TONES.__getitem__,
        "level_word": states.level_word,
        "standing_word": states.standing_word,
    }


from marketplace.credentials.views import expert, identity, reviewer  # noqa: E402 (they add their routes)

__all__ = ["bp", "expert", "identity", "reviewer"]
