"""What tax asks of payments that are being prepared or released, a thousand at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy.orm import Session

from marketplace.payments.contents import Contents
from marketplace.payments.tax import standing, withholding
from marketplace.payments.tax.withholding import NOTHING, Pay, Withheld


class Tax(NamedTuple):
    """`no_form`: nothing may be sent before there is one that nobody has to look at. Else so much of it is
    withheld, by the `form` (internal id) that counts."""

    no_form: bool
    withheld: Withheld
    form: int | None = None


CLEAR = Tax(no_form=False, withheld=NOTHING)


def of(session: Session, pay: Mapping[int, Contents]) -> Mapping[int, Tax]:
    """Of what each of these people (internal ids) is paid. In mode `external` nothing is looked up."""
    if not standing.asked():
        return dict.fromkeys(pay, CLEAR)
    lacking = standing.missing(session, list(pay))
    forms = standing.forms_of(session, list(pay))
    due = withholding.due(session, {person: _pay(contents) for person, contents in pay.items()}, forms)
    return {
        person: Tax(
            person in lacking, due.get(person, NOTHING), forms[person].id if person in forms else None
        )
        for person in pay
    }


def _pay(contents: Contents) -> Pay:
    # What came back and is paid once more was taxed when it was paid first.
    first = contents.amount - sum(each.amount for each in contents.again)
    return Pay(first, [each.id for each in contents.hours], [each.id for each in contents.more])
