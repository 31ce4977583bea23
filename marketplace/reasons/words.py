"""What a decision is called on a page."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision, Statement


def title(statement: Statement) -> str:
    """Such as “Credential rejected”, in the reader's language."""
    return _(
        "%(subject)s %(decision)s",
        subject=_subjects()[statement.subject_kind],
        decision=_decisions()[statement.decision],
    )


def _subjects() -> dict[str, str]:
    return {
        "credential": _("Credential"),
        "application": _("Application"),
        "timesheet": _("Timesheet"),
        "contract": _("Contract"),
        "sign_in": _("Sign-in"),
        "gig": _("Gig"),
        "sitting": _("Test"),
        "time_dispute": _("Line of a timesheet"),
        "ruling": _("Part of a questioned line"),
    }


def _decisions() -> dict[Decision, str]:
    return {
        Decision.REJECTED: _("rejected"),
        Decision.DECLINED: _("declined"),
        Decision.RETURNED: _("returned"),
        Decision.WITHHELD: _("withheld"),
        Decision.SUSPENDED: _("suspended"),
        Decision.REVOKED: _("revoked"),
        Decision.ENDED: _("ended"),
        Decision.REMOVED: _("taken down"),
        Decision.NOT_PASSED: _("not passed"),
    }
