"""What people fill in about money. Shape only: the use cases know the rules."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from marketplace import clock
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.money import Money
from marketplace.payments import fees, wires, words
from marketplace.payments.refunds import words as refund_words
from marketplace.payments.states import Rail, WayOut
from marketplace.settings import current
from marketplace.web import Form, day_field, money_field


class FundForm(Form):
    """How much a project should get, and how it is paid."""

    amount = money_field(lazy("Amount for the project"))
    rail = RadioField(
        lazy("How you pay"), [InputRequired(lazy("Choose one."))], default=Rail.BANK_TRANSFER.value
    )

    @classmethod
    def of(cls, currency: str) -> FundForm:
        """The form in the project's currency."""
        form = cls()
        form.amount.currency = currency
        rails = (
            *fees.rails(currency, clock.now().date()),
            *([Rail.WIRE] if wires.account_for(currency) else []),
        )
        if Rail.BANK_TRANSFER not in rails and form.rail.data == Rail.BANK_TRANSFER.value:
            form.rail.data = rails[0].value if rails else None
        form.rail.choices = [(rail.value, words.rail(rail)) for rail in rails]
        return form


class ReferenceForm(Form):
    """The bank's own reference of what was paid out by hand."""

    reference = StringField(lazy("Bank’s reference"), [InputRequired(lazy("Fill this in.")), Length(max=140)])


class WayOutForm(Form):
    """What becomes of the money of a refund that Stripe refused, and what was found out about it."""

    way = RadioField(lazy("What becomes of the money"), [InputRequired(lazy("Choose one."))])
    reason = TextAreaField(
        lazy("What you found at Stripe"), [InputRequired(lazy("Fill this in.")), Length(max=500)]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.way.choices = [(each.value, refund_words.way_out(each)) for each in WayOut]


class MinimumForm(Form):
    """From how much on an expert wants to be paid."""

    minimum = money_field(lazy("Pay me from this amount on"))

    @classmethod
    def of(cls, minimum: Money) -> MinimumForm:
        """The form with what counts now."""
        form = cls(formdata=None)
        form.minimum.currency = minimum.currency
        form.minimum.data = minimum
        return form


class EndHoldForm(Form):
    """How finance knows that a bank account was changed by its holder."""

    reason = TextAreaField(
        lazy("How you know that the change is right"),
        [InputRequired(lazy("Fill this in.")), Length(max=500)],
    )


class CallOffForm(Form):
    """Why a payment that was released is not to be sent."""

    reason = TextAreaField(
        lazy("Why it is not to be sent"), [InputRequired(lazy("Fill this in.")), Length(max=500)]
    )


class PauseForm(Form):
    """Why nothing more is to be sent for now."""

    reason = TextAreaField(
        lazy("Why nothing is to be sent for now"), [InputRequired(lazy("Fill this in.")), Length(max=500)]
    )


class EvidenceForm(Form):
    """What the bank is told about a payment that it contests."""

    text = TextAreaField(
        lazy("What the bank should know"),
        [InputRequired(lazy("Say what shows that the work was done.")), Length(max=20_000)],
    )


class TopUpForm(Form):
    """How much goes from the bank to Stripe."""

    amount = money_field(lazy("Amount"))

    @classmethod
    def of(cls, currency: str) -> TopUpForm:
        """The form in the currency of the books."""
        form = cls()
        form.amount.currency = currency
        return form


class CreditForm(Form):
    """What a client is lent, and for how long."""

    organization = SelectField(lazy("Client"), [InputRequired(lazy("Choose one."))])
    amount = money_field(lazy("Amount"))
    from_on = day_field(lazy("First day"))
    until_on = day_field(lazy("Last day"))
    reason = StringField(lazy("Reason"), [InputRequired(lazy("Fill this in.")), Length(max=200)])

    @classmethod
    def of(cls, currency: str, clients: list[tuple[str, str]]) -> CreditForm:
        """The form in the currency of the books, for these clients by public id."""
        form = cls()
        form.amount.currency = currency
        form.organization.choices = clients
        return form


class EndCreditForm(Form):
    """Why a client is lent no more."""

    reason = StringField(lazy("Reason"), [InputRequired(lazy("Fill this in.")), Length(max=200)])


class WriteOffForm(Form):
    """Why a client will not pay what it owes."""

    reason = StringField(lazy("Reason"), [InputRequired(lazy("Fill this in.")), Length(max=200)])


class LostForm(Form):
    """What a lost transfer was."""

    NOTHING = "nothing"
    pays = RadioField(lazy("It was"), [InputRequired(lazy("Choose one."))])
    reason = TextAreaField(lazy("Because"), [InputRequired(lazy("Fill this in.")), Length(max=500)])

    def with_payments(self, payments: list[tuple[str, str]]) -> LostForm:
        """Let one of these be chosen, each by its public id and in words; or that it was none."""
        self.pays.choices = [*payments, (self.NOTHING, _("Nothing that is owed here"))]
        return self

    def item_id(self) -> uuid.UUID | None:
        """The payment that was chosen."""
        return None if self.pays.data == self.NOTHING else uuid.UUID(self.pays.data)


class CutOffForm(Form):
    """The last day whose approvals are paid, and in which currency."""

    cut_off = day_field(lazy("Pay what was approved up to and including"))
    currency = SelectField(lazy("Currency"))

    def choose_of(self, currencies: list[str]) -> CutOffForm:
        """Let one of these be chosen, of which there is at least one; the only one is."""
        self.currency.choices = [(each, each) for each in currencies]
        if len(currencies) == 1:
            self.currency.data = currencies[0]
        return self

    def cut_off_at(self) -> datetime:
        """The end of that day in the zone of the books, or now while the day lasts."""
        zone = str(current().books_zone)
        today = clock.today(zone)
        day = self.cut_off.data or today
        return clock.now() if day == today else clock.midnight(day + timedelta(days=1), zone)
