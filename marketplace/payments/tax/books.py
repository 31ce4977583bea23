"""The entries of withheld tax: kept back when pay is released, given back when nothing is sent after all."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Actor
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.payments.models import PayoutItem


def source(item: uuid.UUID) -> str:
    """The ledger's name for what is withheld of an item (public id)."""
    return f"withholding:{item}"


def kept_back(item: uuid.UUID, person: uuid.UUID, withheld: int, currency: str) -> NewEntry:
    """Of what is owed to the expert some is owed to the tax office (public ids, minor units)."""
    lines = [(chart.expert_payable(person), withheld), (chart.withheld(person), -withheld)]
    return NewEntry(source(item), "withheld", currency, lines, clock.now(), _("Tax withheld"))


def give_back(session: Session, actor: Actor, item: PayoutItem) -> None:
    """Nothing was sent, so nothing is withheld."""
    if not item.withheld:
        return
    person = item.person.public_id
    ledger.post(
        session,
        actor,
        source=source(item.public_id),
        event="given_back",
        currency=item.batch.currency,
        lines=[(chart.withheld(person), item.withheld), (chart.expert_payable(person), -item.withheld)],
        occurred_at=clock.now(),
        memo=_("Tax withheld, given back"),
    )
