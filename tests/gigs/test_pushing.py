"""What matching knows stays true when two write at the same moment, and of who does not act as an expert."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts import grants
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import RoleGrant
from marketplace.accounts.registering import register
from marketplace.actor import Role
from marketplace.db import use_case
from marketplace.gigs import projection, publishing
from marketplace.gigs.finding import alerts
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.matching import counting, ranking
from marketplace.matching.counting import Sought
from marketplace.matching.models import MatchExpert, MatchGig
from tests.conftest import Committed
from tests.factories.accounts import PASSWORD, a_person, an_actor
from tests.factories.gigs import an_expert, an_open_gig, knows

ZONE = "America/New_York"


def found(session: Session, gig: Gig) -> tuple[int, int, int]:
    """How many are ranked for the gig, are counted for it, and are told of it."""
    alerts.announce(session, gig.id)
    told = session.scalar(sa.text("SELECT coalesce(sum(cardinality(people)), 0) FROM gig_alert_batches"))
    session.execute(sa.text("DELETE FROM gig_alert_batches"))
    session.commit()
    sought = Sought.of(ranking.gigs(session, [gig.id])[gig.id], clock.today("UTC"))
    best = len(ranking.best_experts(session, gig.id))
    return best, counting.count(session, sought).people, int(told or 0)


def test_whose_role_has_ended_is_found_by_nobody(session: Session) -> None:
    _client, gig = an_open_gig(session)
    ana = an_expert(session)
    opa = an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))
    session.commit()
    assert found(session, gig) == (1, 1, 1)
    grant = session.scalars(sa.select(RoleGrant).filter_by(person_id=ana.id, role=Role.EXPERT)).one()
    session.commit()
    grants.end_role(session, opa, grant.public_id)
    assert found(session, gig) == (0, 0, 0)


def test_who_makes_room_for_another_with_their_address_is_found_by_nobody(session: Session) -> None:
    """They registered, wrote a profile, and never proved that the address is theirs."""
    _client, gig = an_open_gig(session)
    asked = ("ana@example.com", PASSWORD)
    first = register(session, "Ana Alvarez", *asked, wants="expert", country="US", time_zone=ZONE)
    assert first is not None
    knows(session, actor_for(session, first.id))
    session.commit()
    assert found(session, gig) == (1, 1, 1)
    register(session, "Anna Alvarez", *asked, wants="expert", country="US", time_zone=ZONE)
    assert found(session, gig) == (0, 0, 0)


@pytest.mark.committed
def test_a_gig_that_is_paused_while_its_money_moves_stays_paused(
    committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with committed.session() as session:
        client, gig = an_open_gig(session)
        gig_id, public_id, project_id = gig.id, gig.public_id, gig.project_id
        session.execute(
            sa.update(MatchGig).values(facts=MatchGig.facts.op("||")({"funded": False}), open=False)
        )
        session.commit()
    pays_for, paused = projection._pays_for, list[bool]()

    def pause_first(free: int, gig: object) -> bool:
        if not paused:
            paused.append(True)
            with committed.session() as other:
                publishing.pause_gig(other, client, public_id)
        return pays_for(free, gig)  # type: ignore[arg-type]

    monkeypatch.setattr(projection, "_pays_for", pause_first)
    with committed.session() as session:
        use_case(lambda session: projection.push_project(session, project_id))(session)
    with committed.session() as session:
        assert session.scalar(sa.select(MatchGig.open).filter_by(gig_id=gig_id)) is False


@pytest.mark.committed
def test_of_two_pushes_of_one_expert_the_second_knows_what_the_first_knew(
    committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with committed.session() as session:
        ana = an_expert(session)
        session.commit()
    facts_of, saved = projection._facts_of, list[bool]()

    def save_first(session: Session, profiles: list[ExpertProfile]) -> object:
        """Somebody saves the profile after it was read: they must wait, or it is read again."""
        if not saved:
            saved.append(True)
            with committed.session() as other:
                other.execute(sa.text("SET lock_timeout = '200ms'"))
                with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                    other.execute(sa.update(ExpertProfile).values(min_rate=190_00))
        return facts_of(session, profiles)

    monkeypatch.setattr(projection, "_facts_of", save_first)
    with committed.session() as session:
        projection.push_experts(session, [ana.id])
    assert saved
    with committed.session() as session:
        assert session.scalar(sa.select(MatchExpert.min_rate).filter_by(person_id=ana.id)) == 120_00
