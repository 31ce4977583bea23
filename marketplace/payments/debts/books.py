"""A debt in the books (1200): it comes with a failed payment, and goes with money that the project gets.

All of it needs the project's funds held, which is where payments, weeks and refunds of a project meet.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs, ledger
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.gigs import projection
from marketplace.gigs.members import tell_client
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.payments.chargebacks.models import LossClaim
from marketplace.payments.debts.models import LEFT, ClientDebt
from marketplace.payments.models import Funding


def owe(session: Session, lot: Funding, amount: int) -> None:
    """Keep that `amount` minor units are owed since now. The caller books them."""
    if amount > 0:
        session.add(ClientDebt(funding=lot, currency=lot.currency, owed=amount, since=clock.now()))


def of_lot(session: Session, lot: Funding) -> ClientDebt | None:
    """What is owed of a payment, held and read anew."""
    query = sa.select(ClientDebt).filter_by(funding_id=lot.id).with_for_update(of=ClientDebt)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def settle(session: Session, project: Project) -> int:
    """What is free of the project pays what its client owes, the oldest first; minor units that did."""
    funds = chart.project_funds(project.public_id)
    settled = 0
    for debt in _open(session, project):
        if not settled:
            ledger.hold(session, [funds], project.currency)
        free = -ledger.balance(session, funds, project.currency)
        amount = max(0, min(free, debt.left))
        if amount:
            _pay(session, debt, amount)
            settled += amount
    return settled


def settle_all(session: Session) -> int:
    """In every project that owes; for how many something was looked at. Asks nobody."""
    owing = sa.select(Funding.project_id).join(ClientDebt, ClientDebt.funding_id == Funding.id)
    found = session.scalars(owing.where(LEFT > 0).distinct().order_by(Funding.project_id)).all()
    return jobs.one_by_one(session, _settle, found)


@use_case
def _settle(session: Session, project_id: int) -> bool:
    project = session.get_one(Project, project_id)
    settled = settle(session, project)
    projection.push_project(session, project_id)
    return settled > 0


def _pay(session: Session, debt: ClientDebt, amount: int) -> None:
    project = debt.funding.project
    debt.paid, debt.bookings = debt.paid + amount, debt.bookings + 1
    ledger.post(
        session,
        SITE,
        source=debt.source,
        event="settled" if debt.bookings == 1 else f"settled {debt.bookings}",
        currency=debt.currency,
        lines=[
            (chart.project_funds(project.public_id), amount),
            (chart.client_receivable(project.public_id), -amount),
        ],
        occurred_at=clock.now(),
        memo=_("A client paid what it owed"),
    )
    claim_no_more(session, debt)
    audit.record(session, SITE, "settle", "client_debt", debt.public_id, amount=amount, left=debt.left)
    _tell(session, debt, amount)


def claim_no_more(session: Session, debt: ClientDebt) -> None:
    """Of what weeks give back, at most what is still owed is ours."""
    claims = sa.select(LossClaim).where(
        LossClaim.funding_id == debt.funding_id, LossClaim.chargeback_id.is_(None), LossClaim.open > 0
    )
    for claim in session.scalars(claims.with_for_update(of=LossClaim)):
        claim.open = min(claim.open, debt.left)
    session.flush()


def _open(session: Session, project: Project) -> Sequence[ClientDebt]:
    query = sa.select(ClientDebt).join(ClientDebt.funding).where(Funding.project_id == project.id, LEFT > 0)
    query = query.order_by(ClientDebt.id).with_for_update(of=ClientDebt)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _tell(session: Session, debt: ClientDebt, amount: int) -> None:
    project = debt.funding.project

    def say() -> tuple[str, str]:
        title = _("%(amount)s paid what %(project)s owed", amount=debt.of(amount), project=project.name)
        if debt.left:
            return title, _("%(left)s is still owed. Until it is paid, no new hours.", left=debt.money)
        return title, _("Nothing is owed of that payment any more. Weeks can be reserved again.")

    path = f"/projects/{project.public_id}/funding"
    tell_client(session, project.organization_id, "chargeback", path, say)
