"""Where a payment is that its bank takes back, in sentences for the client, for experts and for finance."""

from __future__ import annotations

from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.states import ChargebackState, EvidenceState


def state(value: ChargebackState) -> str:
    """For finance, and what is next."""
    return {
        ChargebackState.INQUIRY: _("The bank asks about the payment. No money has moved."),
        ChargebackState.NEEDS_RESPONSE: _("The bank has taken the money back. Answer with evidence."),
        ChargebackState.UNDER_REVIEW: _("With the bank, which decides. There is nothing to do."),
        ChargebackState.WON: _("Won: the money is back, and free in the project again."),
        ChargebackState.LOST: _("Lost: the money stays with the client."),
        ChargebackState.CLOSED: _("The bank asked and took nothing back. It is closed."),
    }[value]


def label(value: ChargebackState) -> str:
    """The same in one or two words."""
    return {
        ChargebackState.INQUIRY: _("Inquiry"),
        ChargebackState.NEEDS_RESPONSE: _("To be answered"),
        ChargebackState.UNDER_REVIEW: _("With the bank"),
        ChargebackState.WON: _("Won"),
        ChargebackState.LOST: _("Lost"),
        ChargebackState.CLOSED: _("Closed"),
    }[value]


def reason(code: str) -> str:
    """Why the bank takes it back, from Stripe's reason."""
    known = {
        "bank_cannot_process": _("The bank could not process the payment"),
        "check_returned": _("A check came back"),
        "credit_not_processed": _("The client expected a refund and did not get one"),
        "customer_initiated": _("The client asked the bank to take it back"),
        "debit_not_authorized": _("The client says that nobody authorised the debit"),
        "duplicate": _("The client says that it was charged twice"),
        "fraudulent": _("The cardholder does not recognise the payment"),
        "general": _("The bank gives no particular reason"),
        "incorrect_account_details": _("The account details were wrong"),
        "insufficient_funds": _("The account did not have enough money"),
        "product_not_received": _("The client says that it did not get what it paid for"),
        "product_unacceptable": _("The client says that what it got was not as described"),
        "subscription_canceled": _("The client says that it had cancelled"),
        "unrecognized": _("The cardholder does not recognise the payment"),
    }
    return known.get(code) or _("The bank says: %(code)s", code=code.replace("_", " "))


def next_action(chargeback: Chargeback) -> str:
    """What somebody of finance has to do next."""
    if chargeback.trouble:
        return trouble(chargeback.trouble)
    if not chargeback.waits_for_answer:
        return state(chargeback.state)
    if chargeback.answered:
        return _("Evidence is on its way to the bank.")
    if chargeback.due_by is None:
        return _("Answer with evidence.")
    if chargeback.state is ChargebackState.INQUIRY:
        return _("The bank asks. Answer by %(day)s, before it takes the money.", day=day(chargeback.due_by))
    return _("Answer with evidence by %(day)s; without it the payment is lost.", day=day(chargeback.due_by))


def trouble(code: str) -> str:
    """Why nothing more is booked before somebody has looked at Stripe."""
    return {
        "positive_sum": _(
            "By what Stripe says, more came back than was taken. Nothing is booked until that is explained: "
            "look at it at Stripe, and write to their support."
        ),
        "two_currencies": _("Stripe moved two currencies for it, which is booked by hand. Look at Stripe."),
    }.get(code, code)


def evidence(value: EvidenceState) -> str:
    """Where what we said to the bank is."""
    return {
        EvidenceState.RELEASED: _("Next to be sent to Stripe."),
        EvidenceState.SENDING: _("Being sent to Stripe at this moment."),
        EvidenceState.UNKNOWN: _("Stripe gave no clear answer. It is looked up by itself, and sent once."),
        EvidenceState.SENT: _("With the bank. It cannot be changed any more."),
        EvidenceState.REFUSED: _("Stripe did not take it."),
    }[value]


def for_client(chargeback: Chargeback) -> str:
    """What a client should know about its own payment."""
    if chargeback.state is ChargebackState.WON:
        return _("Your bank decided that the payment stands. Its money is free in the project again.")
    if chargeback.state is ChargebackState.LOST:
        return _(
            "Your bank gave the payment back to you. %(amount)s of it was still unused and left the project.",
            amount=Money(chargeback.from_funds, chargeback.funding.currency),
        )
    if chargeback.is_open:
        return _(
            "Your bank has taken the payment back, and decides who gets it. Meanwhile %(amount)s of the "
            "project’s free money are set aside. If you did not mean to take it back, tell your bank.",
            amount=Money(chargeback.held, chargeback.funding.currency),
        )
    return _("Your bank asked about the payment. Nothing was taken back.")


def failed_late(missing: Money) -> str:
    """What the client, and finance, should know of a payment that failed after it had counted as paid."""
    if not missing:
        return _(
            "The bank took it back after it had counted as paid. Add funds before new weeks are reserved."
        )
    return _(
        "The bank took it back after it had counted as paid. %(missing)s of it had been used or reserved for "
        "work by then, and are owed. Until they are paid, no new weeks are reserved and no new hours are "
        "entered; what was worked is paid. The next payment for the project pays this first.",
        missing=missing,
    )


def to_expert_of_debt() -> str:
    """What an expert on the project should know when its client owes for what was spent."""
    return _(
        "A payment of this client has failed after it had counted as paid. Your hours up to now count and "
        "are paid. New hours cannot be entered until the client has paid, so begin no new work before that."
    )


def to_expert() -> str:
    """What an expert on the project should know."""
    return _(
        "The bank of this client has taken a payment back. Your approved pay is yours, and weeks that are "
        "reserved are paid as agreed. New weeks are reserved only as far as the project has money, so look "
        "at your week before you work on."
    )
