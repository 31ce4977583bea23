"""Where a refund is, in sentences for the client whose money it is and for finance."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.payments.states import RefundState


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
        RefundState.OWED: _("Stripe could not bring it back, so our finance staff pay it by bank."),
        RefundState.PAID_OUT: _("Paid back by bank."),
    }[value]
