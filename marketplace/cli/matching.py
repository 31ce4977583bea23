"""`marketplace match GIG` and `marketplace gigs EXPERT`: the ranking, with every point explained."""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.cli.proofs import session_for_command
from marketplace.errors import NotFound
from marketplace.gigs import fit
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.i18n import gettext as _
from marketplace.matching import ranking
from marketplace.matching.match import Match
from marketplace.matching.words import Voice

Named = Iterable[tuple[str, Match]]


def experts(arguments: argparse.Namespace) -> int:
    """The best experts for a gig."""
    with session_for_command() as session:
        gig = _one(session, Gig, arguments.gig)
        found = ranking.best_experts(session, gig.id, arguments.limit)
        names = _ids(session, ExpertProfile, ExpertProfile.person_id, [person for person, _match in found])
        _say([(names[person], match) for person, match in found], Voice.CLIENT, arguments.json)
    return 0


def gigs(arguments: argparse.Namespace) -> int:
    """The best gigs for an expert."""
    with session_for_command() as session:
        profile = _one(session, ExpertProfile, arguments.expert)
        found = ranking.best_gigs(session, profile.person_id, arguments.limit)
        names = _ids(session, Gig, Gig.id, [gig for gig, _match in found])
        _say([(names[gig], match) for gig, match in found], Voice.EXPERT, arguments.json)
    return 0


def _one(session: Session, kind: Any, public_id: str) -> Any:
    try:
        wanted = uuid.UUID(public_id)
    except ValueError:
        wanted = None
    found = session.scalars(sa.select(kind).where(kind.public_id == wanted)).one_or_none() if wanted else None
    if found is None:
        raise NotFound(_("Nothing here has the id %(id)s.", id=public_id))
    return found


def _ids(session: Session, kind: Any, key: Any, keys: list[int]) -> dict[int, str]:
    rows = session.execute(sa.select(key, kind.public_id).where(key.in_(keys)))
    return {row[0]: str(row[1]) for row in rows}


def _say(ranked: Named, voice: Voice, as_json: bool) -> None:
    rows = [_row(rank, public_id, match, voice) for rank, (public_id, match) in enumerate(ranked, 1)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['rank']:>4}  {row['score']:>3}  {row['id']}")
        for line in row["explanation"]:
            found = f"{line['points']:>3} of {line['weight']:<3}" if line["weight"] else line["verdict"]
            print(f"{'':11}{found:<10}  {line['criterion']}: {line['words']}")
    if not rows:
        print(_("Nobody and nothing fits at the moment."))


def _row(rank: int, public_id: str, match: Match, voice: Voice) -> dict[str, Any]:
    said = fit.explained(fit.kept(match), voice)
    explanation = [
        {
            "code": line.code,
            "criterion": line.label,
            "verdict": line.verdict,
            "points": line.points,
            "weight": line.weight,
            "words": line.detail,
            "changes": [advice.text for advice in line.advice],
        }
        for line in (*said.musts, *said.merits)
    ]
    return {"rank": rank, "id": public_id, "score": match.score, "weights": match.weights,
            "explanation": explanation}  # fmt: skip
