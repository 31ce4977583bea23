"""No first hour without a way to be paid: a country that is paid to, transfers that are on, a tax form."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Person
from marketplace.gigs.payable import PayGap, checks
from marketplace.i18n import gettext as _
from marketplace.payments import taxforms
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.setup import countries, missing
from marketplace.payments.setup.holding import SETUP_PATH


def gap(session: Session, person_id: int) -> PayGap | None:
    """What keeps the person (internal id) from being paid."""
    account = session.scalars(
        sa.select(ConnectedAccount).filter_by(person_id=person_id, ended_at=None)
    ).one_or_none()
    if account is None or not account.ready:
        return _not_ready(session, account, session.get_one(Person, person_id))
    form = taxforms.due(session, person_id)
    return PayGap(form.sentence, taxforms.TAX_PATH, _("Hand in the form")) if form else None


def _not_ready(session: Session, account: ConnectedAccount | None, person: Person) -> PayGap:
    if account is None and not countries.served(session, person.country):
        return PayGap(countries.why_not(person.country), SETUP_PATH, _("Read what you can do"))
    return PayGap(missing.standing(account), SETUP_PATH, _("Set up how you are paid"))


checks.append(gap)
