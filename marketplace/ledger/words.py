"""What happened, of which an entry is the record, in the reader's words."""

from __future__ import annotations

from marketplace.i18n import gettext as _


def event_name(event: str) -> str:
    """The event of an entry, such as `arrived 2`, in words. Ids are left out; a count is kept."""
    verb, _space, rest = event.partition(" ")
    said = _known().get(verb, verb.replace("_", " ").capitalize())
    return f"{said} ({rest})" if rest.isdecimal() else said


def _known() -> dict[str, str]:
    return {
        "adjusted": _("A bonus or a correction of pay"),
        "approved": _("Approved"),
        "arrived": _("Arrived at our bank"),
        "booked": _("Booked by hand"),
        "called_off": _("Not sent, and free again"),
        "converted": _("Changed into another currency by Stripe"),
        "created": _("On its way from Stripe to the expert's bank"),
        "exchanged": _("Given back at another rate"),
        "failed": _("Came back from the bank"),
        "failed_after_paid": _("Failed after it had been paid"),
        "lost": _("Lost to the client’s bank"),
        "given_back": _("Given back to the expert, as nothing was sent"),
        "opened": _("Opening balance"),
        "owed": _("To be paid back by hand"),
        "paid": _("Paid by the client"),
        "paid_out": _("Paid back by hand"),
        "raised": _("Reserved for a higher rate"),
        "refused": _("Refused by Stripe, and owed again"),
        "regained": _("Lost, and given back after all"),
        "reinstated": _("Given back by the client’s bank"),
        "released": _("Released to be sent"),
        "remitted": _("Paid to the tax office"),
        "reserved": _("Reserved for a week's work"),
        "revalued": _("Revalued at the rates of the month’s end"),
        "revalued_back": _("Taken back on day one, as every revaluation is"),
        "returned": _("Not used, and returned to the project"),
        "refused_debit": _("Refused by the client’s bank"),
        "reversed": _("Taken back out of the expert’s Stripe account, and owed again"),
        "sent": _("Sent by Stripe"),
        "settled": _("Paid what was owed"),
        "set_aside": _("Set aside while it is contested"),
        "set_free": _("Free again"),
        "under_way": _("On its way from the client’s bank"),
        "undone": _("Taken back"),
        "withdrawn": _("Taken back by the client’s bank"),
        "written_off": _("Written off"),
        "withheld": _("Withheld for the tax office"),
    }
