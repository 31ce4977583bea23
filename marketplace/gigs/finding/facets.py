"""How many open gigs there are of each kind, among those that all other choices leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from marketplace.gigs import words
from marketplace.gigs.finding import search as choices
from marketplace.gigs.finding.search import Search
from marketplace.gigs.states import task_word
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.matching import bits, domains
from marketplace.matching.facts import CredentialFact, RequirementFact
from marketplace.matching.openings import Ints, Mask, Openings, Places
from marketplace.matching.requirements import held_by
from marketplace.money import Money, exponent

MOST_LANGUAGES = 12
V = TypeVar("V")


@dataclass(frozen=True)
class Reader:
    """Who looks: the currency that they ask for, the credentials that they hold and those that they will hold
    once they are reviewed, and the gigs (internal ids) that they have hidden."""

    currency: str
    held: tuple[CredentialFact, ...] = ()
    reviewed: tuple[CredentialFact, ...] = ()
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True)
class Option:
    """One choice, and how many gigs it would leave. `level` is its depth in a tree."""

    value: str
    label: str
    count: int
    chosen: bool
    level: int = 0


@dataclass(frozen=True)
class Facet:
    """The choices of one kind. Of `single` ones only one can be chosen."""

    name: str
    title: str
    options: list[Option]
    single: bool = False


class Sieve:
    """What each choice of a search leaves of the open gigs."""

    def __init__(self, openings: Openings, search: Search, reader: Reader, ids: Ints | None) -> None:
        self._openings, self.search, self.reader = openings, search, reader
        self._masks = dict(_masks(openings, search, reader, ids))

    def left(self, but: str | None = None) -> Mask:
        """Which gigs all choices leave; `but` names a kind of choice that is not made."""
        left = np.ones(len(self._openings), np.bool_)
        for name, mask in self._masks.items():
            if name != but:
                left &= mask
        return left

    def facets(self) -> list[Facet]:
        """Every kind of choice, with its counts."""
        return [
            Facet("domain", _("Domain"), list(self._domains())),
            Facet("rate", _("Pays at least"), list(self._rates()), single=True),
            Facet("hours", _("Hours a week, at most"), list(self._hours()), single=True),
            Facet("task", _("Kind of task"), list(self._tasks())),
            Facet("language", _("Language"), list(self._languages())),
            Facet("credential", _("Credentials"), list(self._credentials())),
        ]

    def _domains(self) -> Iterator[Option]:
        """The groups, and what is inside of whatever is chosen."""
        found = self._by(self._openings.domain, self._openings.domains, "domain")
        opened = {each for code in self.search.domain for each in domains.tree().path(code)}
        yield from self._branch(domains.groups(), domains.tree().summed(found), opened)

    def _branch(
        self, codes: list[str], total: Mapping[str, int], opened: set[str], level: int = 0
    ) -> Iterator[Option]:
        for code in codes:
            if total[code] or code in opened:
                yield Option(code, domains.title(code), total[code], code in self.search.domain, level)
            if code in opened:
                inside = sorted(domains.tree().inside(code), key=lambda each: -total[each])
                yield from self._branch(inside, total, opened, level + 1)

    def _rates(self) -> Iterator[Option]:
        mask, minor = self.left("rate") & self._mine(), 10 ** exponent(self.reader.currency)
        rates = self._openings.rate[mask]
        for rate in choices.RATES:
            count = int(np.count_nonzero(rates >= rate * minor))
            label = str(Money(rate * minor, self.reader.currency))
            yield Option(str(rate), label, count, rate == self.search.rate)

    def _hours(self) -> Iterator[Option]:
        hours = self._openings.hours[self.left("hours")]
        for most in choices.HOURS:
            count = int(np.count_nonzero(hours <= most))
            label = ngettext("%(n)s hour", "%(n)s hours", most)
            yield Option(str(most), label, count, most == self.search.hours)

    def _tasks(self) -> Iterator[Option]:
        found = self._by(self._openings.task, self._openings.tasks, "task")
        known = {kind: count for kind, count in found.items() if kind is not None}
        yield from _most_first(known, self.search.task, task_word)

    def _languages(self) -> Iterator[Option]:
        found = self._by(self._openings.languages, self._openings.language_sets, "language")
        counts = {
            code: sum(n for asked, n in found.items() if asked & bits.languages((code,)))
            for code in bits.LANGUAGES
        }
        yield from list(_most_first(counts, self.search.language, words.language))[:MOST_LANGUAGES]

    def _credentials(self) -> Iterator[Option]:
        found = self._by(self._openings.credentials, self._openings.credential_sets, "credential")
        counts = {
            code: sum(n for asked, n in found.items() if _how_held(asked, self.reader) == code)
            for code in choices.CREDENTIALS
        }
        for code, count in counts.items():
            if count or code in self.search.credential:
                yield Option(code, held_word(code), count, code in self.search.credential)

    def _by(self, column: Places, values: tuple[V, ...], name: str) -> dict[V, int]:
        """How many gigs there are of each value, without what is chosen of this kind."""
        counted = np.bincount(column[self.left(name)], minlength=len(values)).tolist()
        return {value: count for value, count in zip(values, counted, strict=True) if count}

    def _mine(self) -> Mask:
        return _in_currency(self._openings, self.reader.currency)


def described(search: Search, currency: str) -> list[str]:
    """What is searched for, in words."""
    said = [_("“%(text)s”", text=search.text)] if search.text else []
    said += [domains.title(code) for code in search.domain]
    if search.rate is not None:
        least = Money(search.rate * 10 ** exponent(currency), currency)
        said.append(_("at least %(rate)s an hour", rate=least))
    if search.hours is not None:
        said.append(ngettext("at most %(n)s hour a week", "at most %(n)s hours a week", search.hours))
    said += [task_word(kind) for kind in search.task]
    said += [words.language(code) for code in search.language]
    return said + [held_word(code) for code in search.credential]


def held_word(code: str) -> str:
    """What is asked of credentials, to the expert."""
    return {
        choices.NO_CREDENTIAL: _("None asked for"),
        choices.HELD: _("All that are asked for are yours"),
        choices.REVIEWED: _("One of yours is still being reviewed"),
        choices.LACKING: _("Asks for one that you lack"),
    }[code]


def _most_first(
    counts: Mapping[str, int], chosen: tuple[str, ...], label: Callable[[str], str]
) -> Iterator[Option]:
    there = [code for code, count in counts.items() if count or code in chosen]
    there += [code for code in chosen if code not in counts]
    for code in sorted(there, key=lambda code: (code not in chosen, -counts.get(code, 0))):
        yield Option(code, label(code), counts.get(code, 0), code in chosen)


def _masks(
    openings: Openings, search: Search, reader: Reader, ids: Ints | None
) -> Iterator[tuple[str, Mask]]:
    if ids is not None:
        yield "text", np.isin(openings.ids, ids)
    if reader.hidden:
        yield "hidden", ~np.isin(openings.ids, reader.hidden)
    if search.domain:
        within = {code for chosen in search.domain for code in domains.tree().within(chosen)}
        yield "domain", _any_of(openings.domain, [each in within for each in openings.domains])
    if search.rate is not None:
        enough = openings.rate >= search.rate * 10 ** exponent(reader.currency)
        yield "rate", enough & _in_currency(openings, reader.currency)
    if search.hours is not None:
        yield "hours", openings.hours <= search.hours
    if search.task:
        yield "task", _any_of(openings.task, [each in search.task for each in openings.tasks])
    if search.language:
        wanted = [bits.languages((code,)) for code in search.language]
        fits = [any(asked & each for each in wanted) for asked in openings.language_sets]
        yield "language", _any_of(openings.languages, fits)
    if search.credential:
        fits = [_how_held(asked, reader) in search.credential for asked in openings.credential_sets]
        yield "credential", _any_of(openings.credentials, fits)


def _any_of(column: Places, fits: list[bool]) -> Mask:
    """Where the value in that place fits."""
    return np.array(fits, np.bool_)[column] if fits else np.zeros(len(column), np.bool_)


def _in_currency(openings: Openings, currency: str) -> Mask:
    return _any_of(openings.currency, [each == currency for each in openings.currencies])


def _how_held(asked: tuple[RequirementFact, ...], reader: Reader) -> str:
    if not asked:
        return choices.NO_CREDENTIAL
    if held_by(asked, reader.held):
        return choices.HELD
    return choices.REVIEWED if held_by(asked, reader.held + reader.reviewed) else choices.LACKING
