"""What matching knows of experts and gigs: plain values, pushed in the transaction that changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import clock, ledger, money
from marketplace.accounts import hooks as account_hooks
from marketplace.accounts.bulk import PersonRow
from marketplace.accounts.models import RoleGrant
from marketplace.actor import CLIENT, Role
from marketplace.credentials import hooks, jurisdictions
from marketplace.credentials.bulk import Claim
from marketplace.credentials.decisions import DOCUMENT_SEEN
from marketplace.credentials.gate import Checked, checks_of
from marketplace.credentials.models import Credential
from marketplace.credentials.states import WAITING
from marketplace.db import use_case
from marketplace.gigs import find
from marketplace.gigs.finding import texts
from marketplace.gigs.models import Application, ExpertProfile, Gig, Project
from marketplace.gigs.states import ApplicationState, GigState
from marketplace.ledger import chart
from marketplace.matching import projections, skills
from marketplace.matching.facts import CredentialFact, ExpertFacts, GigFacts, RequirementFact

BATCH = 500
CLAIMED = 1


@dataclass(frozen=True)
class Told:
    """What the work of an expert says of them; see `ExpertFacts`."""

    record: int | None = None
    response_hours: int | None = None


NOTHING_TOLD = Told()
# Whoever keeps records of work, for these people by internal id. Filled by the slices above.
# Told of each gig (internal id) that opens, or changes while it is open. Filled by what tells experts.
opened: list[Callable[[Session, int], None]] = []
# What a project (of these) may reserve beyond what was paid in, in minor units. Filled from above.
lent: list[Callable[[Session, Project], int]] = []
records: list[Callable[[Session, Sequence[int]], Mapping[int, Told]]] = []


def push_expert(session: Session, person_id: int) -> None:
    """Push one expert, if they have a profile. Called for every change of profile or credentials."""
    _push_experts(session, [person_id])


@use_case
def push_experts(session: Session, person_ids: Sequence[int]) -> None:
    """Push those of these people (internal ids) who have a profile, in a transaction of its own."""
    _push_experts(session, person_ids)


def push_new(
    session: Session,
    people: Iterable[tuple[int, PersonRow, Mapping[str, Any], Sequence[Claim]]],
    *,
    checked: bool,
) -> None:
    """Push experts who are new here, in the running transaction, without reading them back: internal id,
    who they are, the columns of the profile, and the claims, which somebody has `checked` or not."""
    today, level = _day(clock.now()), DOCUMENT_SEEN if checked else CLAIMED
    projections.copy_experts(
        session,
        [
            ExpertFacts(
                person_id=person_id,
                domains=tuple(said["domains"]),
                min_rate=said["min_rate"],
                currency=said["currency"],
                country=person.country,
                time_zone=person.time_zone,
                languages=tuple(said["languages"]),
                hours_per_week=said["hours_per_week"],
                credentials=tuple(
                    [
                        CredentialFact(each.type, each.jurisdiction, level, today, each.expires_on, today)
                        for each in claims
                    ]
                ),
                skills=skills.keys(said["skills"]),
            )
            for person_id, person, said, claims in people
        ],
    )


def push_gig(session: Session, gig: Gig) -> None:
    """Push one gig. A draft is known, and found by nobody, as soon as it says what decides a match."""
    session.flush()
    if not says_enough(gig):
        projections.drop_gig(session, gig.id)
        return
    funded = has_funds(session, gig)
    facts = gig_facts(gig, seats_left(session, gig), funded)
    if projections.push_gig(
        session,
        facts,
        open=gig.state is GigState.PUBLISHED,
        task_kind=gig.task_kind.value if gig.task_kind else None,
        published_at=gig.published_at,
    ):
        for told in opened:
            told(session, gig.id)


def push_project(session: Session, project_id: int) -> None:
    """Push those of a project's gigs that its funds, which have changed, pay for now or do not any more."""
    session.flush()
    project = session.get_one(Project, project_id)
    query = sa.select(Gig).where(Gig.project_id == project_id, Gig.state == GigState.PUBLISHED)
    gigs = session.scalars(query).all()
    known, free = projections.funded(session, [gig.id for gig in gigs]), _free(session, project)
    for gig in gigs:
        if known.get(gig.id) is not _pays_for(free, gig):
            # It may have been paused or changed since it was read.
            push_gig(session, find.hold(session, gig.id))


@use_case
def rebuild_projections(session: Session) -> None:
    """Make all of what matching knows anew, from the tables that own it."""
    projections.clear(session)
    profiles = sa.select(ExpertProfile.person_id).order_by(ExpertProfile.person_id)
    for batch in session.scalars(profiles).partitions(BATCH):
        _push_experts(session, batch)
    gigs = sa.select(Gig).options(selectinload(Gig.requirements), joinedload(Gig.project))
    for gig in session.scalars(gigs).all():
        push_gig(session, gig)
        if gig.state is not GigState.DRAFT:
            texts.write(session, gig)


def says_enough(gig: Gig) -> bool:
    """Does it say all that decides a match?"""
    return all((gig.domain, gig.rate_min, gig.rate_max, gig.hours_per_week, gig.starts_on))


def gig_facts(gig: Gig, headcount_left: int, funded: bool) -> GigFacts:
    """A complete gig as matching sees it."""
    if not (gig.domain and gig.rate_min and gig.rate_max and gig.hours_per_week and gig.starts_on):
        raise ValueError("a gig that is not complete cannot be matched")
    return GigFacts(
        gig_id=gig.id,
        domain=gig.domain,
        rate_min=gig.rate_min,
        rate_max=gig.rate_max,
        currency=gig.project.currency,
        hours_per_week=gig.hours_per_week,
        languages=tuple(gig.languages),
        countries=tuple(gig.countries),
        starts_on=gig.starts_on,
        requirements=tuple(
            RequirementFact(each.type, each.jurisdiction, each.level, each.max_age_days)
            for each in gig.requirements
        ),
        headcount_left=headcount_left,
        funded=funded,
        skills=skills.keys(gig.skills),
        client=gig.project.organization_id,
        time_zone=gig.time_zone,
        shared_hours=gig.shared_hours,
        uses=None if gig.uses is None else tuple(gig.uses),
    )


def seats_left(session: Session, gig: Gig) -> int:
    """Headcount that nobody holds."""
    hired = session.scalar(
        sa.select(sa.func.count())
        .select_from(Application)
        .where(Application.gig_id == gig.id, Application.state == ApplicationState.HIRED)
    )
    return max(0, (gig.headcount or 0) - (hired or 0))


def has_funds(session: Session, gig: Gig) -> bool:
    """Would the project's free money pay one more person for a week, at the lowest rate?"""
    return _pays_for(_free(session, gig.project), gig)


def _free(session: Session, project: Project) -> int:
    """Minor units that may be reserved: what nothing reserves yet, and what the client is lent."""
    free = -ledger.balance(session, chart.project_funds(project.public_id), project.currency)
    return max(0, free) + sum(each(session, project) for each in lent)


def _pays_for(free: int, gig: Gig) -> bool:
    return free >= money.for_minutes(gig.rate_min or 0, 60 * (gig.hours_per_week or 0))


def expert_facts(
    profile: ExpertProfile,
    checks: Iterable[Checked] = (),
    waiting: Iterable[Credential] = (),
    conflicts: Iterable[int | None] = (),
    told: Told = NOTHING_TOLD,
    acts: bool = True,
) -> ExpertFacts:
    """An expert as matching sees them, and who still `acts` as one. Nothing here says who they are."""
    facts = [*(_checked(each) for each in checks), *(_claimed(each) for each in waiting)]
    return ExpertFacts(
        person_id=profile.person_id,
        domains=tuple(profile.domains),
        min_rate=profile.min_rate,
        currency=profile.currency,
        country=profile.person.country,
        time_zone=profile.person.time_zone,
        languages=tuple(profile.languages),
        hours_per_week=profile.hours_per_week,
        credentials=tuple(facts),
        suspended=profile.person.closed_at is not None or not acts,
        skills=skills.keys(profile.skills),
        record=told.record,
        response_hours=told.response_hours,
        conflicts=tuple(each for each in conflicts if each is not None),
        refusals=tuple(profile.refusals),
    )


def _push_experts(session: Session, person_ids: Sequence[int]) -> None:
    """Those of these people who have a profile, which is held and read anew: of two who push the same person,
    the second has seen all that the first has."""
    session.flush()
    held = session.scalars(
        sa.select(ExpertProfile)
        .where(ExpertProfile.person_id.in_(person_ids))
        .options(joinedload(ExpertProfile.person, innerjoin=True))
        .order_by(ExpertProfile.person_id)
        .with_for_update(of=ExpertProfile, key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    if held:
        projections.push_experts(session, _facts_of(session, held))


def _facts_of(session: Session, profiles: Sequence[ExpertProfile]) -> list[ExpertFacts]:
    ids = [profile.person_id for profile in profiles]
    checks = checks_of(session, ids)
    waiting = session.scalars(
        sa.select(Credential).where(Credential.person_id.in_(ids), Credential.state.in_(WAITING))
    ).all()
    claims: dict[int, list[Credential]] = {}
    for each in waiting:
        claims.setdefault(each.person_id, []).append(each)
    conflicts, told, acting = _clients_of(session, ids), _told(session, ids), _acting(session, ids)
    return [
        expert_facts(
            profile,
            checks.get(profile.person_id, ()),
            claims.get(profile.person_id, ()),
            conflicts.get(profile.person_id, ()),
            told.get(profile.person_id, NOTHING_TOLD),
            profile.person_id in acting,
        )
        for profile in profiles
    ]


def _told(session: Session, ids: Sequence[int]) -> dict[int, Told]:
    told: dict[int, Told] = {}
    for record in records:
        told.update(record(session, ids))
    return told


def _acting(session: Session, ids: Sequence[int]) -> set[int]:
    """Whose role as an expert has not ended."""
    query = sa.select(RoleGrant.person_id).where(RoleGrant.person_id.in_(ids), RoleGrant.role == Role.EXPERT)
    return set(session.scalars(query.where(RoleGrant.ended_at.is_(None))))


def _clients_of(session: Session, ids: Sequence[int]) -> dict[int, list[int | None]]:
    """The clients for whom each person acts, and so cannot work."""
    rows = session.execute(
        sa.select(RoleGrant.person_id, RoleGrant.organization_id)
        .where(RoleGrant.person_id.in_(ids), RoleGrant.role.in_(CLIENT), RoleGrant.ended_at.is_(None))
        .distinct()
        .order_by(RoleGrant.person_id, RoleGrant.organization_id)
    )
    found: dict[int, list[int | None]] = {}
    for person_id, organization_id in rows:
        found.setdefault(person_id, []).append(organization_id)
    return found


def _checked(check: Checked) -> CredentialFact:
    return CredentialFact(
        type=check.credential.type,
        jurisdiction=check.credential.jurisdiction,
        level=check.attestation.level,
        valid_from=_day(check.start),
        valid_to=jurisdictions.last_day(check.end, check.credential.jurisdiction) if check.end else None,
        checked_on=_day(check.attestation.looked_at),
    )


def _claimed(credential: Credential) -> CredentialFact:
    """A claim that waits for its reviewer: known, and not counted yet."""
    return CredentialFact(
        type=credential.type,
        jurisdiction=credential.jurisdiction,
        level=CLAIMED,
        valid_from=_day(credential.submitted_at),
        valid_to=credential.expires_on,
        checked_on=_day(clock.now()),
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


hooks.changed.append(push_expert)
account_hooks.roles_changed.append(push_expert)
