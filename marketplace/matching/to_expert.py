"""A match in words for the expert: what was found, and what they could change."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.matching import domains, names
from marketplace.matching.names import Facts


def standing(passes: bool, facts: Facts) -> str:
    return _("You are in good standing.") if passes else _("Your work here is suspended.")


def domain(passes: bool, facts: Facts) -> str:
    need = domains.title(facts["domain"])
    if passes:
        return _("The domain of this gig, %(domain)s, is yours or near to yours.", domain=need)
    return _("The domain of this gig, %(domain)s, is not near any in your profile.", domain=need)


def rate(passes: bool, facts: Facts) -> str:
    if facts["asks_currency"] != facts["currency"]:
        yours, theirs = facts["asks_currency"], facts["currency"]
        return _("You ask to be paid in %(yours)s; this gig pays in %(theirs)s.", yours=yours, theirs=theirs)
    asks, top = names.amount(facts, "asks"), names.amount(facts, "to")
    return _("You ask for at least %(asks)s; this gig pays up to %(top)s.", asks=asks, top=top)


def credential(passes: bool, facts: Facts) -> str:
    return {
        "": _("Yours is verified, and in order on %(day)s."),
        "pending": _("Yours is waiting for a reviewer."),
        "stale": _("By %(day)s your last check will be older than this gig allows."),
        "level": _("Yours is verified, but less deeply than this gig asks."),
        "later": _("Yours does not count yet on %(day)s."),
        "expired": _("Yours has ended, or ends before %(day)s."),
        "place": _("Yours is from another place than this gig asks for."),
        "missing": _("It is not among your credentials."),
    }[facts["lack"]] % {"day": names.start(facts)}


def languages(passes: bool, facts: Facts) -> str:
    if not facts["languages"]:
        return _("The work can be done in any language.")
    if passes:
        return _("The work is in %(languages)s.", languages=names.languages(facts["languages"]))
    missing = names.languages(facts["missing"])
    return _("The work needs %(languages)s, which your profile does not name.", languages=missing)


def country(passes: bool, facts: Facts) -> str:
    if passes:
        return _("Open to experts in %(country)s.", country=names.country(facts["country"]))
    allowed = names.listed(names.country(code) for code in facts["countries"])
    return _("Only open to experts in %(countries)s.", countries=allowed)


def hours(passes: bool, facts: Facts) -> str:
    return _(
        "You offer %(offered)s hours a week; this gig needs at least %(least)s.",
        offered=facts["offered"],
        least=facts["least"],
    )


def zone(passes: bool, facts: Facts) -> str:
    if facts["any"]:
        return _("You can work at any time of day.")
    return ngettext(
        "You share %(n)s working hour a day with the client; %(least)s are needed.",
        "You share %(n)s working hours a day with the client; %(least)s are needed.",
        facts["shared"],
        least=facts["least"],
    )


def conflict(passes: bool, facts: Facts) -> str:
    if passes:
        return _("No conflict of interest is known.")
    return _("You act for this client, so you cannot work for it here.")


def data_use(passes: bool, facts: Facts) -> str:
    if not passes and facts["uses"] is None:
        return _("You refuse some uses of your work, and the client has not said yet what it is for.")
    if not passes:
        return _("It is for something that you refuse: %(uses)s.", uses=names.uses(facts["clash"]))
    if facts["uses"]:
        return _("It is for %(uses)s, which you do not refuse.", uses=names.uses(facts["uses"]))
    return _("It is for nothing that you refuse.")


def places(passes: bool, facts: Facts) -> str:
    if not passes:
        return _("All places are taken.")
    return ngettext("%(n)s place is left.", "%(n)s places are left.", facts["left"])


def funds(passes: bool, facts: Facts) -> str:
    return _("The hours are funded.") if passes else _("The client has not funded more hours yet.")


def domain_depth(passes: bool, facts: Facts) -> str:
    need, known = domains.title(facts["domain"]), domains.title(facts.get("known") or "")
    if facts["nearness"] == "same" and known not in ("", need):
        return _("%(known)s, which you know, is part of %(domain)s.", known=known, domain=need)
    if facts.get("whole"):
        return _("You know %(known)s as a whole; %(domain)s is a part of it.", known=known, domain=need)
    return {
        "same": _("%(domain)s is one of your domains."),
        "occupation": _("You know another speciality of the same occupation as %(domain)s: %(known)s."),
        "family": _("You know an occupation of the same family as %(domain)s: %(known)s."),
        "group": _("You know something in the wider field of %(domain)s: %(known)s."),
        "elsewhere": _("Your domains are far from %(domain)s."),
    }[facts["nearness"]] % {"domain": need, "known": known}


def rate_fit(passes: bool, facts: Facts) -> str:
    if facts["asks_currency"] != facts["currency"]:
        return _("The currencies differ.")
    low, top = names.amount(facts, "from"), names.amount(facts, "to")
    if passes:
        return _("The whole band, %(low)s to %(top)s, is fine for you.", low=low, top=top)
    asks = names.amount(facts, "asks")
    return _("Your minimum of %(asks)s is above the bottom of the band, %(low)s.", asks=asks, low=low)


def availability(passes: bool, facts: Facts) -> str:
    offered, liked = facts["offered"], facts["liked"]
    if passes:
        return _("You have the %(liked)s hours a week that it would like.", liked=liked)
    return _("It would like %(liked)s hours a week; you offer %(offered)s.", liked=liked, offered=offered)


def skills(passes: bool, facts: Facts) -> str:
    if not facts["asked"]:
        return _("It names no skills in particular.")
    if passes:
        return _("You name all of its skills: %(skills)s.", skills=names.listed(facts["asked"]))
    return _("You do not name %(skills)s.", skills=names.listed(facts["missing"]))


def record(passes: bool, facts: Facts) -> str:
    if facts["record"] is None:
        return _("None of your weeks or tests was decided yet, which counts half.")
    return _(
        "Of your weeks and tests decided, %(n)s %% were approved as you submitted them, or passed.",
        n=facts["record"],
    )


def response(passes: bool, facts: Facts) -> str:
    if facts["hours"] is None:
        return _("You were not asked anything yet, which counts half.")
    return _(
        "You answer invitations and offers within %(time)s, as a rule.", time=names.waiting(facts["hours"])
    )


DETAILS = {
    each.__name__: each
    for each in (
        standing, domain, rate, credential, languages, country, hours, zone, conflict, data_use, places,
        funds, domain_depth, rate_fit, skills, availability, record, response,
    )
}  # fmt: skip


# Nobody who fits is told to work for less: how a rate lies in the band is said, and left at that.
WITHOUT_ADVICE = frozenset({"rate_fit"})


# The input of the profile that decides.
FIELDS = {
    "domain": "domains",
    "domain_depth": "domains",
    "rate": "min_rate",
    "languages": "languages",
    "hours": "hours_per_week",
    "availability": "hours_per_week",
    "data_use": "refusals",
    "skills": "skills",
}


def advice(code: str, facts: Facts) -> tuple[str, str]:
    """What the expert could do about the criterion, and where: in the `profile`, the `credentials` or at
    `work`."""
    if code == "credential":
        return _about_credentials(facts), "credentials"
    if code == "record":
        return _(
            "It grows with every week that is approved as you submitted it, and every test passed."
        ), "work"
    if code == "response":
        return _("Answer invitations and offers within a day."), "work"
    return _about_profile(code, facts), "profile"


def _about_profile(code: str, facts: Facts) -> str:
    if code in ("domain", "domain_depth"):
        known = domains.title(facts["domain"])
        return _("If you know it well, add %(domain)s to your profile.", domain=known)
    if code == "rate":
        return _(
            "It would fit if your least were %(rate)s an hour. Whether that is enough is for you to say.",
            rate=names.amount(facts, "rate"),
        )
    if code in ("hours", "availability"):
        return _("Offer %(hours)s hours a week.", hours=facts["hours"])
    if code == "data_use":
        return _("Take that refusal back, if you see it otherwise now.")
    if code == "skills":
        return _("If you have them, add to your profile: %(skills)s.", skills=names.listed(facts["missing"]))
    missing = names.languages(facts["missing"])
    return _("If you work in %(languages)s, add it to your profile.", languages=missing)


def site_advice(code: str) -> tuple[str, str]:
    """What the site will do, or what the expert can ask of it."""
    if code == "credential":
        return _("There is nothing to do: a reviewer will look at it."), "credentials"
    if code == "conflict":
        return _("It ends with your role at this client."), "reasons"
    return _("Read the reason, and appeal if it is wrong."), "reasons"


def _about_credentials(facts: Facts) -> str:
    return {
        "stale": _("Ask for a fresh check of %(title)s."),
        "level": _("Ask for a deeper check of %(title)s."),
        "expired": _("Renew %(title)s."),
    }.get(facts["lack"], _("Add this and have it verified: %(title)s.")) % {"title": facts["title"]}
