"""What the criteria ask, in words for everybody, with the weights in use."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.i18n import gettext as _
from marketplace.matching import names, rules
from marketplace.matching.criteria import NEARNESS_PERCENT, PROMPT_HOURS, SLOW_HOURS, UNKNOWN_PERCENT
from marketplace.matching.tree import Nearness


@dataclass(frozen=True)
class About:
    """A criterion, what it asks, and the most points that it gives; none for one that only decides."""

    label: str
    asks: str
    weight: int = 0


def musts() -> list[About]:
    """What decides whether the two fit at all."""
    said = {
        "standing": _("The expert’s work here is not suspended."),
        "domain": _("The expert’s domain is the gig’s, or one of the same group."),
        "rate": _("The least that the expert works for is not above the most that the gig pays."),
        "credential": _(
            "Each that is asked for is held, checked as deeply and as lately as asked, and in force."
        ),
        "languages": _("The expert writes all languages of the work well."),
        "country": _("The expert lives where the client can take work from."),
        "hours": _("The expert offers at least half of the hours a week that the gig would like."),
        "zone": _("As many hours of the client’s working day as asked are working hours for the expert."),
        "conflict": _("The expert does not act for the client."),
        "data_use": _("The work is for nothing that the expert refuses."),
        "places": _("A place is left."),
        "funds": _("There is money for another person: nobody is asked to work unfunded."),
    }
    return [About(names.label(code, {"title": _("Credentials")}), asks) for code, asks in said.items()]


def merits() -> list[About]:
    """What makes the score."""
    weights = rules.current().weights
    near = {each: f"{percent} %" for each, percent in NEARNESS_PERCENT.items()}
    unknown = f"{UNKNOWN_PERCENT} %"
    said = {
        "domain": _(
            "All points for the very domain or a part of it; for what only shares the occupation "
            "%(occupation)s, the family %(family)s, the group %(group)s.",
            occupation=near[Nearness.OCCUPATION],
            family=near[Nearness.FAMILY],
            group=near[Nearness.GROUP],
        ),
        "rate": _("All points up to the bottom of the band, none at its top. Asking for less gains nothing."),
        "skills": _("In proportion to how many of the skills that the gig names are named."),
        "availability": _("In proportion to the hours a week that the gig would like."),
        "record": _(
            "Of the weeks and tests decided, those approved as submitted, or passed. What is not known yet "
            "counts %(unknown)s.",
            unknown=unknown,
        ),
        "response": _(
            "All points within %(prompt)s hours, none from %(slow)s hours on. Not known yet: %(unknown)s.",
            prompt=PROMPT_HOURS,
            slow=SLOW_HOURS,
            unknown=unknown,
        ),
    }
    return [About(names.weight(each), asks, getattr(weights, each)) for each, asks in said.items()]
