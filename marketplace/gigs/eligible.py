"""How many experts a gig reaches as far as it is written, and what would reach more, in words."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.credentials import types
from marketplace.gigs import rates, words
from marketplace.gigs.drafts import GigDraft
from marketplace.gigs.models import Project
from marketplace.gigs.rates import Wages
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.matching import counting, domains, names
from marketplace.matching.counting import Eligible, Gain, Sought
from marketplace.matching.facts import RequirementFact
from marketplace.money import Money

# Longer than this nobody waits for a figure beside a form.
MILLISECONDS = 1_000
# The input to which each way to more experts leads.
FIELDS = {
    "rate": "rate_max",
    "hours": "hours_per_week",
    "language": "languages",
    "country": "countries",
    "credential": "requirements",
    "level": "requirements",
    "age": "requirements",
    "zone": "time_zone",
    "data_use": "uses",
}


@dataclass(frozen=True)
class Reach:
    """What a client is told while writing. `eligible` is None while `wanting` says what is needed first, and
    when counting took too long. `places` is how many people the gig asks for. `together`: the one way there
    is to anybody changes several things. `crossed`: the lowest rate is above the highest."""

    wanting: list[str]
    eligible: Eligible | None
    ways: list[Way]
    places: int
    wages: Wages | None = None
    below: bool = False
    together: bool = False
    crossed: bool = False


@dataclass(frozen=True)
class Way:
    """`people` more would fit; `change` says how, such as `at $150.00 an hour`; `field` is the input."""

    people: int
    change: str
    field: str


def reach(session: Session, project: Project, draft: GigDraft) -> Reach:
    """Count who fits what the draft says so far."""
    sought = _sought(project, draft)
    wanting = [] if sought else _wanting(draft)
    eligible = counting.count_within(session, sought, MILLISECONDS) if sought else None
    ways = [_way(gain, project.currency) for gain in eligible.gains] if eligible else []
    together = (
        _together(session, sought, project.currency)
        if sought and eligible and not (ways or eligible.people)
        else []
    )
    wages, below = (
        rates.wages_of(draft.domain),
        rates.is_below(draft.domain, draft.rate_max, project.currency),
    )
    places = draft.headcount or 1
    crossed = bool(draft.rate_min and draft.rate_max and draft.rate_min > draft.rate_max)
    return Reach(wanting, eligible, ways or together, places, wages, below, bool(together), crossed)


def _sought(project: Project, draft: GigDraft) -> Sought | None:
    if not draft.domain or not domains.known(draft.domain) or not draft.rate_max:
        return None
    today = clock.today("UTC")
    return Sought(
        domain=draft.domain,
        rate_max=draft.rate_max,
        currency=project.currency,
        day=max(draft.starts_on or today, today),
        hours_per_week=draft.hours_per_week,
        languages=draft.languages,
        countries=draft.countries,
        requirements=tuple(
            RequirementFact(each.type, each.jurisdiction, each.level, each.max_age_days)
            for each in draft.requirements
        ),
        client=project.organization_id,
        time_zone=draft.time_zone,
        shared_hours=draft.shared_hours,
        uses=draft.uses or (),
    )


def _wanting(draft: GigDraft) -> list[str]:
    wanted = [
        (draft.domain, _("the domain whose experts you need")),
        (draft.rate_max, _("the highest rate that you pay")),
    ]
    return [what for value, what in wanted if not value]


def _way(gain: Gain, currency: str) -> Way:
    return Way(gain.people, _change(gain, currency), FIELDS[gain.code])


def _together(session: Session, sought: Sought, currency: str) -> list[Way]:
    gains = counting.nearest_within(session, sought, MILLISECONDS)
    if not gains:
        return []
    changes = names.listed(_change(gain, currency) for gain in gains)
    return [Way(gains[0].people, changes, FIELDS[gains[0].code])]


def _change(gain: Gain, currency: str) -> str:
    if gain.code == "rate":
        return _("at %(rate)s an hour", rate=Money(gain.value, currency))
    if gain.code == "hours":
        return ngettext("at %(n)s hour a week", "at %(n)s hours a week", gain.value, n=gain.value)
    if gain.code == "language":
        return _("without %(what)s", what=words.language(gain.value))
    if gain.code in ("credential", "level", "age"):
        return _less(gain.code, gain.value)
    return {
        "country": _("from anywhere"),
        "zone": _("in any time zone"),
        "data_use": _("without the uses that they refuse"),
    }[gain.code]


def _less(code: str, asked: RequirementFact) -> str:
    what = types.title(asked.type, asked.jurisdiction)
    if code == "level":
        return _("if “%(level)s” is enough for: %(what)s", level=words.level(asked.level - 1), what=what)
    if code == "age":
        return _("however long ago this was checked: %(what)s", what=what)
    return _("without: %(what)s", what=what)
