"""Names of what gigs and profiles choose from, in the reader's language."""

from __future__ import annotations

from babel import Locale

from marketplace.accounts.people import countries
from marketplace.gigs.states import TaskKind, task_word
from marketplace.i18n import current_locale
from marketplace.i18n import gettext as _
from marketplace.matching import bits

LEVELS = (2, 3, 4)
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


def task_choices() -> list[tuple[str, str]]:
    """Every kind of task."""
    return [(kind.value, task_word(kind)) for kind in TaskKind]


def level(number: int) -> str:
    """What stands behind a checked credential."""
    return {
        2: _("document seen"),
        3: _("on the official register"),
        4: _("verified at the primary source"),
    }.get(number, _("not checked yet"))
