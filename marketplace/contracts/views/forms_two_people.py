"""What is filled in about weeks that two people approve. Shape only."""

from __future__ import annotations

from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from marketplace.contracts.approving.models import ApprovalRule
from marketplace.i18n import lazy
from marketplace.web import Form, money_field


class NoteForm(Form):
    """Why the second does not confirm."""

    note = TextAreaField(
        lazy("What your colleague should look at"), [InputRequired(lazy("Fill this in.")), Length(max=4_000)]
    )


class ApprovalRuleForm(Form):
    """From what amount on two people approve a week."""

    amount = money_field(lazy("Pay and fee of a week together, from"), required=False)

    @classmethod
    def of(cls, rule: ApprovalRule | None, currency: str) -> ApprovalRuleForm:
        """The form with what counts now."""
        form = cls(amount=rule.money if rule else None)
        form.amount.currency = currency
        return form
