"""Narrowing down the experts who fit a gig: what is chosen, who is left, and what each choice would leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.credentials import types
from marketplace.gigs import words
from marketplace.gigs.finding import search as choices
from marketplace.gigs.finding.facets import Facet, Option
from marketplace.gigs.finding.search import Choices
from marketplace.gigs.models import ExpertProfile
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.matching import bits, domains
from marketplace.matching.facts import ExpertFacts
from marketplace.matching.match import Match
from marketplace.matching.requirements import CHECKED
from marketplace.money import Money, exponent

RATES = (60, 80, 100, 125, 150, 200, 250)
HOURS = (5, 10, 20, 30, 40)
MOST_OPTIONS = 12
KEPT, ASIDE, UNTOUCHED, INVITED = "kept", "aside", "untouched", "invited"
STAGES = (KEPT, UNTOUCHED, ASIDE, INVITED)
# Of one trigram in two, which a wrong letter or two leaves in a word.
ALIKE = 0.5


@dataclass(frozen=True)
class Wanted(Choices):
    """What a client narrows the experts down to. `rate` is the most that they ask, in major units an hour,
    `hours` the least that they offer a week; `credential` are types that they hold, checked."""

    text: str = ""
    stage: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    rate: int | None = None
    hours: int | None = None
    country: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    credential: tuple[str, ...] = ()

    @classmethod
    def read(cls, asked: Mapping[str, Sequence[str]]) -> Wanted:
        """From the parameters of an address. What makes no sense is left out."""
        return cls(
            text=choices.typed(asked),
            stage=choices.known_of(asked, "stage", STAGES.__contains__),
            domain=choices.known_of(asked, "domain", domains.known),
            rate=choices.one_of(asked.get("rate", ()), RATES),
            hours=choices.one_of(asked.get("hours", ()), HOURS),
            country=choices.known_of(asked, "country", lambda code: len(code) == 2 and code.isalpha()),
            language=choices.known_of(asked, "language", bits.LANGUAGES.__contains__),
            credential=choices.known_of(asked, "credential", lambda code: types.find(code) is not None),
        )


@dataclass(frozen=True)
class Known:
    """One of those who fit: how they match, what they can be narrowed down by, what the client thinks of
    them, and whether they were invited, which goes with any thought."""

    match: Match
    facts: ExpertFacts
    stage: str
    invited: bool = False

    def at(self, stages: Sequence[str]) -> bool:
        """Are they at one of these stages?"""
        return self.stage in stages or (self.invited and INVITED in stages)


class Narrowed:
    """Those who fit best, by internal id, the best first, and what is wanted of them.

    Money is compared in `currency`. `saying` are those who say the words that are looked for.
    """

    def __init__(self, people: Mapping[int, Known], wanted: Wanted, currency: str, saying: set[int]) -> None:
        self.people, self.wanted, self.currency = people, wanted, currency
        self._saying, self._minor = saying, 10 ** exponent(currency)

    def left(self, **instead: Any) -> list[int]:
        """Who is left, the best first; `instead` are other choices than those made."""
        wanted = replace(self.wanted, **instead)
        return [
            id_ for id_, known in self.people.items() if id_ in self._saying and self._fits(known, wanted)
        ]

    def facets(self) -> list[Facet]:
        """Each choice with how many it would leave, whatever else of its kind is chosen."""
        return [
            Facet("stage", _("Your list"), list(self._stages())),
            self._several("domain", _("Domain"), _known, domains.title),
            Facet("rate", _("Works for at most"), list(self._rates()), single=True),
            Facet("hours", _("Hours a week, at least"), list(self._hours()), single=True),
            self._several("country", _("Country"), lambda facts: [facts.country], words.country),
            self._several("language", _("Language"), lambda facts: facts.languages, words.language),
            self._several("credential", _("Credential, checked"), _held, types.title),
        ]

    def _fits(self, known: Known, wanted: Wanted) -> bool:
        facts = known.facts
        return (
            # Who was set aside is only seen where that is asked for.
            (known.at(wanted.stage) if wanted.stage else known.stage != ASIDE)
            and (not wanted.domain or any(domains.among(code, wanted.domain) for code in facts.domains))
            and (wanted.rate is None or self._asks_at_most(facts, wanted.rate))
            and (wanted.hours is None or facts.hours_per_week >= wanted.hours)
            and (not wanted.country or facts.country in wanted.country)
            and (not wanted.language or not set(wanted.language).isdisjoint(facts.languages))
            and (not wanted.credential or not _held(facts).isdisjoint(wanted.credential))
        )

    def _asks_at_most(self, facts: ExpertFacts, rate: int) -> bool:
        return facts.currency == self.currency and facts.min_rate <= rate * self._minor

    def _stages(self) -> Iterator[Option]:
        named = {
            KEPT: _("Kept in mind"),
            UNTOUCHED: _("Not decided"),
            ASIDE: _("Set aside"),
            INVITED: _("Invited"),
        }
        for stage, label in named.items():
            count, chosen = len(self.left(stage=(stage,))), stage in self.wanted.stage
            if count or chosen:
                yield Option(stage, label, count, chosen)

    def _rates(self) -> Iterator[Option]:
        facts = [self.people[id_].facts for id_ in self.left(rate=None)]
        for rate in RATES:
            count = sum(self._asks_at_most(each, rate) for each in facts)
            label = str(Money(rate * self._minor, self.currency))
            yield Option(str(rate), label, count, rate == self.wanted.rate)

    def _hours(self) -> Iterator[Option]:
        offered = [self.people[id_].facts.hours_per_week for id_ in self.left(hours=None)]
        for least in HOURS:
            label = ngettext("%(n)s hour", "%(n)s hours", least)
            yield Option(
                str(least), label, sum(each >= least for each in offered), least == self.wanted.hours
            )

    def _several(
        self,
        name: str,
        title: str,
        values: Callable[[ExpertFacts], Iterable[str]],
        label: Callable[[str], str],
    ) -> Facet:
        chosen: tuple[str, ...] = getattr(self.wanted, name)
        counts = Counter(
            value for id_ in self.left(**{name: ()}) for value in set(values(self.people[id_].facts))
        )
        there = [*chosen, *(value for value, _count in counts.most_common() if value not in chosen)]
        options = [Option(each, label(each), counts[each], each in chosen) for each in there[:MOST_OPTIONS]]
        return Facet(name, title, options)


def saying(session: Session, ids: Sequence[int], text: str) -> set[int]:
    """Which of these people (internal ids) say all these words of themselves, or words much like them."""
    if not text:
        return set(ids)
    skills = sa.func.array_to_string(ExpertProfile.skills, " ")
    said = sa.func.concat_ws(" ", ExpertProfile.headline, skills, ExpertProfile.about)
    query = sa.select(ExpertProfile.person_id).where(ExpertProfile.person_id.in_(ids))
    for term in text.split():
        alike = sa.func.strict_word_similarity(_bare(sa.literal(term)), _bare(said))
        query = query.where(alike >= ALIKE)
    return set(session.scalars(query))


def _bare(text: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    return sa.func.lower(sa.func.unaccent(text))


def _known(facts: ExpertFacts) -> set[str]:
    """The domains of an expert, and all that they are part of."""
    return {each for code in facts.domains for each in domains.tree().path(code)}


def _held(facts: ExpertFacts) -> set[str]:
    return {each.type for each in facts.credentials if each.level >= CHECKED}
