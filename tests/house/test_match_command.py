"""`marketplace match` and `marketplace gigs`: ranked, with every point."""

from __future__ import annotations

import argparse
import json

import pytest
from sqlalchemy.orm import Session

from marketplace.cli import matching
from marketplace.errors import NotFound
from marketplace.gigs.models import ExpertProfile
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, fund


def asked(**values: object) -> argparse.Namespace:
    return argparse.Namespace(limit=50, **values)


def test_both_ways_with_points_that_add_up(open_session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    client, organization = a_client(open_session)
    project = a_project(open_session, client, organization)
    fund(open_session, project.public_id, 10_000_00)
    ana = open_session.get_one(ExpertProfile, an_expert(open_session).id)
    gig = a_gig(open_session, client, project)

    assert matching.experts(asked(gig=str(gig.public_id), json=True)) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["rank"], row["id"]) == (1, str(ana.public_id))
    assert sum(line["points"] for line in row["explanation"]) == row["score"] > 0
    assert matching.gigs(asked(expert=str(ana.public_id), json=True)) == 0
    (same,) = json.loads(capsys.readouterr().out)
    assert (same["id"], same["score"]) == (str(gig.public_id), row["score"])

    assert matching.gigs(asked(expert=str(ana.public_id), json=False)) == 0
    said = capsys.readouterr().out
    assert "30 of 30   How close the domain is: " in said
    assert "pass        Languages: The work is in English." in said


@pytest.mark.parametrize("id_", ["", "7", "01a2156a-c0e7-7012-ac2e-8f8f7b8aa177"])
def test_what_is_not_here_is_a_sentence(open_session: Session, id_: str) -> None:
    with pytest.raises(NotFound, match="Nothing here has the id"):
        matching.experts(asked(gig=id_, json=False))
