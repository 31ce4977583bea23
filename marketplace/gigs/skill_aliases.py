"""Second names of skills, which operators set; whoever named either is matched anew, in a job."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import audit, clock, jobs
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound
from marketplace.gigs import projection
from marketplace.gigs.models import Gig
from marketplace.i18n import gettext as _
from marketplace.matching import skills
from marketplace.matching.models import MatchExpert, MatchGig, MatchSkillAlias

LONGEST = 100
MATCH_AGAIN = "gigs.match_skills_again"
# Two who set aliases at once could make a chain that neither sees.
LOCK = 7_105_033


def all_aliases(session: Session, actor: Actor) -> Sequence[MatchSkillAlias]:
    """The aliases, by what they stand for. Operators only."""
    actor.require(Role.OPERATOR)
    query = sa.select(MatchSkillAlias)
    return session.scalars(query.order_by(MatchSkillAlias.stands_for, MatchSkillAlias.name)).all()


@use_case
def set_alias(session: Session, actor: Actor, name: str, stands_for: str) -> MatchSkillAlias:
    """Let `name` count as the skill `stands_for`, whoever writes it. Operators only; again changes nothing.

    Raises Invalid for a chain: what stands for another cannot be stood for.
    """
    actor.require(Role.OPERATOR)
    name, stands_for = _term(name, "name"), _term(stands_for, "stands_for")
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    alias = session.get(MatchSkillAlias, name)
    if alias is not None and alias.stands_for == stands_for:
        return alias
    _refuse_chains(session, name, stands_for)
    before = alias.stands_for if alias else None
    if alias is None:
        alias = MatchSkillAlias(name=name)
        session.add(alias)
    alias.stands_for, alias.set_by, alias.set_at = stands_for, actor.id, clock.now()
    session.flush()
    audit.record(
        session, actor, "skill_alias.set", "skill_alias", alias.public_id, name=name, stands_for=stands_for
    )
    _match_again(session, {name, stands_for, before or name})
    return alias


@use_case
def drop_alias(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """Let the two be different skills again. Operators only. Raises NotFound."""
    actor.require(Role.OPERATOR)
    alias = session.scalars(sa.select(MatchSkillAlias).filter_by(public_id=public_id)).first()
    if alias is None:
        raise NotFound(_("There is no such alias any more."))
    audit.record(
        session, actor, "skill_alias.dropped", "skill_alias", public_id,
        name=alias.name, stands_for=alias.stands_for,
    )  # fmt: skip
    session.delete(alias)
    session.flush()
    _match_again(session, {alias.name, alias.stands_for})


def match_again(session: Session, names: Sequence[str]) -> None:
    """Push whoever has one of these skills among their facts, in transactions of a few hundred."""
    people = list(session.scalars(sa.select(MatchExpert.person_id).where(MatchExpert.skills.overlap(names))))
    for start in range(0, len(people), projection.BATCH):
        projection.push_experts(session, people[start : start + projection.BATCH])
    named = MatchGig.facts["skills"].op("?|")(sa.cast(list(names), ARRAY(sa.Text)))
    gigs = list(session.scalars(sa.select(MatchGig.gig_id).where(named)))
    for start in range(0, len(gigs), projection.BATCH):
        _push_gigs(session, gigs[start : start + projection.BATCH])


@use_case
def _push_gigs(session: Session, ids: Sequence[int]) -> None:
    query = sa.select(Gig).where(Gig.id.in_(ids))
    for gig in session.scalars(query.options(selectinload(Gig.requirements), joinedload(Gig.project))).all():
        projection.push_gig(session, gig)


def _match_again(session: Session, names: set[str]) -> None:
    jobs.defer(session, MATCH_AGAIN, names=sorted(names))


def _term(text: str, field: str) -> str:
    term = skills.key(text)
    if not term:
        raise Invalid(_("Name the skill."), field=field)
    if len(term) > LONGEST or "," in term:
        raise Invalid(_("Name one skill, in %(most)s characters at most.", most=LONGEST), field=field)
    return term


def _refuse_chains(session: Session, name: str, stands_for: str) -> None:
    if name == stands_for:
        raise Invalid(_("Both are the same already."), field="stands_for")
    further = session.scalar(sa.select(MatchSkillAlias.stands_for).filter_by(name=stands_for))
    if further is not None:
        raise Invalid(
            _("“%(term)s” itself stands for “%(other)s”. Name that one.", term=stands_for, other=further),
            field="stands_for",
        )
    if session.scalar(sa.select(sa.exists().where(MatchSkillAlias.stands_for == name))):
        raise Invalid(
            _("Others stand for “%(term)s”. Let them be different skills first.", term=name), field="name"
        )
