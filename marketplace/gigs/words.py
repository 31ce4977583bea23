"""Names of what gigs and profiles choose from, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable

from babel import Locale

from marketplace import clock
from marketplace.accounts.people import countries
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.states import Kept, Owner, TaskKind, task_word
from marketplace.i18n import current_locale, ngettext, zone_name
from marketplace.i18n import gettext as _
from marketplace.matching import bits, names
from marketplace.matching.uses import Use

LEVELS = (2, 3, 4)
AREAS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
GROUP = 32


def language(code: str) -> str:
    """`Spanish`."""
    return str(Locale.parse(current_locale()).languages.get(code, code))


def country(code: str) -> str:
    """`United States`."""
    return countries().get(code, code)


def country_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every country by name, in groups that are short enough to look through: `Peru to Samoa`."""
    known = list(countries().items())
    parts = [known[n : n + GROUP] for n in range(0, len(known), GROUP)]
    return [(_("%(first)s to %(last)s", first=part[0][1], last=part[-1][1]), part) for part in parts]


def language_choices() -> list[tuple[str, str]]:
    """By name."""
    return sorted(((code, language(code)) for code in bits.LANGUAGES), key=lambda choice: choice[1])


def use_choices() -> list[tuple[str, str]]:
    """Every use of work that experts may refuse."""
    said = ((use.value, names.use(use)) for use in Use)
    return [(code, text[:1].upper() + text[1:]) for code, text in said]


def used(uses: Iterable[str]) -> str:
    """The uses that experts may refuse, as a sentence."""
    said = names.uses(uses)
    return _("It is also for: %(uses)s.", uses=said) if said else _("It is for none of them.")


def owner_choices() -> list[tuple[str, str]]:
    """Who may own the work."""
    return [
        (Owner.CLIENT, _("The client")),
        (Owner.CUSTOMER, _("A customer of the client")),
        (Owner.EXPERT, _("The expert")),
        (Owner.PUBLIC, _("Nobody alone: it is published")),
    ]


def kept_choices() -> list[tuple[str, str]]:
    """How long work may be kept."""
    return [
        (Kept.PROJECT, _("Until the project ends")),
        (Kept.YEAR_1, _("A year")),
        (Kept.YEARS_2, _("Two years")),
        (Kept.YEARS_3, _("Three years")),
        (Kept.YEARS_5, _("Five years")),
        (Kept.YEARS_10, _("Ten years")),
        (Kept.NO_END, _("Without an end")),
    ]


def task_choices() -> list[tuple[str, str]]:
    """Every kind of task."""
    return [(kind.value, task_word(kind)) for kind in TaskKind]


def zone_groups() -> dict[str, list[tuple[str, str]]]:
    """The places whose time zones can be named, by continent or ocean."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(clock.zones()):
        area, _slash, place = name.partition("/")
        if place and area in AREAS:
            groups.setdefault(area_word(area), []).append((name, place.replace("_", " ").replace("/", ", ")))
    return groups


def area_word(area: str) -> str:
    """The continent or ocean by which IANA names a zone."""
    return {
        "Africa": _("Africa"),
        "America": _("America"),
        "Antarctica": _("Antarctica"),
        "Arctic": _("Arctic"),
        "Asia": _("Asia"),
        "Atlantic": _("Atlantic Ocean"),
        "Australia": _("Australia"),
        "Europe": _("Europe"),
        "Indian": _("Indian Ocean"),
        "Pacific": _("Pacific Ocean"),
    }[area]


def shared(zone: str | None, hours: int) -> str:
    """`4 hours a day with New York time`; empty when none are asked for."""
    if zone is None:
        return ""
    return ngettext(
        "%(n)s hour a day with %(zone)s", "%(n)s hours a day with %(zone)s", hours, zone=zone_name(zone)
    )


def test_in_short(test: QualificationTest) -> str:
    """`Reading chest CT, 45 minutes at most, paid`."""
    return ngettext(
        "%(title)s, %(n)s minute at most, paid",
        "%(title)s, %(n)s minutes at most, paid",
        test.minutes,
        title=test.title,
    )


def level(number: int) -> str:
    """What stands behind a checked credential."""
    return {
        2: _("document seen"),
        3: _("on the official register"),
        4: _("verified at the primary source"),
    }.get(number, _("not checked yet"))
