"""The schema goes all the way up, and all the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from marketplace import clock, schema
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.taking import hand_in
from marketplace.embedded import ServerError
from tests.conftest import Committed
from tests.factories.contracts import FEE_BPS, MONDAY
from tests.factories.gigs import a_client, a_gig, a_project, an_application, an_expert
from tests.factories.sittings import ANSWERS, a_trial, begun

LEFT_OVER = sa.text(
    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
)


def test_down_to_nothing_and_up_again(committed: Committed) -> None:
    with committed.owner() as owner:
        before = owner.scalar(LEFT_OVER)
    schema.downgrade(committed.server.owner_url, "base")
    with committed.owner() as owner:
        assert owner.scalar(LEFT_OVER) == 0
    schema.upgrade(committed.server.owner_url)
    with committed.owner() as owner:
        assert owner.scalar(LEFT_OVER) == before


def test_not_back_to_before_tests_while_one_is_taken(committed: Committed) -> None:
    owner_url, states = committed.server.owner_url, sa.text("SELECT state FROM offers ORDER BY id")
    with committed.session() as session:
        with clock.at(MONDAY):
            trial = a_trial(session)
            ben = an_application(session, an_expert(session, "Ben Expert"), trial.gig).public_id
        with clock.at(MONDAY + timedelta(hours=1)):
            sitting = begun(session, trial).public_id
            ask(session, trial.deal.client, ben, fee_bps=FEE_BPS)
            session.rollback()
        with pytest.raises(ServerError, match=r"taking paid tests \(1\)"):
            schema.downgrade(owner_url, "0037")
        schema.upgrade(owner_url)
        with clock.at(MONDAY + timedelta(hours=1, minutes=30)):
            hand_in(session, trial.ana, sitting, ANSWERS, 0)
        session.rollback()
    schema.downgrade(owner_url, "0037")
    with committed.owner() as owner:
        # What was begun was paid; what was only asked cannot be taken for an offer of work.
        assert list(owner.scalars(states)) == ["accepted", "accepted", "withdrawn"]
        assert set(owner.scalars(sa.text("SELECT state FROM contracts WHERE ended_at IS NOT NULL"))) == {
            "ended"
        }
    schema.upgrade(owner_url)


# What was said or done, in the order in which the ways back meet it: to where, why not, and how it is undone.
KEPT = [
    ("0054", "same person", "UPDATE gigs SET same_person = %s", "true", "false"),
    ("0052", "addresses of calendars", None, None, "DELETE FROM calendar_feeds"),
    ("0051", "by law", "UPDATE organizations SET legal_name = %s", "'Lumen Labs GmbH'", "NULL"),
    ("0049", "about their budgets", None, None, "DELETE FROM budget_alerts"),
]
ALERT = """
    INSERT INTO budget_alerts (project_id, threshold, used, funded, at)
    SELECT id, 50, 1, 2, now() FROM projects LIMIT 1
"""
FEED = """
    INSERT INTO calendar_feeds (person_id, token_sha256, made_at)
    SELECT id, sha256('calendar'), now() FROM people LIMIT 1
"""


def test_not_back_to_before_what_people_have_said_or_were_told(committed: Committed) -> None:
    owner_url = committed.server.owner_url
    with committed.session() as session, clock.at(MONDAY):
        a_gig(session, (client := a_client(session))[0], a_project(session, *client))

    def do(*statements: str) -> None:
        with committed.owner() as owner:
            for each in statements:
                owner.execute(sa.text(each))
            owner.commit()

    do(ALERT, FEED, *(change % to for _way, _why, change, to, _back in KEPT if change))
    for way, why, change, _to, undone in KEPT:
        with pytest.raises(DBAPIError, match=why):
            schema.downgrade(owner_url, way)
        do(change % undone if change else undone)
    schema.downgrade(owner_url, "0049")
    schema.upgrade(owner_url)
