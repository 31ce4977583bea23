"""A match in words for the client: what was found, and what they could change.

An expert's minimum rate is told only where it keeps the two apart, else only how it lies to the band.
"""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.matching import domains, names
from marketplace.matching.names import Facts


def standing(passes: bool, facts: Facts) -> str:
    return _("In good standing.") if passes else _("Cannot take new work at the moment.")


def domain(passes: bool, facts: Facts) -> str:
    need = domains.title(facts["domain"])
    if passes:
        return _("Knows %(domain)s or a domain near it.", domain=need)
    return _("Names no domain near %(domain)s.", domain=need)


def rate(passes: bool, facts: Facts) -> str:
    if facts["asks_currency"] != facts["currency"]:
        return _("Asks to be paid in %(currency)s.", currency=facts["asks_currency"])
    top = names.amount(facts, "to")
    if passes:
        return _("Works for %(top)s an hour or less, as you offer.", top=top)
    return _("Asks for more than the %(top)s an hour that you pay at most.", top=top)


def credential(passes: bool, facts: Facts) -> str:
    return {
        "": _("Verified, and in order on %(day)s."),
        "pending": _("Claimed; a reviewer has still to look."),
        "stale": _("The last check will be older than you allow by %(day)s."),
        "level": _("Verified, but less deeply than you ask."),
        "later": _("Does not count yet on %(day)s."),
        "expired": _("Expired by %(day)s."),
        "place": _("Holds one from another place."),
        "missing": _("Not claimed."),
    }[facts["lack"]] % {"day": names.start(facts)}


def languages(passes: bool, facts: Facts) -> str:
    if not facts["languages"]:
        return _("You ask for no language in particular.")
    if passes:
        return _("Works in %(languages)s.", languages=names.languages(facts["languages"]))
    return _("Does not name %(languages)s.", languages=names.languages(facts["missing"]))


def country(passes: bool, facts: Facts) -> str:
    return _("Lives in %(country)s.", country=names.country(facts["country"]))


def hours(passes: bool, facts: Facts) -> str:
    return _(
        "Offers %(offered)s hours a week; at least %(least)s are needed.",
        offered=facts["offered"],
        least=facts["least"],
    )


def zone(passes: bool, facts: Facts) -> str:
    if facts["any"]:
        return _("You let the work be done at any time of day.")
    return ngettext(
        "Shares %(n)s working hour a day with you; you ask for %(least)s.",
        "Shares %(n)s working hours a day with you; you ask for %(least)s.",
        facts["shared"],
        least=facts["least"],
    )


def conflict(passes: bool, facts: Facts) -> str:
    if passes:
        return _("No conflict of interest is known.")
    return _("Acts for you, and so cannot work for you here.")


def data_use(passes: bool, facts: Facts) -> str:
    if passes:
        return _("Refuses nothing that the work is for.")
    if facts["uses"] is None:
        return _("Refuses some uses, and the gig does not say yet what the work is for.")
    return _("Refuses something that the work is for: %(uses)s.", uses=names.uses(facts["clash"]))


def places(passes: bool, facts: Facts) -> str:
    if not passes:
        return _("All places are taken.")
    return ngettext("%(n)s place is left.", "%(n)s places are left.", facts["left"])


def funds(passes: bool, facts: Facts) -> str:
    return _("The hours are funded.") if passes else _("There is no money left to reserve for more hours.")


def domain_depth(passes: bool, facts: Facts) -> str:
    need, known = domains.title(facts["domain"]), domains.title(facts.get("known") or "")
    if facts["nearness"] == "same" and known not in ("", need):
        return _("Knows %(known)s, which is part of %(domain)s.", known=known, domain=need)
    if facts.get("whole"):
        return _("Knows %(known)s as a whole; %(domain)s is a part of it.", known=known, domain=need)
    return {
        "same": _("Names %(domain)s."),
        "occupation": _("Knows another speciality of the same occupation as %(domain)s: %(known)s."),
        "family": _("Knows an occupation of the same family as %(domain)s: %(known)s."),
        "group": _("Knows something in the wider field of %(domain)s: %(known)s."),
        "elsewhere": _("Names nothing near %(domain)s."),
    }[facts["nearness"]] % {"domain": need, "known": known}


def rate_fit(passes: bool, facts: Facts) -> str:
    if facts["asks_currency"] != facts["currency"]:
        return _("The currencies differ.")
    return (
        _("Fine with the whole of your band.") if passes else _("Fine with the upper part of your band only.")
    )


def availability(passes: bool, facts: Facts) -> str:
    offered, liked = facts["offered"], facts["liked"]
    if passes:
        return _("Has the %(liked)s hours a week that you would like.", liked=liked)
    return _(
        "Offers %(offered)s of the %(liked)s hours a week that you would like.", liked=liked, offered=offered
    )


def skills(passes: bool, facts: Facts) -> str:
    if not facts["asked"]:
        return _("You name no skills in particular.")
    if passes:
        return _("Names all of your skills: %(skills)s.", skills=names.listed(facts["asked"]))
    return _("Does not name %(skills)s.", skills=names.listed(facts["missing"]))


def record(passes: bool, facts: Facts) -> str:
    if facts["record"] is None:
        return _("No week and no test was decided here yet, which counts half.")
    return _(
        "Of the weeks and tests decided, %(n)s %% were approved as submitted, or passed.", n=facts["record"]
    )


def response(passes: bool, facts: Facts) -> str:
    if facts["hours"] is None:
        return _("Was not asked anything here yet, which counts half.")
    return _("Answers invitations and offers within %(time)s, as a rule.", time=names.waiting(facts["hours"]))


DETAILS = {
    each.__name__: each
    for each in (
        standing, domain, rate, credential, languages, country, hours, zone, conflict, data_use, places,
        funds, domain_depth, rate_fit, skills, availability, record, response,
    )
}  # fmt: skip


# The input of the gig that decides.
FIELDS = {
    "rate": "rate_max",
    "rate_fit": "rate_min",
    "languages": "languages",
    "country": "countries",
    "hours": "hours_per_week",
    "availability": "hours_per_week",
    "zone": "shared_hours",
    "data_use": "uses",
    "places": "headcount",
    "skills": "skills",
}


def advice(code: str, facts: Facts) -> tuple[str, str]:
    """What the client could do about the criterion, and where: in the `gig` or in its `funds`."""
    if code == "funds":
        return _("Fund the project."), "funds"
    if code == "data_use":
        return _about_uses(facts), "gig"
    return _about_gig(code, facts), "gig"


def _about_uses(facts: Facts) -> str:
    if facts["uses"] is None:
        return _("Say what the work is for.")
    return _("Do without it: %(uses)s.", uses=names.uses(facts["clash"]))


def _about_gig(code: str, facts: Facts) -> str:
    if code == "rate":
        return _("Pay up to %(rate)s an hour.", rate=names.amount(facts, "rate"))
    if code in ("hours", "availability"):
        return _("Ask for %(hours)s hours a week.", hours=facts["hours"])
    if code == "languages":
        return _("Do without %(languages)s.", languages=names.languages(facts["missing"]))
    if code == "country":
        return _("Open the gig to %(country)s.", country=names.country(facts["country"]))
    if code == "zone":
        return _("Ask for %(hours)s working hours in common.", hours=facts["hours"])
    return {
        "rate_fit": _("Let your band begin higher."),
        "places": _("Add a place."),
        "skills": _("Ask for fewer skills."),
    }[code]
