"""The reasons that a decision against a person may rest on: each a code, and a sentence for the person."""

from __future__ import annotations

from datetime import timedelta

from marketplace.errors import Invalid
from marketplace.i18n import gettext as _

RULE_VERSION = "2026-11"
DECIDE_WITHIN = timedelta(days=14)
APPEAL_WITHIN = timedelta(days=14)
# Papers have to be asked for at boards and universities, which takes weeks.
# A questioned line is answered on a page of its own, and this is how long.
APPEAL_WITHIN_FOR = {"credential": timedelta(days=30), "time_dispute": timedelta(days=7)}


def reasons() -> dict[str, dict[str, str]]:
    """For each kind of subject, the codes that may be used and their sentences, in the reader's language."""
    return {
        "credential": _for_credentials(),
        "application": _for_applications(),
        "contract": _for_contracts(),
        "timesheet": _for_timesheets(),
        "sign_in": _for_sign_ins(),
        "gig": _for_gigs(),
        "sitting": _for_sittings(),
        "time_dispute": _for_lines(),
        "ruling": _for_rulings(),
    }


def sentence(subject_kind: str, code: str) -> str:
    """What the code means, in the reader's language. Raises Invalid for a code that has no place here."""
    try:
        return reasons()[subject_kind][code]
    except KeyError:
        raise Invalid(_("Choose one of the reasons in the list."), field="reason_code") from None


def choices(subject_kind: str) -> list[tuple[str, str]]:
    """(code, sentence) pairs to choose from in a form. None is chosen beforehand: a reason is meant."""
    return [("", _("Choose a reason")), *reasons()[subject_kind].items()]


def appeal_within(subject_kind: str) -> timedelta:
    """How long the person may appeal."""
    return APPEAL_WITHIN_FOR.get(subject_kind, APPEAL_WITHIN)


def _for_credentials() -> dict[str, str]:
    return {
        "not_on_register": _("The register of the issuer does not show this number."),
        "name_differs": _("The name on the register is not the name that was given."),
        "not_in_force": _("The register says that it is not in force."),
        "lapsed": _("It has passed its date of expiry."),
        "conditions": _("The issuer has put conditions on it that do not allow this work."),
        "document_unreadable": _("The document cannot be read."),
        "document_differs": _("The document does not agree with what the issuer says."),
        "issuer_silent": _("The issuer did not answer, so it could not be confirmed."),
    }


def _for_applications() -> dict[str, str]:
    return {
        "places_filled": _("All places are filled."),
        "requirement_missing": _("A credential that the gig requires is missing or not in force."),
        "rate_too_high": _("The rate is above what the gig can pay."),
        "experience_differs": _("Other applicants have experience closer to this work."),
        "hours_differ": _("The hours offered do not fit the hours needed."),
        "gig_closed": _("The gig was closed."),
    }


def _for_contracts() -> dict[str, str]:
    return {
        "work_finished": _("The work is finished."),
        "budget_ended": _("There is no money for more work."),
        "gig_changed": _("The gig changed, and needs other experience now."),
        "quality": _("The work does not meet what was agreed."),
        "unreachable": _("There was no work and no answer for some time."),
    }


def _for_sign_ins() -> dict[str, str]:
    return {
        "stolen": _("It looks as if somebody else is using your sign-in."),
        "asked_for": _("Somebody who speaks for you said that it may be in a stranger's hands."),
        "shared": _("More than one person is using your sign-in, and it is for you alone."),
        "misused": _("It was used to harm the site or the people on it."),
    }


def _for_gigs() -> dict[str, str]:
    return {
        "unlawful": _("What it asks for is against the law."),
        "misleading_rate": _("The rate or the hours are not what it says."),
        "asks_for_personal_data": _("It asks for personal data, or to be reached outside the site."),
        "unsafe": _("It can harm those who do the work, or others."),
        "duplicate": _("It is the same as another gig that is open."),
        "not_work": _("It is not work that experts could do here."),
    }


def _for_sittings() -> dict[str, str]:
    return {"points_missing": _("The answers did not reach the points that are needed to pass.")}


def _for_lines() -> dict[str, str]:
    return {
        "time_too_long": _("More time is entered than this work usually takes."),
        "work_not_found": _("The work for this time cannot be found."),
        "not_agreed": _("The time is for work that the contract does not include."),
        "below_guidelines": _("The work does not follow the guidelines that were read for it."),
        "entered_twice": _("The same work seems to be entered twice."),
    }


def _for_rulings() -> dict[str, str]:
    return {
        "partly_shown": _("What can be seen shows part of the time."),
        "not_shown": _("Nothing that can be seen shows that the work was done."),
        "outside_contract": _("The work lies outside what was agreed."),
        "guidelines_clear": _("The guidelines were clear, and the work does not follow them."),
    }


def _for_timesheets() -> dict[str, str]:
    return {
        "entry_wrong": _("An entry does not show the right day, time or kind of work."),
        "note_missing": _("It is not clear what was done in one of the entries."),
        "not_agreed": _("Time is entered for work that the contract does not include."),
        "work_missing": _("The work for some of this time cannot be found."),
    }
