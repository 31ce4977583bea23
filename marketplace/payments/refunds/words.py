"""Where a refund is, in sentences for the client whose money it is and for finance."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.payments.states import RefundState, WayOut


def state(value: RefundState) -> str:
    """What a client should know."""
    return {
        RefundState.PREPARED: _("Our finance staff release it next."),
        RefundState.RELEASED: _("Released, and next to be sent to Stripe."),
        RefundState.SENDING: _("Being sent to Stripe at this moment."),
        RefundState.UNKNOWN: _("Stripe gave no clear answer. It is looked up by itself, and sent once."),
        RefundState.SENT: _(
            "On its way through Stripe. For a bank transfer Stripe may write to you and ask for the account."
        ),
        RefundState.ARRIVED: _("Paid back by Stripe. Your bank may take some days to show it."),
        RefundState.REFUSED: _("Stripe did not take it. Our finance staff find out why, and decide."),
        RefundState.CANCELLED: _("It was called off. What is left is prepared anew."),
        RefundState.OWED: _("Stripe could not bring it back, so our finance staff pay it by bank."),
        RefundState.PAID_OUT: _("Paid back by bank."),
    }[value]


def failure(code: str) -> str:
    """What a code of Stripe's, or ours, means to one of finance who has to look into it."""
    known = {
        "refunded_elsewhere": _(
            "More of this payment went back than we sent, perhaps from Stripe’s own pages. Look there first."
        ),
        "charge_already_refunded": _("Stripe says that the whole payment went back already."),
        "charge_disputed": _("The client disputes this payment at the bank, which may bring the money back."),
        "refund_disputed_payment": _(
            "The client disputes this payment at the bank, which may bring the money back."
        ),
        "charge_not_refundable": _("This payment cannot go back by the way it came."),
    }
    return known.get(code) or _("Stripe said: %(code)s", code=code)


def way_out(value: WayOut) -> str:
    """What becomes of the money of a refund that Stripe refused."""
    return {
        WayOut.FUNDS: _("Nothing went back: it is free in the project again, and prepared anew"),
        WayOut.BY_HAND: _("Nothing went back and Stripe cannot bring it: we pay it by bank"),
    }[value]
