"""The words that projects, gigs, applications and invitations move through, and the moves allowed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from marketplace.i18n import gettext as _
from marketplace.moves import S, Stateful, change


class ProjectState(StrEnum):
    """A project opens with its first published gig."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class GigState(StrEnum):
    """Only a published gig is seen by experts who have nothing to do with it yet.

    `removed`: an operator took it down, with a statement of reasons.
    """

    DRAFT = "draft"
    PUBLISHED = "published"
    PAUSED = "paused"
    CLOSED = "closed"
    REMOVED = "removed"


class ApplicationState(StrEnum):
    """`hired` holds a seat of the gig's headcount; `ended` gave it back."""

    APPLIED = "applied"
    SHORTLISTED = "shortlisted"
    OFFERED = "offered"
    HIRED = "hired"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


# Somebody whose application is over can apply again.
OVER = frozenset({ApplicationState.WITHDRAWN, ApplicationState.ENDED})


class InvitationState(StrEnum):
    """An invitation is accepted by applying."""

    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class Mark(StrEnum):
    """What a client thinks of an expert for a gig: kept in mind, or set aside."""

    KEPT = "kept"
    ASIDE = "aside"


class TaskKind(StrEnum):
    """What the expert does with the model's work."""

    REVIEW = "review"
    RANK = "rank"
    CORRECT = "correct"
    CRITIQUE = "critique"
    REWRITE = "rewrite"
    REASON = "reason"
    FACT_CHECK = "fact_check"
    FIND_BIAS = "find_bias"
    RED_TEAM = "red_team"
    JUDGE = "judge"


class Owner(StrEnum):
    """Who owns the work once it is paid."""

    CLIENT = "client"
    CUSTOMER = "customer"
    EXPERT = "expert"
    PUBLIC = "public"


class Kept(StrEnum):
    """How long the work is kept after it was handed in."""

    PROJECT = "project"
    YEAR_1 = "year_1"
    YEARS_2 = "years_2"
    YEARS_3 = "years_3"
    YEARS_5 = "years_5"
    YEARS_10 = "years_10"
    NO_END = "no_end"


# An application that still counts; a person has one for each gig.
LIVE = (
    ApplicationState.APPLIED,
    ApplicationState.SHORTLISTED,
    ApplicationState.OFFERED,
    ApplicationState.HIRED,
)

# There is an offer or a contract, which goes on whatever becomes of the gig.
BOUND = (ApplicationState.OFFERED, ApplicationState.HIRED, ApplicationState.ENDED)

PROJECT_MOVES: Mapping[ProjectState, frozenset[ProjectState]] = {
    ProjectState.DRAFT: frozenset({ProjectState.OPEN, ProjectState.CLOSED}),
    ProjectState.OPEN: frozenset({ProjectState.CLOSED}),
    ProjectState.CLOSED: frozenset(),
}
GIG_MOVES: Mapping[GigState, frozenset[GigState]] = {
    GigState.DRAFT: frozenset({GigState.PUBLISHED, GigState.CLOSED}),
    GigState.PUBLISHED: frozenset({GigState.PAUSED, GigState.CLOSED, GigState.REMOVED}),
    GigState.PAUSED: frozenset({GigState.PUBLISHED, GigState.CLOSED, GigState.REMOVED}),
    GigState.CLOSED: frozenset(),
    GigState.REMOVED: frozenset({GigState.CLOSED}),
}
APPLICATION_MOVES: Mapping[ApplicationState, frozenset[ApplicationState]] = {
    ApplicationState.APPLIED: frozenset(
        {
            ApplicationState.SHORTLISTED,
            ApplicationState.OFFERED,
            ApplicationState.DECLINED,
            ApplicationState.WITHDRAWN,
        }
    ),
    ApplicationState.SHORTLISTED: frozenset(
        {ApplicationState.OFFERED, ApplicationState.DECLINED, ApplicationState.WITHDRAWN}
    ),
    ApplicationState.OFFERED: frozenset(
        {ApplicationState.SHORTLISTED, ApplicationState.HIRED, ApplicationState.WITHDRAWN}
    ),
    ApplicationState.HIRED: frozenset({ApplicationState.ENDED}),
    ApplicationState.DECLINED: frozenset(),
    ApplicationState.WITHDRAWN: frozenset(),
    ApplicationState.ENDED: frozenset(),
}
INVITATION_MOVES: Mapping[InvitationState, frozenset[InvitationState]] = {
    InvitationState.INVITED: frozenset({InvitationState.ACCEPTED, InvitationState.DECLINED}),
    InvitationState.ACCEPTED: frozenset(),
    InvitationState.DECLINED: frozenset({InvitationState.ACCEPTED}),
}


def move(thing: Stateful[S], to: S, moves: Mapping[S, frozenset[S]]) -> None:
    """Set `thing.state`. Raises Refused, naming both states, when the table does not allow the move."""
    change(thing, to, moves, word)


def word(state: StrEnum) -> str:
    """The state as people read it."""
    return {
        "draft": _("a draft"),
        "open": _("open"),
        "published": _("published"),
        "paused": _("paused"),
        "closed": _("closed"),
        "removed": _("taken down"),
        "applied": _("applied"),
        "shortlisted": _("shortlisted"),
        "offered": _("offered"),
        "hired": _("hired"),
        "declined": _("declined"),
        "withdrawn": _("withdrawn"),
        "ended": _("ended"),
        "invited": _("invited"),
        "accepted": _("accepted"),
    }[state.value]


def task_word(kind: str) -> str:
    """The kind of task as people read it."""
    return {
        TaskKind.REVIEW: _("Review outputs"),
        TaskKind.RANK: _("Rank outputs"),
        TaskKind.CORRECT: _("Correct errors"),
        TaskKind.CRITIQUE: _("Write critiques"),
        TaskKind.REWRITE: _("Rewrite answers"),
        TaskKind.REASON: _("Write with reasoning"),
        TaskKind.FACT_CHECK: _("Check facts"),
        TaskKind.FIND_BIAS: _("Find bias"),
        TaskKind.RED_TEAM: _("Red-team"),
        TaskKind.JUDGE: _("Judge creative work"),
    }[TaskKind(kind)]
