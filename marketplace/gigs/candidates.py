"""The experts who fit a gig, as its client looks through them: nothing that says who they are.

Ranking gives the best few hundred; these are counted, narrowed down and put in order here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.gigs import fit, queries, words
from marketplace.gigs.finding.facets import Facet
from marketplace.gigs.masking import masked
from marketplace.gigs.models import Application, CandidateMark, ExpertProfile, Gig, Invitation
from marketplace.gigs.narrowing import ASIDE, UNTOUCHED, Known, Narrowed, Wanted, saying
from marketplace.gigs.qualification.graders import graders_of
from marketplace.gigs.states import InvitationState
from marketplace.i18n import gettext as _
from marketplace.matching import ranking
from marketplace.matching.criteria import explain
from marketplace.matching.match import Match
from marketplace.matching.words import Explained, Voice

POOL = 500
PAGE = 20
MATCH, RATE, NEWEST = "match", "rate", "newest"
SORTS = (MATCH, RATE, NEWEST)
OF_THE_GIG = ("places", "funds")
T = TypeVar("T", Invitation, Application, CandidateMark)


@dataclass(frozen=True)
class Candidate:
    """An expert as a client sees them before a contract: nothing personal."""

    profile: ExpertProfile
    match: Match
    explained: Explained
    credentials: list[str]
    invitation: Invitation | None
    application: Application | None
    mark: CandidateMark | None

    @property
    def place(self) -> str:
        """The country in which the expert lives."""
        return words.country(self.profile.person.country)

    @property
    def headline(self) -> str:
        """What they say first, without what tells who they are."""
        return masked(self.profile.headline, self.profile.person.full_name)

    @property
    def about(self) -> str:
        """What they say of themselves, likewise."""
        return masked(self.profile.about, self.profile.person.full_name)


@dataclass(frozen=True)
class Misfit:
    """An expert who was invited and does not fit any more; `why` in words."""

    profile: ExpertProfile
    why: str


@dataclass(frozen=True)
class CandidatePage:
    """One page of experts, and the cursor of the next when there are more.

    `total` experts are left of those looked through; `more` says that still others would fit less well.
    """

    rows: list[Candidate]
    facets: list[Facet]
    after: str | None
    total: int
    more: bool


def look_through(
    session: Session, gig: Gig, wanted: Wanted, sort: str = MATCH, after: str | None = None
) -> CandidatePage:
    """One page of the eligible experts. `after` is the public id of the last one seen."""
    narrowed, more = _narrowed(session, gig, wanted)
    profiles = queries.profiles_of(session, narrowed.left())
    order = _ordered([id_ for id_ in narrowed.left() if id_ in profiles], narrowed, profiles, sort)
    places = [profiles[id_].public_id.hex for id_ in order]
    start = places.index(after) + 1 if after in places else 0
    shown = order[start : start + PAGE]
    return CandidatePage(
        _candidates(session, gig, {id_: narrowed.people[id_].match for id_ in shown}, profiles),
        narrowed.facets(),
        places[start + PAGE - 1] if len(order) > start + PAGE else None,
        total=len(order),
        more=more,
    )


def best(session: Session, gig: Gig, wanted: Wanted, number: int) -> list[uuid.UUID]:
    """Public ids of the best profiles that are left and whom nobody has invited or set aside, in order."""
    ids = free(session, gig, wanted)[:number]
    profiles = queries.profiles_of(session, ids)
    return [profiles[id_].public_id for id_ in ids if id_ in profiles]


def free(session: Session, gig: Gig, wanted: Wanted) -> list[int]:
    """Internal ids of the best who are left and who neither were invited, nor applied, nor were set aside."""
    narrowed, _more = _narrowed(session, gig, wanted)
    touched = _invited(session, gig).keys() | _applied(session, gig).keys()
    return [id_ for id_ in narrowed.left() if id_ not in touched and narrowed.people[id_].stage != ASIDE]


def some(session: Session, gig: Gig, ids: Sequence[int]) -> list[Candidate]:
    """Those of these experts (internal ids) who fit the gig, as its client sees them."""
    matches = {id_: match for id_ in ids if (match := ranking.match_of(session, gig.id, id_))}
    return _candidates(session, gig, matches, queries.profiles_of(session, list(matches)))


def misfits(session: Session, gig: Gig) -> list[Misfit]:
    """Who was invited, has not answered, and does not fit the gig any more; the latest invitation first."""
    waiting = sa.select(Invitation.person_id).filter_by(gig_id=gig.id, state=InvitationState.INVITED)
    ids = session.scalars(waiting.order_by(Invitation.id.desc()).limit(POOL)).all()
    found, facts = ranking.gigs(session, [gig.id]).get(gig.id), ranking.experts(session, ids)
    if found is None:
        return []
    today, profiles = clock.today("UTC"), queries.profiles_of(session, ids)
    reasons = {id_: _why_not(explain(found, facts[id_], today)) for id_ in ids if id_ in facts}
    return [Misfit(profiles[id_], why) for id_, why in reasons.items() if why and id_ in profiles]


def _why_not(match: Match) -> str:
    """What keeps an expert from a gig, in the client's words; '' when nothing does.

    That the gig takes nobody just now has nothing to do with them, and stands on its page.
    """
    musts = fit.explained(fit.kept(match), Voice.CLIENT).musts
    failed = [each for each in musts if each.verdict == "fail" and each.code not in OF_THE_GIG]
    return " ".join(_("%(what)s: %(why)s", what=each.label, why=each.detail) for each in failed)


def _narrowed(session: Session, gig: Gig, wanted: Wanted) -> tuple[Narrowed, bool]:
    """Those who fit best, and whether still others fit less well."""
    ranked, graders = ranking.best_experts(session, gig.id, POOL + 1), graders_of(session, gig)
    best_of = {id_: match for id_, match in ranked[:POOL] if id_ not in graders}
    facts, marks = ranking.experts(session, list(best_of)), _marks(session, gig)
    invited = _invited(session, gig)
    people = {
        id_: Known(
            match, facts[id_], marks[id_].mark.value if id_ in marks else UNTOUCHED, invited=id_ in invited
        )
        for id_, match in best_of.items()
    }
    said = saying(session, list(people), wanted.text)
    return Narrowed(people, wanted, gig.project.currency, said), len(ranked) > POOL


def _ordered(
    left: list[int], narrowed: Narrowed, profiles: Mapping[int, ExpertProfile], sort: str
) -> list[int]:
    if sort == RATE:
        return sorted(left, key=lambda id_: narrowed.people[id_].facts.min_rate)
    if sort == NEWEST:
        return sorted(left, key=lambda id_: profiles[id_].updated_at, reverse=True)
    return left


def _candidates(
    session: Session, gig: Gig, matches: Mapping[int, Match], profiles: Mapping[int, ExpertProfile]
) -> list[Candidate]:
    held = queries.credentials_of(session, list(matches))
    invited, applied, marks = _invited(session, gig), _applied(session, gig), _marks(session, gig)
    return [
        Candidate(
            profiles[person_id],
            match,
            fit.explained(fit.kept(match), Voice.CLIENT),
            held.get(person_id, []),
            invited.get(person_id),
            applied.get(person_id),
            marks.get(person_id),
        )
        for person_id, match in matches.items()
    ]


def _invited(session: Session, gig: Gig) -> dict[int, Invitation]:
    return _last_of(session, sa.select(Invitation).filter_by(gig_id=gig.id).order_by(Invitation.id))


def _applied(session: Session, gig: Gig) -> dict[int, Application]:
    return _last_of(session, sa.select(Application).filter_by(gig_id=gig.id).order_by(Application.id))


def _marks(session: Session, gig: Gig) -> dict[int, CandidateMark]:
    return _last_of(session, sa.select(CandidateMark).filter_by(gig_id=gig.id))


def _last_of(session: Session, query: sa.Select[T]) -> dict[int, T]:
    """By person; the last of each."""
    return {each.person_id: each for each in session.scalars(query)}
