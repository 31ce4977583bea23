"""Who is told when a payment comes back: the client, the experts who work on its project, and finance."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import RoleGrant
from marketplace.actor import FINANCE
from marketplace.contracts.models import Contract
from marketplace.contracts.states import ContractState
from marketplace.gigs.members import Say, tell_client
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.notifications.telling import tell as tell_one
from marketplace.payments.chargebacks import words
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.models import Funding
from marketplace.payments.states import ChargebackState

KIND = "chargeback"
DECIDED = (ChargebackState.WON, ChargebackState.LOST)


def tell(session: Session, chargeback: Chargeback, *, left_now: bool) -> None:
    """Finance of each state; the client and who works on its project when money left, which an inquiry has
    not made it do, and when it is decided."""
    project = chargeback.funding.project
    tell_finance(
        session,
        f"/chargebacks/{chargeback.public_id}",
        lambda: (
            _("A chargeback of %(amount)s: %(state)s", amount=chargeback.money, state=_said(chargeback)),
            words.next_action(chargeback),
        ),
    )
    if not left_now and chargeback.state not in DECIDED:
        return
    tell_client(
        session,
        project.organization_id,
        KIND,
        f"/projects/{project.public_id}/funding",
        lambda: (
            _("A payment of %(amount)s for %(project)s", amount=chargeback.money, project=project.name),
            words.for_client(chargeback),
        ),
    )
    _tell_experts(session, project, _to_expert(chargeback.state))


def tell_failed(session: Session, lot: Funding, missing: Money) -> None:
    """A payment failed after it had been paid."""
    project = lot.project
    back = Money(lot.charge_amount, lot.currency)

    def say() -> tuple[str, str]:
        return (
            _("A payment of %(amount)s for %(project)s failed", amount=back, project=project.name),
            words.failed_late(missing),
        )

    tell_client(session, project.organization_id, KIND, f"/projects/{project.public_id}/funding", say)
    tell_finance(session, f"/fundings/{lot.public_id}", say)
    said = words.to_expert_of_debt() if missing else words.to_expert()
    _tell_experts(session, project, said)


def tell_finance(session: Session, path: str, say: Say) -> None:
    """Everybody of finance."""
    query = sa.select(RoleGrant.person_id).where(RoleGrant.role.in_(FINANCE), RoleGrant.ended_at.is_(None))
    for person_id in session.scalars(query.distinct().order_by(RoleGrant.person_id)).all():
        tell_one(session, person_id, KIND, path, say)


def contracts(session: Session, project: Project) -> Sequence[Contract]:
    """Those of a project that run."""
    running = sa.select(Contract).filter_by(project_id=project.id, state=ContractState.ACTIVE)
    return session.scalars(running.order_by(Contract.id)).all()


def _tell_experts(session: Session, project: Project, said: str) -> None:
    for contract in contracts(session, project):
        tell_one(
            session,
            contract.person_id,
            KIND,
            f"/contracts/{contract.public_id}",
            lambda: (_("The money behind %(project)s", project=project.name), said),
        )


def _to_expert(state: ChargebackState) -> str:
    if state is ChargebackState.WON:
        return _("The client’s payment stands after all. Weeks that are reserved are paid as agreed.")
    if state is ChargebackState.LOST:
        return _(
            "The client’s bank has kept a payment. Your approved pay is yours, and weeks that are reserved "
            "are paid as agreed. New weeks are reserved only as far as the project has money."
        )
    return words.to_expert()


def _said(chargeback: Chargeback) -> str:
    return words.label(chargeback.state)
