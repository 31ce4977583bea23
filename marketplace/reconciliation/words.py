"""Why things match, in the reader's words."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.reconciliation.models import StatementMatch

PASSES = 7


def reason(code: str) -> str:
    """One reason of a match."""
    return {
        "balance_transaction": _("Both name the same balance transaction."),
        "source": _("Both name the same object at Stripe."),
        "amount": _("The amounts are equal."),
        "contents": _("Stripe says that the payout carries these."),
        "sum": _("They add up to the payout."),
        "trace": _("The bank's text holds Stripe's trace id."),
        "text": _("The bank's text names Stripe."),
        "date": _("It came when it was expected."),
        "tie": _("Another one fits as well, so a person decides."),
        "reference": _("The payer gave the request's reference, and its check digits are right."),
        "reference_in_text": _("The bank's text holds the request's reference."),
        "unapplied": _("No request names it, so it is kept as unapplied cash."),
        "applied": _("Somebody in finance applied it to a request."),
        "again": _("That request was paid already, so this became one of its own."),
        "was_booked": _("The entry was booked before the bank's line came."),
        "by_hand": _("Somebody in finance said so."),
        "charge": _("It is a charge of the bank."),
        "returned": _("Unapplied money went back to whoever sent it."),
        "capital": _("It is the operator's own money."),
    }[code]


def pass_name(match: StatementMatch) -> str:
    """Which pass made the match."""
    return {
        0: _("By hand"),
        1: _("Pass 1: ledger and Stripe by id"),
        2: _("Pass 2: a payout and what it carries"),
        3: _("Pass 3: a sweep and the bank by trace id"),
        4: _("Pass 4: a sweep and the bank by amount, text and date"),
        6: _("Pass 6: a wire and its request by reference and amount"),
        7: _("Pass 7: a wire and its request by text and amount, or unapplied"),
    }[match.pass_number]
