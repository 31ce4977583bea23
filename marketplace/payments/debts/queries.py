"""Reading what clients owe: by project for those who see its money, by age for finance."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import FINANCE, Actor
from marketplace.gigs.find import there
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.debts.models import LEFT, ClientDebt
from marketplace.payments.models import Funding

# Days after which what is owed counts as older, and what is older still.
AGES = (30, 60, 90)


@dataclass(frozen=True)
class Age:
    """What is owed for so many days, in one currency."""

    label: str
    owed: Money


def debts_for(actor: Actor) -> sa.Select[ClientDebt]:
    """All that were ever owed, for finance."""
    actor.require(*FINANCE)
    project = joinedload(ClientDebt.funding).joinedload(Funding.project).joinedload(Project.organization)
    return sa.select(ClientDebt).options(project)


def debt(session: Session, actor: Actor, public_id: uuid.UUID) -> ClientDebt:
    """One, for finance. Raises NotFound."""
    return there(session.scalars(debts_for(actor).filter_by(public_id=public_id)).one_or_none())


def of_project(session: Session, project: Project) -> Sequence[ClientDebt]:
    """What a project's client owes, for those who may see its money, the oldest first."""
    query = sa.select(ClientDebt).join(ClientDebt.funding).where(Funding.project_id == project.id, LEFT > 0)
    return session.scalars(query.order_by(ClientDebt.id)).all()


def owed_by(session: Session, project: Project) -> Money | None:
    """What a project's client owes of it in all; None when it owes nothing."""
    owed = sum(each.left for each in of_project(session, project))
    return Money(owed, project.currency) if owed else None


def ages(session: Session) -> list[Age]:
    """What is owed by how long it has been, for each currency, the newest first."""
    days = sa.func.extract("epoch", sa.literal(clock.now()) - ClientDebt.since) / 86_400
    bucket = sa.case(*((days < each, place) for place, each in enumerate(AGES)), else_=len(AGES))
    rows = session.execute(
        sa.select(ClientDebt.currency, bucket.label("bucket"), sa.func.sum(LEFT))
        .where(LEFT > 0)
        .group_by(ClientDebt.currency, sa.text("bucket"))
        .order_by(ClientDebt.currency, sa.text("bucket"))
    )
    return [Age(_label(int(place)), Money(int(amount), currency)) for currency, place, amount in rows]


def _label(place: int) -> str:
    return (
        _("Up to 30 days"), _("31 to 60 days"), _("61 to 90 days"), _("More than 90 days"),
    )[place]  # fmt: skip
