"""What a client will not pay becomes our loss (5050), when two people of finance say so."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger, text
from marketplace.actor import FINANCE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs import projection
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.payments.chargebacks.models import LossClaim
from marketplace.payments.debts import books
from marketplace.payments.debts.models import ClientDebt
from marketplace.payments.models import Funding
from marketplace.payments.refunds.models import IN_FLIGHT, Refund


@use_case
def ask(session: Session, actor: Actor, public_id: uuid.UUID, reason: str) -> ClientDebt:
    """One of finance wants it written off. Raises NotFound, NotAllowed, Invalid or Refused."""
    actor.require(*FINANCE)
    said = text.line(reason)
    if not said:
        raise Invalid(_("Say why, for whoever reads this later."), field="reason")
    debt = _owing(session, public_id)
    debt.asked_by, debt.asked_at, debt.reason = actor.id, clock.now(), said
    audit.record(session, actor, "ask", "client_debt", public_id, reason=said, left=debt.left)
    return debt


@use_case
def write_off(session: Session, actor: Actor, public_id: uuid.UUID) -> ClientDebt:
    """Another does it: what is left is our loss. Raises NotFound, NotAllowed, FreshFactorNeeded, Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    debt = _owing(session, public_id)
    if debt.asked_by is None:
        raise Refused(_("First a colleague has to ask for it."))
    if debt.asked_by == actor.id:
        raise NotAllowed(_("You asked for this, so somebody else has to confirm it. Ask a colleague."))
    if _claimed(session, debt):
        raise Refused(_("Weeks that are reserved may still give part of it back. Let them go, or wait."))
    if _on_its_way(session, debt):
        raise Refused(
            _("A refund of this project is on its way, and may still pay for it. Wait until it arrived.")
        )
    amount, project = debt.left, debt.funding.project
    debt.written_off, debt.written_off_by, debt.written_off_at = amount, actor.id, clock.now()
    ledger.post(
        session,
        actor,
        source=debt.source,
        event="written_off",
        currency=debt.currency,
        lines=[(chart.bad_debts(), amount), (chart.client_receivable(project.public_id), -amount)],
        occurred_at=clock.now(),
        memo=_("What a client owed was written off"),
    )
    audit.record(session, actor, "write_off", "client_debt", public_id, amount=amount)
    projection.push_project(session, project.id)
    return debt


def _owing(session: Session, public_id: uuid.UUID) -> ClientDebt:
    """Held, after the funds are, as wherever it is booked."""
    query = sa.select(ClientDebt).filter_by(public_id=public_id)
    debt = there(session.scalars(query).one_or_none())
    project = debt.funding.project
    ledger.hold(session, [chart.project_funds(project.public_id)], project.currency)
    books.settle(session, project)
    debt = books.of_lot(session, debt.funding) or debt
    if not debt.left:
        raise Refused(_("Nothing of it is owed any more."))
    return debt


def _claimed(session: Session, debt: ClientDebt) -> int:
    claimed = sa.select(sa.func.sum(LossClaim.open)).join(LossClaim.funding)
    return int(session.scalar(claimed.where(Funding.id == debt.funding_id)) or 0)


def _on_its_way(session: Session, debt: ClientDebt) -> bool:
    """Is any of the project's money on its way back to the client, which could still come back to us?"""
    flying = sa.select(Refund.id).where(
        Refund.project_id == debt.funding.project_id, Refund.state.in_(IN_FLIGHT)
    )
    return session.scalar(flying.limit(1)) is not None
