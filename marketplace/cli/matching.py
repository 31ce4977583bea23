"""`marketplace match GIG` and `marketplace gigs EXPERT`: the ranking, with every point explained."""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.cli.proofs import session_for_command
from marketplace.errors import NotFound, Refused
from marketplace.gigs import fit, importing
from marketplace.gigs.importing import EXPERT, GIG
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.i18n import gettext as _
from marketplace.matching import ranking
from marketplace.matching.match import Match
from marketplace.matching.words import Voice

Name = tuple[str, str | None]
Named = Iterable[tuple[Name, Match]]


def experts(arguments: argparse.Namespace) -> int:
    """The best experts for a gig."""
    with session_for_command() as session:
        gig = _one(session, Gig, GIG, Gig.id, arguments.gig)
        if not ranking.takes_experts(session, gig):
            print(_("It is not open, or has no place or no money left: these would fit."), file=sys.stderr)
        found = ranking.best_experts(session, gig, arguments.limit, supposing=True)
        names = _names(session, ExpertProfile, EXPERT, ExpertProfile.person_id, [who for who, _ in found])
        _say([(names[person], match) for person, match in found], Voice.CLIENT, arguments.json)
    return 0


def gigs(arguments: argparse.Namespace) -> int:
    """The best gigs for an expert."""
    with session_for_command() as session:
        person = _one(session, ExpertProfile, EXPERT, ExpertProfile.person_id, arguments.expert)
        found = ranking.best_gigs(session, person, arguments.limit)
        names = _names(session, Gig, GIG, Gig.id, [gig for gig, _match in found])
        _say([(names[gig], match) for gig, match in found], Voice.EXPERT, arguments.json)
    return 0


def _one(session: Session, table: Any, kind: str, key: Any, called: str) -> int:
    """The internal id, by the public id or by what an imported file calls it."""
    try:
        asked = sa.select(key).where(table.public_id == uuid.UUID(called))
        found = session.scalars(asked).all()
    except ValueError:
        found = importing.so_called(session, kind, called)
    if len(found) > 1:
        raise Refused(_("Several files have the id %(id)s. Give the public id instead.", id=called))
    if not found:
        raise NotFound(_("Nothing here has the id %(id)s.", id=called))
    return int(found[0])


def _names(session: Session, table: Any, kind: str, key: Any, keys: list[int]) -> dict[int, Name]:
    """The public id of each, and what a file calls it if it came from one."""
    external = importing.called(session, kind, keys)
    rows = session.execute(sa.select(key, table.public_id).where(key.in_(keys)))
    return {id_: (str(public_id), external.get(id_)) for id_, public_id in rows}


def _say(ranked: Named, voice: Voice, as_json: bool) -> None:
    rows = [_row(rank, name, match, voice) for rank, (name, match) in enumerate(ranked, 1)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['rank']:>4}  {row['score']:>3}  {row['external_id'] or row['id']}")
        for line in row["explanation"]:
            found = f"{line['points']:>3} of {line['weight']:<3}" if line["weight"] else line["verdict"]
            print(f"{'':11}{found:<10}  {line['criterion']}: {line['words']}")
    if not rows:
        print(_("Nobody and nothing fits at the moment."))


def _row(rank: int, name: Name, match: Match, voice: Voice) -> dict[str, Any]:
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
    public_id, external_id = name
    return {"rank": rank, "id": public_id, "external_id": external_id, "score": match.score,
            "rules": match.rules, "digest": match.digest, "explanation": explanation}  # fmt: skip
