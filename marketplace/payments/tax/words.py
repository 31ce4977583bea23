"""The words of tax, for the people whose money it is."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.payments.tax.states import Classification, FormKind, Report, Why


def form_name(kind: FormKind) -> str:
    """What a form is called."""
    return {FormKind.W9: "W-9", FormKind.W8BEN: "W-8BEN"}[kind]


def classification(value: Classification) -> str:
    """Who signs a W-9."""
    return {
        Classification.INDIVIDUAL: _("A person, a sole proprietor, or the owner of a single-member LLC"),
        Classification.C_CORPORATION: _("C corporation"),
        Classification.S_CORPORATION: _("S corporation"),
        Classification.PARTNERSHIP: _("Partnership"),
        Classification.TRUST: _("Trust or estate"),
        Classification.LLC_C: _("LLC taxed as a C corporation"),
        Classification.LLC_S: _("LLC taxed as an S corporation"),
        Classification.LLC_P: _("LLC taxed as a partnership"),
    }[value]


def report_word(value: Report) -> str:
    """The form on which payments are reported, or why on none."""
    return {
        Report.NEC: "1099-NEC",
        Report.K: "1099-K",
        Report.EXTERNAL: _("by somebody else"),
        Report.CORPORATION: _("none: a corporation"),
        Report.FOREIGN: _("no 1099: a foreign person"),
        Report.UNKNOWN: _("not known: no form"),
    }[value]


def us_form(value: str) -> str:
    """The operator's setting, in words."""
    return {"nec": "1099-NEC", "k": "1099-K", "external": _("somebody else reports")}[value]


def detail(key: str) -> str:
    """A line of a form that is kept encrypted."""
    return {
        "street": _("Street"),
        "city": _("City"),
        "mailing": _("Address for letters"),
        "born_on": _("Date of birth"),
        "citizenship": _("Citizenship"),
        "no_number": _("Why there is no number"),
        "us_number": _("US number"),
        "treaty_article": _("Treaty article"),
        "treaty_rate": _("Treaty rate, in per cent"),
        "treaty_income": _("Kind of income"),
        "treaty_why": _("Why the conditions are met"),
    }[key]


def why(value: Why) -> str:
    """Why tax was withheld, for the expert whose pay it is."""
    return {
        Why.BACKUP: _(
            "Backup withholding, 24 %, which the US tax office asks for while your number is not settled"
        ),
        Why.NRA: _("US tax on what you worked in the US"),
    }[value]


def why_short(value: Why) -> str:
    """The same in a few words, for finance."""
    return {Why.BACKUP: _("Backup withholding (24 %)"), Why.NRA: _("Foreign persons’ work in the US")}[value]


def not_advice() -> str:
    """Said on every page about tax."""
    return _("This is not tax advice; ask your adviser.")
