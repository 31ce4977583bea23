"""Pages of gigs: for experts, and for clients. Each module adds its own to the blueprint."""

from __future__ import annotations

from flask import Blueprint

from marketplace.credentials import types
from marketplace.gigs import data_use, payable, successors, words
from marketplace.gigs import tasks as tasks
from marketplace.gigs.states import ApplicationState, task_word
from marketplace.matching import domains
from marketplace.web import actor, db_session

bp = Blueprint("gigs", __name__)


@bp.app_context_processor
def _about_pay() -> dict[str, object]:
    # Offers and weeks belong to contracts, which ask the same.
    return {"pay_gap": lambda: payable.pay_gap(db_session(), actor().id)}


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "states": ApplicationState,
        "domain_title": domains.title,
        "domain_depth": domains.depth,
        "task_word": task_word,
        "credential_title": types.title,
        "level_word": words.level,
        "language": words.language,
        "data_use_said": data_use.said,
        "country": words.country,
        "shared_hours": words.shared,
        "test_in_short": words.test_in_short,
        "succession": successors.sentence,
        "succession_in_short": successors.in_short,
    }


from marketplace.gigs.views import (  # noqa: E402
    client,
    expert,
    experts,
    finding,
    how,
    moderation,
    outsiders,
    posting,
    projects,
    rules,
    skills,
    tests,
)

__all__ = [
    "bp",
    "client",
    "expert",
    "experts",
    "finding",
    "how",
    "moderation",
    "outsiders",
    "posting",
    "projects",
    "rules",
    "skills",
    "tests",
]
