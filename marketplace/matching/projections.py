"""Writing the narrow copies, in the running transaction of whoever changed what they are made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import bulk
from marketplace.matching import bits, domains, facts, openings, skills, steps, uses
from marketplace.matching.criteria import known_record, promptness, strength
from marketplace.matching.facts import CredentialFact, ExpertFacts, GigFacts
from marketplace.matching.models import (
    MatchCredential,
    MatchExpert,
    MatchExpertDomain,
    MatchGig,
    MatchSkill,
)
from marketplace.matching.requirements import CHECKED

FOREVER = date(9999, 12, 31)
Skilled = TypeVar("Skilled", ExpertFacts, GigFacts)


def push_expert(session: Session, expert: ExpertFacts) -> None:
    """Keep these facts of an expert in place of those kept before. Raises KeyError for an unknown domain."""
    push_experts(session, [expert])


def push_experts(session: Session, experts: Sequence[ExpertFacts]) -> None:
    """Keep these facts, of each expert once, in place of those kept before.

    Raises KeyError for an unknown domain.
    """
    if not experts:
        return
    experts = _with_skills(session, experts)
    ids = [expert.person_id for expert in experts]
    numbers = skills.numbers(session, {skill for expert in experts for skill in expert.skills})
    session.execute(sa.delete(MatchExpert).where(MatchExpert.person_id == sa.any_(sa.literal(ids, _IDS))))
    session.execute(sa.insert(MatchExpert), [expert_row(expert) for expert in experts])
    held = [credential_row(expert, each) for expert in experts for each in expert.credentials]
    known = [row for expert in experts for row in domain_rows(expert, numbers)]
    for table, rows in ((MatchCredential, held), (MatchExpertDomain, known)):
        if rows:
            session.execute(sa.insert(table), rows)


def copy_experts(session: Session, experts: Sequence[ExpertFacts]) -> None:
    """Keep the facts of experts of whom nothing is kept yet, in bulk."""
    experts = _with_skills(session, experts)
    numbers = skills.numbers(session, {skill for expert in experts for skill in expert.skills})
    bulk.copy(session, MatchExpert, (expert_row(expert) for expert in experts))
    held = (credential_row(expert, each) for expert in experts for each in expert.credentials)
    bulk.copy(session, MatchCredential, held)
    known = (row for expert in experts for row in domain_rows(expert, numbers))
    bulk.copy(session, MatchExpertDomain, known)


def push_gig(
    session: Session,
    gig: GigFacts,
    *,
    open: bool,
    task_kind: str | None = None,
    published_at: datetime | None = None,
) -> bool:
    """Keep these facts of a gig in place of those kept before; only an `open` one is found for experts.

    Does it suit experts now whom it did not before? What is known already is not written again. Raises
    KeyError for an unknown domain.
    """
    (gig,) = _with_skills(session, [gig])
    values = gig_row(gig, skills.numbers(session, gig.skills), open=open)
    values |= {"task_kind": task_kind, "published_at": published_at}
    same = ("open", "facts", "task_kind", "published_at")
    before = session.execute(
        sa.select(*(getattr(MatchGig, name) for name in same)).where(MatchGig.gig_id == gig.gig_id)
    ).one_or_none()
    if before is not None and tuple(before) == tuple(values[name] for name in same):
        return False
    session.execute(
        insert(MatchGig)
        .values(values)
        .on_conflict_do_update(
            index_elements=[MatchGig.gig_id], set_={**values, "changed_at": sa.func.clock_timestamp()}
        )
    )
    return bool(values["open"]) and (
        before is None or not before.open or _asked(before.facts) != _asked(values["facts"])
    )


def _asked(kept: dict[str, Any]) -> dict[str, Any]:
    """What a gig asks for, whatever places and money it has."""
    return {name: value for name, value in kept.items() if name not in ("headcount_left", "funded")}


def funded(session: Session, gig_ids: Sequence[int]) -> dict[int, bool]:
    """Of each of these gigs that is known: had it the money for one more expert?"""
    query = sa.select(MatchGig.gig_id, MatchGig.facts["funded"].as_boolean())
    rows = session.execute(query.where(MatchGig.gig_id == sa.any_(sa.literal(list(gig_ids), _IDS))))
    return {gig_id: had for gig_id, had in rows}  # noqa: C416 (rows are no pairs to the type checker)


def copy_gigs(session: Session, gigs: Sequence[GigFacts]) -> None:
    """Keep the facts of gigs of which nothing is kept yet, and that nobody finds yet, in bulk."""
    gigs = _with_skills(session, gigs)
    numbers = skills.numbers(session, {skill for gig in gigs for skill in gig.skills})
    bulk.copy(session, MatchGig, (gig_row(gig, numbers, open=False) for gig in gigs))


def drop_gig(session: Session, gig_id: int) -> None:
    """Forget a gig that does not say any more what decides a match."""
    session.execute(sa.delete(MatchGig).where(MatchGig.gig_id == gig_id))


def clear(session: Session) -> None:
    """Forget every copy; what rebuilds them pushes them all again in the same transaction."""
    for table in (MatchCredential, MatchExpertDomain, MatchExpert, MatchGig, MatchSkill):
        session.execute(sa.delete(table))
    openings.forget()


def _with_skills(session: Session, of: Sequence[Skilled]) -> list[Skilled]:
    """The same with the skills that their second names stand for."""
    second = skills.aliases(session, {skill for each in of for skill in each.skills})
    if not second:
        return list(of)
    return [replace(each, skills=skills.meant(each.skills, second)) for each in of]


def expert_row(expert: ExpertFacts) -> dict[str, Any]:
    """The row of `match_experts`."""
    row = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(expert).items()}
    del row["credentials"]
    return row


def credential_row(expert: ExpertFacts, credential: CredentialFact) -> dict[str, Any]:
    """A row of `match_credentials`."""
    return {"person_id": expert.person_id, **vars(credential)}


def domain_rows(expert: ExpertFacts, numbers: dict[str, int]) -> list[dict[str, Any]]:
    """The rows of `match_expert_domains`: none for somebody who cannot be matched at all."""
    if expert.suspended:
        return []
    record, prompt = known_record(expert.record), promptness(expert.response_hours)
    named = [numbers[skill] for skill in dict.fromkeys(expert.skills)]
    row = {
        "person_id": expert.person_id,
        "currency": expert.currency,
        "strength": strength(record, prompt),
        "record": record,
        "promptness": prompt,
        "min_rate": expert.min_rate,
        "rate_step": steps.step(expert.min_rate),
        "hours_per_week": expert.hours_per_week,
        "country": expert.country,
        "language_bits": bits.languages(expert.languages),
        "credential_bits": bits.held(expert.credentials),
        "counts_until": _counts_until(expert.credentials),
        "skills": named,
        "skill_bits": bits.skills(named),
        "refusal_bits": uses.bits(expert.refusals),
    }
    for domain in expert.domains:
        domains.group_of(domain)
    return [
        {**row, "domain": domain, "market": bits.market(expert.currency, domain)}
        for domain in dict.fromkeys(expert.domains)
    ]


def gig_row(gig: GigFacts, numbers: dict[str, int], *, open: bool) -> dict[str, Any]:
    """The row of `match_gigs`; one without places or funds is open to nobody."""
    domains.group_of(gig.domain)
    return {
        "gig_id": gig.gig_id,
        "client": gig.client,
        "domain": gig.domain,
        "rate_min": gig.rate_min,
        "rate_max": gig.rate_max,
        "currency": gig.currency,
        "hours_per_week": gig.hours_per_week,
        "language_bits": bits.languages(gig.languages),
        "credential_bits": bits.asked(gig.requirements),
        "countries": list(gig.countries),
        "skills": [numbers[skill] for skill in dict.fromkeys(gig.skills)],
        "use_bits": uses.bits(gig.uses),
        "open": open and gig.funded and gig.headcount_left > 0,
        "facts": facts.to_json(gig),
    }


def _counts_until(held: Iterable[CredentialFact]) -> date | None:
    return max((each.valid_to or FOREVER for each in held if each.level >= CHECKED), default=None)


_IDS = sa.ARRAY(sa.BigInteger)
