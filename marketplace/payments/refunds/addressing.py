"""Whom Stripe asks for the account that a bank transfer goes back to: an administrator of the client."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Person
from marketplace.actor import Role
from marketplace.errors import Refused
from marketplace.i18n import gettext as _
from marketplace.notifications.telling import people_with
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import Rail


def email_for(session: Session, refund: Refund) -> str | None:
    """Who asked for it while still an administrator there, else the first of the others; None where Stripe
    asks nobody. Raises Refused when there is none."""
    if (
        refund.funding is None
        or refund.funding.charge is None
        or refund.funding.rail is not Rail.BANK_TRANSFER
    ):
        return None
    ids = people_with(session, refund.project.organization_id, Role.CLIENT_ADMIN)
    query = sa.select(Person).where(Person.id.in_(ids), Person.closed_at.is_(None))
    found = session.scalars(query.order_by(Person.id != refund.asked_by, Person.id).limit(1)).one_or_none()
    if found is None:
        raise Refused(
            _(
                "The client has no administrator whom Stripe could ask for the account. "
                "First somebody there has to become one."
            )
        )
    return found.email
