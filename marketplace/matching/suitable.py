"""Which open gigs come into question for an expert, in the order of the score: the part of matching that runs
in memory. As `candidates` does it in the database for experts: the score is exact, and so are the hard
criteria as far as the columns tell (see `bits`), so whoever asks looks at some once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from sqlalchemy.orm import Session

from marketplace.matching import bits, rules, skills, uses
from marketplace.matching.candidates import draw, near_expert
from marketplace.matching.criteria import base_points
from marketplace.matching.facts import ExpertFacts
from marketplace.matching.openings import Ints, Mask, Openings
from marketplace.matching.requirements import held_by

NOT_NEAR = -1


class Suitable:
    """The gigs of `within` (all when it is None) that may suit an expert; none for one who is suspended."""

    def __init__(
        self, session: Session, openings: Openings, expert: ExpertFacts, within: Mask | None = None
    ) -> None:
        self._openings, self._expert = openings, expert
        self._numbers = list(skills.find(session, expert.skills).values()) if expert.skills else []
        near = near_expert(expert)
        self._near = np.array([near.get(code, NOT_NEAR) for code in openings.domains], np.int64)
        self._places = self._fitting(within)

    def __len__(self) -> int:
        return len(self._places)

    def first(self, wanted: int) -> Ints:
        """The places in the columns of the `wanted` gigs with the highest scores, best first."""
        places, scores = self._places, self._scores
        if len(places) > wanted:
            enough = scores >= np.partition(scores, -wanted)[-wanted]
            places, scores = places[enough], scores[enough]
        ids = self._openings.ids[places]
        best: Ints = places[np.lexsort((ids, draw(self._expert.person_id, ids), -scores))]
        return best[:wanted]

    def unsure(self, places: Ints) -> Mask:
        """Of which the columns do not tell all that decides: a credential's level and days, working hours in
        common, a rare language."""
        o = self._openings
        exact = np.array([not each >> len(bits.LANGUAGES) for each in o.language_sets], np.bool_)
        asked = np.array([bool(each) for each in o.credential_sets], np.bool_)
        return o.zoned[places] | ~exact[o.languages[places]] | asked[o.credentials[places]]

    @cached_property
    def _scores(self) -> Ints:
        return self.scored(self._places)

    def _fitting(self, within: Mask | None) -> Ints:
        o = self._openings
        there = (self._near[o.domain] != NOT_NEAR) & (not self._expert.suspended)
        places = np.flatnonzero(there if within is None else there & within)
        for fits in self._hard():
            places = places[fits(places)]
        return places

    def _hard(self) -> Iterator[Callable[[Ints], Mask]]:
        """Each hard criterion: of some places, where it is met."""
        o, expert = self._openings, self._expert
        spoken = bits.languages(expert.languages)
        refused = uses.bits(expert.refusals)
        here = np.array([each == expert.currency for each in o.currencies], np.bool_)
        speaks = np.array([each & ~spoken == 0 for each in o.language_sets], np.bool_)
        holds = np.array([held_by(each, expert.credentials) for each in o.credential_sets], np.bool_)
        lives = np.array([not each or expert.country in each for each in o.country_sets], np.bool_)
        yield lambda at: here[o.currency[at]]
        yield lambda at: (o.rate[at] >= expert.min_rate) & (o.hours[at] <= 2 * expert.hours_per_week)
        yield lambda at: speaks[o.languages[at]] & holds[o.credentials[at]] & lives[o.countries[at]]
        yield lambda at: o.uses[at] & refused == 0
        yield lambda at: ~np.isin(o.client[at], expert.conflicts)

    def scored(self, places: Ints) -> Ints:
        """The scores of the gigs in these places, which suit."""
        o, expert, weights = self._openings, self._expert, rules.current().weights
        low, high, liked = o.rate_min[places], o.rate[places], o.hours[places].astype(np.int64)
        inside = weights.rate * (high - expert.min_rate) // np.maximum(high - low, 1)
        rate = np.where(expert.min_rate <= low, weights.rate, inside)
        time = weights.availability * np.minimum(expert.hours_per_week, liked) // np.maximum(liked, 1)
        points: Ints = self._near[o.domain[places]] + rate + time + self._skilled(places)
        return points + base_points(expert, weights)

    def _skilled(self, places: Ints) -> Ints:
        asked, weight = self._openings.skills[places], rules.current().weights.skills
        many = np.count_nonzero(asked, axis=1)
        met = np.count_nonzero(np.isin(asked, self._numbers), axis=1)
        return np.where(many == 0, weight, weight * met // np.maximum(many, 1))
