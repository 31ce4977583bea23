"""How an expert and a gig match, and what a misfit is told."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from marketplace.credentials import types
from marketplace.errors import Refused
from marketplace.gigs.models import Gig
from marketplace.i18n import gettext as _
from marketplace.matching import ranking, words
from marketplace.matching.match import Match
from marketplace.matching.words import Explained, Voice


def match_of(session: Session, gig: Gig, person_id: int) -> Match:
    """The match as it stands. Raises Refused before the expert has said what decides it."""
    match = ranking.match_of(session, gig.id, person_id)
    if match is None:
        raise Refused(_("Fill in your profile first: it says which gigs suit you."))
    return match


def refuse_misfit(match: Match) -> None:
    """Raise Refused, with the reason and the smallest change, for a hard criterion that fails.

    One that waits for a reviewer is no reason to refuse: the gate looks again before any work.
    """
    failed = [line for line in explained(kept(match), Voice.EXPERT).musts if line.verdict == "fail"]
    if failed:
        told = [" ".join([line.detail, *(advice.text for advice in line.advice)]) for line in failed]
        raise Refused(_("You cannot apply for this gig yet. %(why)s", why=" ".join(told)))


def kept(match: Match) -> list[dict[str, Any]]:
    """The match as it is kept with an application."""
    return match.as_json()


def explained(stored: list[dict[str, Any]], voice: Voice) -> Explained:
    """A kept match in words."""
    return words.explained(stored, voice, types.title)
