"""What states, refusals and requirements mean, in sentences for the people whose money it is."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.payments.states import (
    Blocker,
    FundingState,
    ItemState,
    Rail,
    SweepState,
    TopUpState,
    TransfersState,
)


def rail(value: Rail) -> str:
    """A way of paying."""
    return {
        Rail.CARD: _("Card"),
        Rail.BANK_TRANSFER: _("Bank transfer"),
        Rail.BANK_DEBIT: _("Bank debit (ACH)"),
        Rail.WIRE: _("Wire to our own account"),
    }[value]


def funding(state: FundingState) -> str:
    """What a client should know about a lot in this state."""
    return {
        FundingState.PREPARED: _("Not paid yet. Continue to the payment page when you are ready."),
        FundingState.OPEN: _("Not paid yet. The payment page is waiting for you."),
        FundingState.PROCESSING: _("On its way. It counts as soon as the bank transfer has arrived."),
        FundingState.PAID: _("Paid, and ready to be reserved for work."),
        FundingState.FAILED: _("The payment did not go through, and nothing was taken. Start again."),
        FundingState.EXPIRED: _("The payment page was left unused for a day, so it closed. Start again."),
        FundingState.FAILED_AFTER_PAID: _(
            "The bank took it back after it had counted as paid, so the project no longer has it."
        ),
    }[state]


def debit_under_way() -> str:
    """What a client should know while its bank has not answered a debit."""
    return _(
        "Your bank has been asked. The money counts once it has paid, after about four business days; until "
        "then it can still refuse, and nothing can be reserved from it."
    )


def debit_failure(code: str | None) -> str:
    """Why a client's bank refused a debit, from Stripe's code."""
    known = {
        "insufficient_funds": _(
            "Your bank refused the debit: the account did not hold enough money. Nothing was credited. Try "
            "again when it does, or pay another way."
        ),
        "account_closed": _("Your bank refused the debit: the account is closed. Pay from another one."),
        "no_account": _("Your bank does not know this account number. Start again with the right one."),
        "debit_not_authorized": _(
            "Your bank does not let the account be debited. Ask it to, or pay another way."
        ),
    }
    refused = _("Your bank refused the debit, and nothing was credited. Start again, or pay another way.")
    return known.get(code or "", refused)


def funding_failure(code: str | None, rail: Rail = Rail.CARD) -> str:
    """Why a payment did not go through, from Stripe's decline or error code."""
    if rail is Rail.BANK_DEBIT:
        return debit_failure(code)
    known = {
        "card_declined": _("The card was declined. Ask the bank that issued it, or use another."),
        "insufficient_funds": _("The card does not have enough money. Use another, or a bank transfer."),
        "expired_card": _("The card has expired. Use another."),
        "incorrect_cvc": _("The card's security code was wrong. Start again with the right one."),
    }
    return known.get(code or "", funding(FundingState.FAILED))


def account(state: TransfersState) -> str:
    """Whether an expert can be paid."""
    return {
        TransfersState.NEW: _("Tell Stripe where your pay should go. It takes about five minutes."),
        TransfersState.PENDING: _("Stripe is checking what you gave. There is nothing for you to do."),
        TransfersState.ACTIVE: _("You are set up to be paid."),
        TransfersState.RESTRICTED: _("Stripe needs something from you before it can pay you."),
        TransfersState.REJECTED: _("Stripe cannot pay to this account. Write to us, and we will find a way."),
        TransfersState.UNSUPPORTED: _("Stripe cannot pay to your country this way. Write to us."),
    }[state]


def requirement(what: str) -> str | None:
    """Stripe's name of a requirement, such as `identity.individual.surname`, in plain words, if there are."""
    known = {
        "given_name": _("Your first name"),
        "surname": _("Your last name"),
        "date_of_birth": _("Your date of birth"),
        "address": _("Your home address"),
        "email": _("Your e-mail address"),
        "contact_email": _("Your e-mail address"),
        "phone": _("Your telephone number"),
        "contact_phone": _("Your telephone number"),
        "id_numbers": _("Your tax or social security number"),
        "nationalities": _("Your nationality"),
        "default_outbound_destination": _("The bank account that your pay goes to"),
        "external_account": _("The bank account that your pay goes to"),
        "terms_of_service": _("Your consent to Stripe's terms"),
        "primary_verification": _("A photo of an identity document"),
        "secondary_verification": _("A document that shows your home address"),
        "documents": _("A photo of an identity document"),
        "country": _("The country you live in"),
        "entity_type": _("Whether you are a person or a company"),
    }
    parts = what.split(".")
    if what in ("identity.individual", "individual"):
        return _("A check of who you are")
    return next((known[part] for part in reversed(parts) if part in known), None)


def blocker(value: Blocker) -> str:
    """Why an item does not go out, for finance."""
    return {
        Blocker.NO_ACCOUNT: _("Has not set up how to be paid"),
        Blocker.NOT_READY: _("Stripe still needs something from the expert"),
        Blocker.BELOW_MINIMUM: _("Below the smallest payment; it waits for more"),
        Blocker.IN_ANOTHER_BATCH: _("An earlier payment to this expert is still on its way"),
        Blocker.SHORT_BALANCE: _("Waits until enough money is available at Stripe"),
        Blocker.BANK_CHANGED: _("The bank account was changed; held until that has been looked at"),
        Blocker.NEGATIVE_BALANCE: _(
            "The expert's Stripe account is below zero; what is sent would fill it up"
        ),
        Blocker.PERSON_CLOSED: _("The expert's account here is closed; decide before anything is sent"),
        Blocker.CLIENT_OWES: _(
            "Waits for a client who works on credit and has not paid, or for our own money"
        ),
        Blocker.ACCOUNT_DIFFERS: _(
            "What lies in the expert's Stripe account is not as remembered; held until that is explained"
        ),
        Blocker.TAX_FORM: _(
            "No tax form of theirs counts. The expert hands one in under Money, Tax form; then the pay goes "
            "into the next batch"
        ),
        Blocker.TAX_CHANGED: _(
            "The tax to withhold changed since this was prepared. The next batch pays it with what is due"
        ),
    }[value]


def refusal(code: str) -> str:
    """Why Stripe refused a transfer or a payout, and what to do next."""
    known = {
        "insufficient_capabilities_for_transfer": _(
            "Stripe does not let this account be paid. The expert has to finish the set-up with Stripe; the "
            "pay is owed as before and goes into the next batch."
        ),
        "account_closed": _("The expert's Stripe account is closed. The expert has to set up a new one."),
        "person_closed": _(
            "The expert's account here was closed, so nothing was sent. The pay is owed as before."
        ),
        "resource_missing": _("Stripe does not know this account. The expert has to set up a new one."),
        "not_found_after_a_day": _(
            "Stripe never received the request. The pay is owed as before and goes into the next batch."
        ),
        "changed_after_release": _(
            "What this item pays is no longer what was released, so nothing was sent. Find out what changed."
        ),
        "key_over": _(
            "Stripe put it off and has none of it. It waited so long that it is sent as another try."
        ),
        "another_source": _(
            "Stripe put it off. It is sent from another part of the balance, as another try."
        ),
        "called_off": _(
            "Called off before it was sent; the audit trail says why. The pay is owed as before and goes "
            "into the next batch."
        ),
        "no_account": _("Our Stripe account has no bank account to pay out to. Add one at Stripe."),
        "balance_insufficient": _("Not enough money was available at Stripe at that moment."),
    }
    return known.get(code, _("Stripe refused (%(code)s). The money is where it was.", code=code))


def payout_failure(code: str | None) -> str:
    """Why a bank sent a payout back, from Stripe's failure code."""
    known = {
        "account_closed": _("The bank account is closed."),
        "account_frozen": _("The bank account is frozen."),
        "no_account": _("The bank does not know this account number."),
        "invalid_account_number": _("The account number is not valid."),
        "incorrect_account_holder_name": _("The account holder's name does not match."),
        "could_not_process": _("The bank could not process it."),
    }
    return known.get(code or "", _("The bank sent it back."))


def item(state: ItemState) -> str:
    """Where an item is, for finance, and what is next."""
    return {
        ItemState.PREPARED: _("Waits for a second person to release the batch."),
        ItemState.BLOCKED: _("Not part of this batch. It is offered again in the next one."),
        ItemState.RELEASED: _("Released, and next to be sent to Stripe."),
        ItemState.SENDING: _("Being sent to Stripe at this moment."),
        ItemState.UNKNOWN: _("Stripe gave no clear answer. It is looked up by itself; do not pay it again."),
        ItemState.SENT: _("In the expert's Stripe account, and on its way to the bank."),
        ItemState.PAID: _("Stripe says the bank has it. For five business days it can still come back."),
        ItemState.SETTLED: _("In the bank, and past the days in which it could come back."),
        ItemState.RETURNED: _(
            "The bank sent it back. It lies in the expert's Stripe account until the bank details are mended."
        ),
        ItemState.REVERSED_IN_PART: _(
            "Part of it was taken back out of the expert's Stripe account. That part is owed again and goes "
            "into the next batch; the rest goes on to the bank."
        ),
        ItemState.REVERSED: _(
            "All of it was taken back out of the expert's Stripe account. The pay is owed again and goes "
            "into the next batch."
        ),
        ItemState.FAILED: _("Stripe refused it. The pay is owed as before and goes into the next batch."),
        ItemState.CANCELLED: _("Cancelled before the release. It is offered again in the next batch."),
    }[state]


def hours(state: str) -> str:
    """Where the pay for a week's hours is, for the expert who worked them."""
    return {
        "worked": _("Worked, and not submitted yet."),
        "sent_back": _("The client sent the week back. Correct it and submit it again."),
        "submitted": _("With the client. If nobody answers in time, it counts as approved."),
        "disputed": _("Questioned by the client. It waits apart until that is settled."),
        "not_paid": _("Not paid: this is how the question about it ended."),
        "approved": _("Approved. It goes out with the next pay run."),
        "batch": _("In a pay run, which is being checked and sent."),
        "sent": _("Sent, and on its way to your bank."),
        "paid": _("Your bank has it."),
        "settled": _("Your bank has it, for good."),
        "reversed_in_part": _(
            "Part of it was taken back out of your Stripe account. You are owed that part, and the next pay "
            "run sends it again."
        ),
        "reversed": _(
            "It was taken back out of your Stripe account. You are owed it, and the next pay run sends it "
            "again."
        ),
        "returned": _("Your bank sent it back. Check your bank details with Stripe, and it is paid again."),
    }[state]


def hours_label(state: str) -> str:
    """The same in one or two words."""
    return {
        "worked": _("Worked"),
        "sent_back": _("Sent back"),
        "submitted": _("Submitted"),
        "disputed": _("Questioned"),
        "not_paid": _("Not paid"),
        "approved": _("Approved"),
        "batch": _("In a pay run"),
        "sent": _("On its way"),
        "paid": _("Paid"),
        "settled": _("Settled"),
        "reversed_in_part": _("Taken back in part"),
        "reversed": _("Taken back"),
        "returned": _("Came back"),
    }[state]


def source_type(kind: str) -> str:
    """The part of the Stripe balance that money lies in."""
    return {"card": _("From cards"), "bank_account": _("From bank transfers")}.get(kind, kind)


def deposit(status: str) -> str:
    """What a payout to an expert's bank is doing."""
    return {
        "pending": _("Leaves Stripe with the next bank day"),
        "in_transit": _("On its way to your bank"),
        "paid": _("In your bank"),
        "failed": _("Your bank sent it back"),
        "canceled": _("Called off by Stripe"),
    }.get(status, status)


def sweep(state: SweepState) -> str:
    """Where our own fees are."""
    return {
        SweepState.PREPARED: _("Waits for a second person to release it."),
        SweepState.RELEASED: _("Released, and next to be sent to Stripe."),
        SweepState.SENDING: _("Being sent to Stripe at this moment."),
        SweepState.UNKNOWN: _("Stripe gave no clear answer. It is looked up by itself; do not sweep again."),
        SweepState.SENT: _("On its way to our bank."),
        SweepState.PAID: _("Stripe says the bank has it."),
        SweepState.FAILED: _("It did not go through. The fees are at Stripe and can be swept again."),
        SweepState.CANCELLED: _("Cancelled before the release."),
    }[state]


def top_up(state: TopUpState) -> str:
    """Where clients' money on its way to Stripe is."""
    return {
        TopUpState.PREPARED: _("Waits for a second person to release it."),
        TopUpState.RELEASED: _("Released, and Stripe is asked next."),
        TopUpState.SENDING: _("Stripe is being asked at this moment."),
        TopUpState.UNKNOWN: _("Stripe gave no clear answer. It is looked up by itself; do not ask again."),
        TopUpState.SENT: _("On its way from our bank to Stripe."),
        TopUpState.ARRIVED: _("At Stripe, and experts can be paid from it."),
        TopUpState.RETURNED: _("The bank took it back after it had arrived. It is at the bank again."),
        TopUpState.FAILED: _("It did not go through. The money is at the bank, and can be sent again."),
        TopUpState.CANCELLED: _("Cancelled before the release."),
    }[state]


def top_up_failure(code: str) -> str:
    """Why Stripe could not take it, from its code or ours."""
    known = {
        "insufficient_funds": _("The bank says that the account does not hold so much."),
        "not_found_after_a_day": _("Stripe never received the request, so it can be asked again."),
        "canceled": _("It was called off at Stripe."),
        "reversed": _("The bank took it back."),
    }
    return known.get(code, _("Stripe said: %(code)s", code=code))
