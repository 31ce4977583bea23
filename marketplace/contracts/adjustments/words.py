"""Adjustments in words: what they are, why they were made, and where they stand."""

from __future__ import annotations

from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.i18n import gettext as _


def reasons(kind: Kind, *, less: bool = False) -> dict[str, str]:
    """The reasons that can be chosen, by code."""
    if kind is Kind.BONUS:
        return {
            "outstanding": _("Outstanding work"),
            "milestone": _("A milestone was reached"),
            "short_notice": _("Work at short notice or at odd hours"),
            "thanks": _("Thanks for long service"),
            "other_bonus": _("Something else, said below"),
        }
    if less:
        return {
            "counted_twice": _("Time was counted twice"),
            "entered_wrongly": _("Time was entered wrongly"),
            "rate_too_high": _("The rate was too high"),
            "other_less": _("Something else, said below"),
        }
    return {
        "left_out": _("Time was left out"),
        "rate_too_low": _("The rate was too low"),
        "expense": _("A cost that was agreed"),
        "other_more": _("Something else, said below"),
    }


def reason(adjustment: Adjustment) -> str:
    """Why it was made."""
    return reasons(adjustment.kind, less=adjustment.is_less)[adjustment.reason_code]


def title(adjustment: Adjustment) -> str:
    """What it is."""
    if adjustment.kind is Kind.BONUS:
        return _("Bonus")
    return _("Correction, less pay") if adjustment.is_less else _("Correction, more pay")
