"""The links at the top of each page, by what a person may do, and what base.html needs besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, request, url_for

from marketplace.actor import CLIENT, FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.messages.reading import unread_count as unread_threads
from marketplace.notifications.notices import unread_count
from marketplace.web import actor, db_session
from marketplace.web.access import signed_in

EXPERT, ADMIN = frozenset({Role.EXPERT}), frozenset({Role.CLIENT_ADMIN})
REVIEWER, OPERATOR = frozenset({Role.REVIEWER}), frozenset({Role.OPERATOR})
LINKS = (
    (EXPERT, "gigs.browse", lazy("Gigs"), "compass"),
    (EXPERT, "contracts.work", lazy("Work"), "timer"),
    (EXPERT, "payments.money", lazy("Money"), "wallet"),
    (EXPERT, "credentials.index", lazy("Credentials"), "badge-check"),
    (CLIENT, "gigs.projects", lazy("Projects"), "folder"),
    (CLIENT, "gigs.tests", lazy("Tests"), "clipboard-list"),
    (CLIENT, "contracts.waiting", lazy("Timesheets"), "clipboard-check"),
    (CLIENT, "contracts.index", lazy("Contracts"), "handshake"),
    (EXPERT | CLIENT | OPERATOR, "messages.index", lazy("Messages"), "mail"),
    (ADMIN, "accounts.my_team", lazy("Team"), "users"),
    (FINANCE, "home.finance", lazy("Finance"), "landmark"),
    (FINANCE, "payments.batches", lazy("Payouts"), "send"),
    (FINANCE, "reconciliation.index", lazy("Reconciliation"), "scale"),
    (FINANCE, "ledger.trial_balance", lazy("Ledger"), "book-open"),
    (REVIEWER, "credentials.queue", lazy("Reviews"), "clipboard-list"),
    (OPERATOR, "accounts.people", lazy("People"), "users"),
    (OPERATOR, "accounts.organizations", lazy("Companies"), "building-2"),
    (OPERATOR, "gigs.moderation", lazy("Gigs"), "flag"),
    (OPERATOR, "gigs.domains", lazy("Matching"), "tag"),
    (OPERATOR, "reasons.queue", lazy("Appeals"), "gavel"),
)
PERSON_LINKS = (
    ("notifications.index", lazy("Notices"), "bell"),
    ("reasons.index", lazy("Decisions about you"), "scroll-text"),
    ("accounts.security", lazy("Security"), "shield"),
)
# How many are new behind a link.
COUNTED: Mapping[str, Callable[[], int]] = {
    "notifications.index": lambda: unread_count(db_session(), actor().id),
    "messages.index": lambda: unread_threads(db_session(), actor()),
}
# Where a page stands under another's link, or under one of several: the first that the reader has. By the
# page, or by the slice for all of its other pages; else it is the reader's first link of the same slice.
OF_THE_GIG = ("gigs.browse", "gigs.projects", "ledger.trial_balance", "accounts.organizations")
OF_THE_WORK = ("contracts.work", "contracts.index", "ledger.trial_balance", "accounts.organizations")
OF_THE_PROJECT = ("gigs.projects", "ledger.trial_balance", "accounts.organizations")
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "accounts": ("accounts.security",),
    "accounts.legal": ("accounts.my_team",),
    "accounts.person": ("accounts.people",),
    "accounts.team": ("accounts.my_team", "accounts.organizations"),
    "contracts": OF_THE_WORK,
    "contracts.approval": ("contracts.waiting", *OF_THE_WORK),
    "contracts.approval_rule": ("accounts.my_team",),
    "contracts.approve_lines": ("contracts.waiting",),
    "contracts.billing": ("accounts.my_team",),
    "contracts.away": ("contracts.waiting",),
    "contracts.confirm_submission": ("contracts.work",),
    "contracts.dispute": ("contracts.waiting", *OF_THE_WORK),
    "contracts.disputes": ("contracts.waiting", *OF_THE_WORK),
    "contracts.costs": ("gigs.projects",),
    "contracts.fees": ("ledger.trial_balance",),
    "contracts.funds": OF_THE_PROJECT,
    "contracts.choose_graders": ("gigs.tests",),
    "contracts.grade": ("contracts.work", "gigs.tests"),
    "contracts.grading_queue": ("contracts.work", "gigs.tests"),
    "contracts.made": OF_THE_PROJECT,
    "contracts.new_fee": ("ledger.trial_balance",),
    "contracts.new_offer": OF_THE_PROJECT,
    "contracts.offer": ("contracts.work", *OF_THE_PROJECT),
    "contracts.new_rate": ("contracts.index",),
    "contracts.new_tax_rate": ("ledger.trial_balance",),
    "contracts.rate": OF_THE_WORK,
    "contracts.results": ("gigs.tests",),
    "contracts.sitting": ("contracts.work", "gigs.tests", "accounts.organizations"),
    "contracts.tax_profile": ("ledger.trial_balance",),
    "contracts.tax_rates": ("ledger.trial_balance",),
    "contracts.timesheet": ("contracts.waiting", *OF_THE_WORK),
    "contracts.timesheets": ("contracts.waiting", *OF_THE_WORK),
    "contracts.usage": ("contracts.waiting", "accounts.organizations"),
    "contracts.usage_import": ("contracts.waiting", "accounts.organizations"),
    "contracts.vat": ("ledger.trial_balance",),
    "credentials.expiring": ("credentials.queue", "accounts.people"),
    "credentials.lapse": ("credentials.queue",),
    "credentials.review": ("credentials.queue",),
    "credentials.show": ("credentials.index", "credentials.queue", "accounts.people"),
    "gigs": ("gigs.projects",),
    "gigs.edit_test": ("gigs.tests",),
    "gigs.new_test": ("gigs.tests",),
    "gigs.test": ("gigs.tests", "accounts.organizations"),
    "gigs.domain": ("gigs.domains",),
    "gigs.moderate": ("gigs.moderation",),
    "gigs.own_applications": ("gigs.browse",),
    "gigs.profile": ("gigs.browse",),
    "gigs.show": OF_THE_GIG,
    "gigs.skills": ("gigs.domains",),
    "gigs.weights": ("gigs.domains",),
    "home.forecast_day": ("home.finance",),
    "home.owed": ("home.finance",),
    "home.sending": ("home.finance",),
    "messages.thread": ("messages.index", "accounts.organizations"),
    "payments.came_back": OF_THE_PROJECT,
    "payments.credit_line": ("payments.batches", "accounts.organizations"),
    "payments.credit_lines": ("payments.batches", "accounts.organizations"),
    "payments.end_project": OF_THE_PROJECT,
    "payments.fund": OF_THE_PROJECT,
    "payments.invoices": OF_THE_PROJECT,
    "payments.lot": OF_THE_PROJECT,
    "reconciliation.exchange_rates": ("ledger.trial_balance",),
    "reconciliation.new_exchange_rate": ("ledger.trial_balance",),
    "reconciliation.revaluation": ("ledger.trial_balance",),
    "reconciliation.revaluations": ("ledger.trial_balance",),
    "reasons.appeal": ("reasons.queue",),
    "reasons.decision": ("reasons.index",),
}


@dataclass(frozen=True)
class Link:
    """A link as base.html shows it."""

    label: str
    url: str
    current: bool
    icon: str


def install(app: Flask) -> None:
    """Give every page its navigation."""
    app.context_processor(_context)


def _context() -> dict[str, object]:
    if not signed_in():
        return {"home_url": url_for("home.index"), "sign_in_url": url_for("accounts.sign_in")}
    who = actor()
    mine = [rest for roles, *rest in LINKS if who.has(*roles)]
    here = _section([endpoint for endpoint, *_rest in [*mine, *PERSON_LINKS]])
    return {
        "home_url": url_for("home.index"),
        "at_home": request.endpoint == "home.index",
        "nav": [_link(endpoint, _counted(endpoint, label), icon, here) for endpoint, label, icon in mine],
        "person": who,
        "person_role": _role(),
        "person_links": [
            _link(endpoint, _counted(endpoint, label), icon, here) for endpoint, label, icon in PERSON_LINKS
        ],
        "sign_out_url": url_for("accounts.sign_out"),
    }


def _section(mine: list[str]) -> str | None:
    """Which of the reader's links the page stands under."""
    endpoint = request.endpoint or ""
    slice_ = endpoint.partition(".")[0]
    named = SECTIONS.get(endpoint, SECTIONS.get(slice_, ()))
    nearest = [each for each in mine if each.startswith(f"{slice_}.")]
    return next((each for each in (endpoint, *named, *nearest) if each in mine), None)


def _link(endpoint: str, label: str, icon: str, here: str | None) -> Link:
    return Link(str(label), url_for(endpoint), endpoint == here, icon)


def _counted(endpoint: str, label: str) -> str:
    count = COUNTED.get(endpoint)
    unread = count() if count else 0
    return _("%(label)s (%(n)s new)", label=label, n=unread) if unread else str(label)


def _role() -> str:
    names = {
        Role.EXPERT: _("Expert"),
        Role.CLIENT_ADMIN: _("Client, admin"),
        Role.CLIENT_APPROVER: _("Client, approver"),
        Role.FINANCE_PREPARER: _("Finance, prepares"),
        Role.FINANCE_RELEASER: _("Finance, releases"),
        Role.REVIEWER: _("Reviewer"),
        Role.OPERATOR: _("Operator"),
    }
    return ", ".join(
        dict.fromkeys(names[grant.role] for grant in sorted(actor().grants, key=lambda g: g.role))
    )
