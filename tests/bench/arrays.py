"""The same question answered by brute force over arrays in memory: what the ranking is held against.

Every row is looked at. Credentials are only looked at by their bits, which is less than the ranking does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import psycopg

from marketplace.matching import bits, domains, rules
from marketplace.matching.criteria import WHOLE_PROMPTNESS, WHOLE_RECORD, domain_points, least_hours
from marketplace.matching.facts import GigFacts

WEIGHTS = rules.SHIPPED.weights
MOST_SKILLS = 8
NOBODY = -1
COLUMNS = """
    SELECT person_id, domain, currency, record, promptness, min_rate, hours_per_week, country, language_bits,
        credential_bits, skills FROM match_expert_domains
"""


class Arrays:
    """All rows of `match_expert_domains`."""

    def __init__(self, url: str, numbers: dict[str, int]) -> None:
        self._numbers = numbers
        self._codes = {code: n for n, code in enumerate(domains.codes())}
        with psycopg.connect(url) as connection:
            rows = connection.execute(COLUMNS).fetchall()
        people, codes, currencies, record, prompt, rates, hours, places, languages, credentials, skills = zip(
            *rows, strict=True
        )
        self._currencies, self._places = _numbered(currencies), _numbered(places)
        self.person = np.array(people)
        self.domain = np.array([self._codes[code] for code in codes], dtype=np.int16)
        self.currency = np.array([self._currencies[each] for each in currencies], dtype=np.int8)
        self.place = np.array([self._places[each] for each in places], dtype=np.int16)
        self.base = WEIGHTS.record * np.array(record, dtype=np.int32) // WHOLE_RECORD
        self.base += WEIGHTS.response * np.array(prompt, dtype=np.int32) // WHOLE_PROMPTNESS
        self.hours = np.array(hours, dtype=np.int32)
        self.rate = np.array(rates, dtype=np.int32)
        self.languages, self.credentials = np.array(languages), np.array(credentials)
        padded = ((*each, *([NOBODY] * MOST_SKILLS))[:MOST_SKILLS] for each in skills)
        self.skills = np.array(list(padded), dtype=np.int32)

    def best(self, gig: GigFacts, limit: int) -> Sequence[int]:
        """Internal ids of the best, by score alone."""
        near = np.zeros(len(self._codes), dtype=np.int32)
        for code, number in self._codes.items():
            near[number] = domain_points(domains.nearness(code, gig.domain), WEIGHTS.domain)
        points = near[self.domain]
        fits = points > 0
        fits &= self.currency == self._currencies.get(gig.currency, NOBODY)
        fits &= (self.rate <= gig.rate_max) & (self.hours >= least_hours(gig.hours_per_week))
        for wanted, held in (
            (bits.languages(gig.languages), self.languages),
            (bits.asked(gig.requirements), self.credentials),
        ):
            fits &= held & wanted == wanted
        if gig.countries:
            fits &= np.isin(self.place, [self._places.get(each, NOBODY) for each in gig.countries])
        score = np.where(fits, self._score(gig, points), NOBODY)
        best = np.argpartition(score, -4 * limit)[-4 * limit :]
        order = best[np.argsort(-score[best], kind="stable")]
        return list(dict.fromkeys(int(each) for each in self.person[order]))[:limit]

    def _score(self, gig: GigFacts, points: np.ndarray) -> np.ndarray:
        band = max(gig.rate_max - gig.rate_min, 1)
        inside = WEIGHTS.rate * (gig.rate_max - self.rate) // band
        rate = np.where(self.rate <= gig.rate_min, WEIGHTS.rate, inside)
        liked = gig.hours_per_week
        time = WEIGHTS.availability * np.minimum(self.hours, liked) // max(liked, 1)
        return points + self.base + rate + time + self._skill_points(gig)

    def _skill_points(self, gig: GigFacts) -> np.ndarray | int:
        if not gig.skills:
            return WEIGHTS.skills
        met = np.isin(self.skills, [self._numbers[each] for each in gig.skills]).sum(axis=1)
        return WEIGHTS.skills * met // len(gig.skills)


def _numbered(values: Sequence[str]) -> dict[str, int]:
    return {value: n for n, value in enumerate(sorted(set(values)))}
