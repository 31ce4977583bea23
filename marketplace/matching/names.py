"""What things are called in the reader's language: criteria, languages, countries, amounts, days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from babel import Locale
from babel.lists import format_list

from marketplace.i18n import current_locale, day, ngettext
from marketplace.i18n import gettext as _
from marketplace.matching.uses import Use
from marketplace.money import Money

Facts = dict[str, Any]


def label(code: str, facts: Facts) -> str:
    """The criterion's name; a credential's own title where it is one."""
    if code == "credential":
        return str(facts["title"])
    return {
        "standing": _("Standing"),
        "domain": _("Domain"),
        "rate": _("Rate"),
        "languages": _("Languages"),
        "country": _("Country"),
        "hours": _("Hours a week"),
        "zone": _("Working hours in common"),
        "conflict": _("Conflict of interest"),
        "data_use": _("Use of the work"),
        "places": _("Places"),
        "funds": _("Funded hours"),
        "domain_depth": _("How close the domain is"),
        "rate_fit": _("How the rate fits"),
        "availability": _("Time for it"),
        "skills": _("Skills"),
        "record": _("Weeks approved, tests passed"),
        "response": _("How soon answers come"),
    }[code]


def weight(name: str) -> str:
    """The name of the criterion that has this weight."""
    return label({"domain": "domain_depth", "rate": "rate_fit"}.get(name, name), {})


def languages(codes: Iterable[str]) -> str:
    """`English and German`."""
    known = Locale.parse(current_locale()).languages
    return listed(known.get(code, code) for code in codes)


def uses(codes: Iterable[str]) -> str:
    """`political persuasion and weapons or warfare`."""
    return listed(use(code) for code in codes)


def use(code: str) -> str:
    """What the work may be for, as part of a sentence."""
    return {
        Use.AUTOMATION: _("automating this very profession"),
        Use.GENERAL_MODELS: _("training models that are sold to anybody"),
        Use.RESALE: _("selling the work itself to others"),
        Use.LIKENESS: _("imitating a person’s voice, face or style"),
        Use.PERSUASION: _("political persuasion"),
        Use.SURVEILLANCE: _("watching or scoring people"),
        Use.WEAPONS: _("weapons or warfare"),
        Use.SEXUAL: _("sexual content"),
        Use.UNLIMITED: _("keeping the work without an end"),
    }[Use(code)]


def country(code: str) -> str:
    """`United States`."""
    return str(Locale.parse(current_locale()).territories.get(code, code))


def listed(words: Iterable[str]) -> str:
    """`one, two and three`."""
    return str(format_list(list(words), locale=current_locale()))


def amount(facts: Facts, name: str, currency: str = "currency") -> str:
    """The amount called `name` among the facts, with its currency: `$90.00`."""
    return str(Money(facts[name], facts[currency]))


def waiting(hours: int) -> str:
    """`5 hours`, `3 days`."""
    if hours < 48:
        return ngettext("%(n)s hour", "%(n)s hours", max(hours, 1))
    return ngettext("%(n)s day", "%(n)s days", hours // 24)


def start(facts: Facts) -> str:
    """The day on which the work begins."""
    return day(date.fromisoformat(facts["day"]))
